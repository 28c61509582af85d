#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Spinel's sampler beside Stim's compiled sampler of detector error models, same model, one core, interleaved.

    taskset -c 1 python3 bench/peers/stim_sampler.py build/release/bin/sampler_bench [--repeats 9] [--out FILE.md]

Each repetition times both one after the other; the table shows medians of times and the median of the per-repetition ratios.
Both return packed detection events (and observables) of all shots in newly allocated memory.
"""
import argparse
import os
import platform
import statistics
import subprocess
import tempfile
import time

import stim

from served import surface

CASES = [(d, p) for d in (5, 13, 21) for p in (0.001, 0.006)]
SHOTS = {5: 262144, 13: 32768, 21: 8192}


HEADER = """# The sampler beside Stim's

Command: `taskset -c 1 python3 bench/peers/stim_sampler.py build/release/bin/sampler_bench --repeats {repeats}` (preset `bench`:
GCC, `-O3 -march=native`). {cpu}, load average {load:.1f}; Stim {stim} from its wheel, Python {python}.

Models: `stim.Circuit.generated("surface_code:rotated_memory_x")` with all four noise flags at p, `decompose_errors=True`. Each
repetition times `dem.compile_sampler(seed).sample(shots, bit_packed=True)` and the same number of shots of `spinel::Sampler`
one after the other on one core; both return packed rows of detection events and observables in newly allocated memory. Medians;
the ratio is the median of the ratios of pairs. Set-up and memory are Spinel's alone.

"""


def cpu_name():
    with open("/proc/cpuinfo") as info:
        return next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), platform.machine())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bench")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--out")
    args = parser.parse_args()
    rows = []
    for distance, p in CASES:
        dem = surface(distance, distance, p, "x")
        shots = SHOTS[distance]
        with tempfile.NamedTemporaryFile("w", suffix=".dem") as file:
            file.write(str(dem))
            file.flush()
            ours = subprocess.Popen([args.bench, file.name, str(shots), "1", "serve"], text=True,
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
            sampler = dem.compile_sampler(seed=1)
            sampler.sample(64, bit_packed=True)
            stim_us, spinel_us = [], []
            for repeat in range(args.repeats + 1):
                start = time.perf_counter()
                sampler.sample(shots, bit_packed=True)
                elapsed = (time.perf_counter() - start) / shots * 1e6
                ours.stdin.write("\n")
                ours.stdin.flush()
                line = ours.stdout.readline()
                if repeat > 0:  # the first pair warms up
                    stim_us.append(elapsed)
                    spinel_us.append(float(line.split()[0]))
            ours.stdin.close()
            ours.wait()
        ratio = statistics.median(a / b for a, b in zip(stim_us, spinel_us))
        rows.append((distance, p, dem.num_errors, shots, statistics.median(stim_us), statistics.median(spinel_us), ratio,
                     line.split(",", 1)[1].strip()))
        print(rows[-1], flush=True)
    lines = ["| d = rounds | p | mechanisms | shots a call | Stim us/shot | Spinel us/shot | Stim / Spinel | Spinel |",
             "|---|---|---|---|---|---|---|---|"]
    for d, p, n, shots, a, b, ratio, note in rows:
        lines.append(f"| {d} | {p} | {n} | {shots} | {a:.4f} | {b:.4f} | **{ratio:.2f}** | {note} |")
    print("\n".join(lines))
    if args.out:
        with open(args.out, "w") as out:
            out.write(HEADER.format(repeats=args.repeats, cpu=cpu_name(), load=os.getloadavg()[0], stim=stim.__version__,
                                    python=platform.python_version()) + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
