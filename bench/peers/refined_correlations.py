# SPDX-License-Identifier: Apache-2.0
"""Mistakes of `--refine_correlations` beside PyMatching's enable_correlations on the same shots of Stim's rotated memory circuits:
refined_correlations.py SPINEL_PROGRAM [d,p,shots ...]. Prints a table."""
import math
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import pymatching

from served import surface_circuit

DEFAULT = ["5,0.003,600000", "5,0.006,150000", "7,0.003,400000", "7,0.006,100000", "9,0.004,200000", "9,0.006,80000", "11,0.006,60000",
           "11,0.008,20000"]


def decode(program, folder, *flags):
    """Predictions and microseconds a shot."""
    done = subprocess.run([program, "predict", "--dem", folder / "model.dem", "--in", folder / "events.b8", "--out", folder / "out.b8",
                           "--out_format", "b8", "--time", "--engine", "general", *flags], check=True, capture_output=True, text=True)
    us = next(line.split()[0] for line in (done.stdout + done.stderr).splitlines() if "us/shot" in line)
    return np.fromfile(folder / "out.b8", dtype=np.uint8), float(us)


def row(program, folder, d, p, n_shots):
    circuit = surface_circuit(d, d, p, "x")
    model = circuit.detector_error_model(decompose_errors=True)
    events, flips = circuit.compile_detector_sampler(seed=2024).sample(n_shots, separate_observables=True, bit_packed=True)
    model.to_file(str(folder / "model.dem"))
    events.tofile(folder / "events.b8")
    truth = flips[:, 0]
    peer = pymatching.Matching.from_detector_error_model(model, enable_correlations=True)
    start = time.thread_time()
    theirs = peer.decode_batch(events, bit_packed_shots=True, bit_packed_predictions=True, enable_correlations=True)[:, 0]
    peer_us = 1e6 * (time.thread_time() - start) / n_shots
    plain, plain_us = decode(program, folder)
    refined, refined_us = decode(program, folder, "--refine_correlations")
    a, b, only_one = int((theirs != truth).sum()), int((refined != truth).sum()), int((refined != theirs).sum())
    # Ratio of two paired proportions: the variance of its logarithm comes from the shots on which they part.
    spread = 1.96 * math.sqrt(only_one / (a * b)) if a * b else math.inf
    return (f"| {d} | {p} | {n_shots} | {int((plain != truth).sum())} | {a} | {b} | **{b / a:.3f}** ({b / a * math.exp(-spread):.3f} to "
            f"{b / a * math.exp(spread):.3f}) | {plain_us:.3g} | {peer_us:.3g} | {refined_us:.3g} |")


def main():
    program = pathlib.Path(sys.argv[1])
    print("| d = rounds | p | shots | plain: mistakes | PyMatching correlated: mistakes | refined: mistakes | refined / correlated (95 %) | "
          "plain us | PyMatching correlated us | refined us |\n|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        for case in sys.argv[2:] or DEFAULT:
            d, p, n_shots = case.split(",")
            print(row(program, pathlib.Path(name), int(d), float(p), int(n_shots)), flush=True)


if __name__ == "__main__":
    main()
