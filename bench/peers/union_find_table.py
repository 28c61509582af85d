# SPDX-License-Identifier: Apache-2.0
"""What union-find costs in logical errors and time beside exact matching, on the same shots through the program.

Usage: union_find_table.py SPINEL_PROGRAM [--scale S] [--markdown FILE]

Stim's surface_code:rotated_memory_x with rounds = distance and all four noise parameters p; mistakes of both engines on
the same shots; the times are those that `count_mistakes --time` prints, the engines' runs taking turns (medians of three).
The last rows are adversarial: every detector fired with probability one half, and all of them.
"""

import argparse
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

import numpy as np
import stim

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "python"))
from matching_test import surface  # noqa: E402

SHOTS = {3: 400000, 5: 200000, 7: 100000, 9: 50000, 11: 25000, 13: 15000}


def run(program, folder, engine):
    text = subprocess.run(
        [program, "count_mistakes", "--dem", folder / "model.dem", "--in", folder / "shots.b8",
         "--in_includes_appended_observables", "--engine", engine, "--time", "--weights_out", folder / f"{engine}.txt"],
        check=True, capture_output=True, text=True).stdout
    mistakes = int(text.split("/")[0])
    mean = float(re.search(r"([\d.e+-]+) us/shot", text).group(1))
    tail = float(re.search(r"p99\.9 ([\d.e+-]+) us", text).group(1))
    return mistakes, mean, tail


def row(program, folder, label, n_shots):
    found = {"general": [], "union_find": []}
    for _ in range(3):
        for engine, runs in found.items():
            runs.append(run(program, folder, engine))
    exact, ours = found["general"], found["union_find"]
    excess = np.loadtxt(folder / "union_find.txt", ndmin=1) - np.loadtxt(folder / "general.txt", ndmin=1)
    assert excess.min() > -1e-6, "union-find below the exact weight"
    middle = lambda runs, k: statistics.median(r[k] for r in runs)
    ratio = f"{ours[0][0] / exact[0][0]:.2f}" if exact[0][0] >= 20 else "-"
    return (f"| {label} | {n_shots} | {exact[0][0]} | {ours[0][0]} | {ratio} | {100 * (excess > 1e-6).mean():.2f} | "
            f"{middle(exact, 1):.3g} | {middle(ours, 1):.3g} | {middle(exact, 2):.3g} | {middle(ours, 2):.3g} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--scale", type=float, default=1, help="of the numbers of shots")
    parser.add_argument("--markdown", type=pathlib.Path)
    arguments = parser.parse_args()
    lines = ["| workload | shots | exact: mistakes | union-find: mistakes | ratio | heavier than exact, % of shots | "
             "exact us/shot | union-find us/shot | exact p99.9 us | union-find p99.9 us |", "|---" * 10 + "|"]
    print("\n".join(lines), flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)

        def add(label, n_shots):
            lines.append(row(arguments.program, folder, label, n_shots))
            print(lines[-1], flush=True)

        for distance, base in SHOTS.items():
            for p in (0.001, 0.003, 0.006):
                model = surface(distance, distance, p, "x")
                n_shots = int(arguments.scale * base)
                (folder / "model.dem").write_text(str(model))
                events, flips, _ = model.compile_sampler(seed=11).sample(n_shots)
                np.packbits(np.hstack([events, flips]), axis=1, bitorder="little").tofile(folder / "shots.b8")
                add(f"d={distance} p={p}", n_shots)
        for label, density in (("d=13 random half", 0.5), ("d=13 all detectors", 1)):
            n_shots = 20
            fired = np.random.default_rng(5).random((n_shots, model.num_detectors + 1)) < density
            fired[:, -1] = False
            np.packbits(fired, axis=1, bitorder="little").tofile(folder / "shots.b8")
            add(label, n_shots)
    if arguments.markdown:
        cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
        arguments.markdown.write_text(
            "# Union-find beside exact matching\n\n"
            f"One core of {cpu} (a shared machine: trust the ratios), GCC -O3 -march=native, Stim {stim.__version__}; "
            "surface_code:rotated_memory_x, rounds = d, both bases decoded, the general exact engine. Mistakes on the same "
            "shots; p99.9 of single shots.\n\n"
            f"    python3 bench/peers/union_find_table.py build/release/bin/spinel --markdown {arguments.markdown}\n\n"
            + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
