# SPDX-License-Identifier: Apache-2.0
"""The exact matcher beside PyMatching on the same shots, one core, interleaved in one run.

Usage: pymatching_bench.py MATCH_BENCH_PROGRAM [--rounds-of-runs N] [--markdown FILE]

PyMatching is timed through decode_batch with bit-packed shots; both in processor time. The single-shot percentiles of
Spinel are of the least of three repetitions of every shot. The ratio of a row is the median over rounds of (PyMatching / ours within the round).
"""

import argparse
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import pymatching
import stim

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "python"))
from matching_test import random_planar, repetition, surface, toric  # noqa: E402


def workloads():
    random = np.random.default_rng(3)
    for distance, rounds, p, n_shots in (
        (5, 5, 0.001, 20000), (5, 5, 0.003, 20000), (5, 5, 0.006, 10000),
        (9, 9, 0.001, 8000), (9, 9, 0.003, 6000), (9, 9, 0.006, 3000),
        (13, 13, 0.001, 4000), (13, 13, 0.003, 3000), (13, 13, 0.006, 1000),
        (21, 21, 0.001, 400), (21, 21, 0.003, 200), (21, 21, 0.006, 80), (13, 104, 0.003, 150),
    ):
        yield f"surface d={distance} r={rounds} p={p}", surface(distance, rounds, p), n_shots
    yield "repetition d=25 r=25 p=0.02", repetition(25, 25, 0.02), 3000
    yield "toric 10x10x10", toric(10, 10, 0.01, random), 1500
    yield "planar 1000", random_planar(1000, 0.02, random), 2000


def pymatching_us(matching, events):
    start = time.process_time()
    matching.decode_batch(events, bit_packed_shots=True, bit_packed_predictions=True)
    return (time.process_time() - start) / len(events) * 1e6


def our_line(program, folder, repetitions):
    line = subprocess.run([program, folder / "model.dem", folder / "events.b8", str(repetitions)],
                          capture_output=True, text=True, check=True).stdout.split()
    return dict(zip(line[::2], map(float, line[1::2])))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--rounds-of-runs", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--markdown", type=pathlib.Path)
    arguments = parser.parse_args()
    lines = ["| workload | shots | PyMatching us/shot | Spinel us/shot | ratio | "
             "Spinel p50 / p99 / p99.9 / max us | set-up ms |",
             "|---|---|---|---|---|---|---|"]
    print("\n".join(lines), flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for label, model, n_shots in workloads():
            if arguments.only not in label:
                continue
            events, _, _ = model.compile_sampler(seed=5).sample(n_shots, bit_packed=True)
            (folder / "model.dem").write_text(str(model))
            (folder / "events.b8").write_bytes(events.tobytes())
            matching = pymatching.Matching.from_detector_error_model(model)
            matching.decode_batch(events[:10], bit_packed_shots=True)
            theirs, ours, lines_read = [], [], []
            for _ in range(arguments.rounds_of_runs):
                theirs.append(pymatching_us(matching, events))
                lines_read.append(our_line(arguments.program, folder, 1))
                ours.append(lines_read[-1]["us_per_shot"])
            tails = our_line(arguments.program, folder, 3)
            ratio = statistics.median(t / o for t, o in zip(theirs, ours))
            row = (f"| {label} | {n_shots} | {statistics.median(theirs):.3g} | {statistics.median(ours):.3g} | "
                   f"**{ratio:.2f}** | {tails['p50']:.3g} / {tails['p99']:.3g} / {tails['p99.9']:.3g} / "
                   f"{tails['max']:.3g} | {tails['setup_ms']:.3g} |")
            lines.append(row)
            print(row, flush=True)
    if arguments.markdown:
        processor = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")),
                         platform.processor())
        arguments.markdown.write_text(
            "# Exact matching beside PyMatching\n\n"
            f"One core of {processor} (a shared machine: trust the ratios, formed within interleaved rounds), "
            f"GCC -O3 -march=native, PyMatching {pymatching.__version__}, Stim {stim.__version__}; both bases decoded, "
            "the read of the packed shots included.\n\n"
            "    python3 bench/peers/pymatching_bench.py build/release/bin/match_bench "
            "--markdown bench/results/matching.md\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
