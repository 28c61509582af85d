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
    lines = ["| d = rounds | p | lattice us/shot | with its gap | times | gated at 4 nats, times | observable's basis | with its gap "
             "| of both, times | without distances of pairs | general us/shot | with its gap | lattice faster by | gaps that differ "
             "| set-up ms, KiB |", "|---" * 15 + "|"]
    twice = ["| d = rounds | p | lattice, correlated, us/shot | with its gap | times | gated at 4 nats, times | general us/shot "
             "| with its gap | times | gated, times | lattice with its gap faster by | gated faster by | gaps that differ |", "|---" * 13 + "|"]
    print("\n".join(lines), flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for distance, n_shots in ((5, 20000), (9, 4000), (13, 1200), (21, 150)):
            for p in (0.001, 0.003, 0.006):
                model = surface(distance, distance, p, "x")
                (folder / "model.dem").write_text(str(model))
                model.compile_sampler(seed=5).sample(n_shots, bit_packed=True)[0].tofile(folder / "events.b8")
                words = subprocess.run(
                    [arguments.program, folder / "model.dem", folder / "events.b8", str(distance), str(arguments.repetitions)],
                    check=True, capture_output=True, text=True).stdout.split()
                us = list(map(float, words[1:16]))
                facts = dict(zip(words[16::2], words[17::2]))
                lines.append(f"| {distance} | {p} | {us[0]:.3g} | {us[1]:.3g} | **{us[1] / us[0]:.2f}** | {us[2] / us[0]:.2f} | "
                             f"{us[3]:.3g} | {us[4]:.3g} | {us[4] / us[0]:.2f} | {us[14]:.3g} | {us[5]:.3g} | {us[6]:.3g} | "
                             f"**{us[6] / us[1]:.1f}** | {facts['differ']} of {n_shots} | "
                             f"{facts['set_up_ms']}, {facts['gap_memory_kib']} |")
                twice.append(f"| {distance} | {p} | {us[11]:.3g} | {us[12]:.3g} | **{us[12] / us[11]:.2f}** | {us[13] / us[11]:.2f} | {us[8]:.3g} | "
                             f"{us[9]:.3g} | {us[9] / us[8]:.2f} | {us[10] / us[8]:.2f} | **{us[9] / us[12]:.1f}** | {us[10] / us[13]:.1f} | "
                             f"{facts['twice_differ']} of {n_shots} |")
                print(lines[-1], twice[-1], sep="\n", flush=True)
    if arguments.markdown:
        cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
        arguments.markdown.write_text(
            "# Both classes beside one\n\n"
            f"One core of {cpu} (a shared machine: trust the ratios), GCC -O3 -march=native, Stim {stim.__version__}; "
            "surface_code:rotated_memory_x, both bases decoded but where it says so.\n\n"
            f"    python3 bench/peers/gap_table.py build/release/bin/gap_bench --markdown {arguments.markdown}\n\n"
            + "\n".join(lines) + "\n\nCorrelated (gaps of the second pass):\n\n" + "\n".join(twice) + "\n")


if __name__ == "__main__":
    main()
