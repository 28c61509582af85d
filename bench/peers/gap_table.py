# SPDX-License-Identifier: Apache-2.0
"""What both classes cost beside one, on surface codes: gap_table.py GAP_BENCH_PROGRAM [--markdown FILE]

surface_code:rotated_memory_x with rounds = distance and all four noise parameters p; processor time, medians over
repetitions in which the ways to decode take turns on the same shots.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import stim

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "python"))
from matching_test import surface  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--markdown", type=pathlib.Path)
    arguments = parser.parse_args()
    lines = ["| d = rounds | p | plain us/shot | with its gap | times | gated at 4 nats | correlated us/shot | with its gap "
             "| times | gated at 4 nats | memory KiB, and for gaps |", "|---" * 11 + "|"]
    print("\n".join(lines), flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for distance, n_shots in ((5, 20000), (9, 4000), (13, 1200), (21, 150)):
            for p in (0.001, 0.003, 0.006):
                model = surface(distance, distance, p, "x")
                (folder / "model.dem").write_text(str(model))
                model.compile_sampler(seed=5).sample(n_shots, bit_packed=True)[0].tofile(folder / "events.b8")
                words = subprocess.run(
                    [arguments.program, folder / "model.dem", folder / "events.b8", str(arguments.repetitions)],
                    check=True, capture_output=True, text=True).stdout.split()
                plain, gap, gate, both, both_gap, both_gate, memory, gap_memory = map(float, words[1:16:2])
                lines.append(f"| {distance} | {p} | {plain:.3g} | {gap:.3g} | **{gap / plain:.2f}** | {gate / plain:.2f} | "
                             f"{both:.3g} | {both_gap:.3g} | **{both_gap / both:.2f}** | {both_gate / both:.2f} | "
                             f"{memory:.0f}, {gap_memory:.0f} |")
                print(lines[-1], flush=True)
    if arguments.markdown:
        cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
        arguments.markdown.write_text(
            "# Both classes beside one\n\n"
            f"One core of {cpu} (a shared machine: trust the ratios), GCC -O3 -march=native, Stim {stim.__version__}; "
            "surface_code:rotated_memory_x, both bases decoded, the general exact engine.\n\n"
            f"    python3 bench/peers/gap_table.py build/release/bin/gap_bench --markdown {arguments.markdown}\n\n"
            + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
