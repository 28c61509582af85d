# SPDX-License-Identifier: Apache-2.0
"""Compares the exact matcher with PyMatching on the same shots: total weights first, then predictions.

Usage: matching_test.py [SPINEL_PROGRAM] [--shots N] [--seed S] [--only TEXT]; without the program: $SPINEL_PROGRAM.

A total weight above PyMatching's is a failure, and so is one below: both are exact on the same fixed-point weights.
Where the weights are equal a differing prediction is a tie between two optimal matchings; such ties are rare on these
models, so more than 5 % of them is a failure too (the flips would not belong to the matching).
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pymatching
import stim


def surface_circuit(distance, rounds, p, basis="z"):
    return stim.Circuit.generated(
        f"surface_code:rotated_memory_{basis}", distance=distance, rounds=rounds,
        after_clifford_depolarization=p, before_measure_flip_probability=p,
        after_reset_flip_probability=p, before_round_data_depolarization=p)


def surface(distance, rounds, p, basis="z"):
    return surface_circuit(distance, rounds, p, basis).detector_error_model(decompose_errors=True)


def repetition(distance, rounds, p):
    return stim.Circuit.generated(
        "repetition_code:memory", distance=distance, rounds=rounds,
        after_clifford_depolarization=p, before_measure_flip_probability=p,
        after_reset_flip_probability=p, before_round_data_depolarization=p,
    ).detector_error_model(decompose_errors=True)


def toric(size, layers, p, random):
    """A cubic lattice without boundary: every error flips two detectors, one logical operator a direction."""
    lines = []
    at = lambda x, y, t: ((t % layers) * size + y % size) * size + x % size
    for t in range(layers):
        for y in range(size):
            for x in range(size):
                for other, flips in (((x + 1, y, t), " L0" if x + 1 == size else ""),
                                     ((x, y + 1, t), " L1" if y + 1 == size else ""),
                                     ((x, y, t + 1), "")):
                    if layers == 1 and other[2] != t:
                        continue
                    q = p * random.uniform(0.3, 3)
                    lines.append(f"error({q:.6f}) D{at(x, y, t)} D{at(*other)}{flips}")
    return stim.DetectorErrorModel("\n".join(lines))


def random_planar(n, p, random):
    """Points in the plane joined to their near neighbors, those at the left and the right to the boundary."""
    points = random.uniform(size=(n, 2))
    lines = []
    reach = 1.6 / np.sqrt(n)
    for i in range(n):
        for j in range(i):
            if np.hypot(*(points[i] - points[j])) < reach:
                q = p * random.uniform(0.03, 3)
                crossing = " L0" if (points[i][0] < 0.5) != (points[j][0] < 0.5) else ""
                lines.append(f"error({q:.6f}) D{j} D{i}{crossing}")
        if not reach < points[i][0] < 1 - reach or random.uniform() < 0.02:
            lines.append(f"error({p * random.uniform(0.3, 3):.6f}) D{i}")
    lines.append(f"detector D{n - 1}")
    return stim.DetectorErrorModel("\n".join(lines))


def likely_errors(random):
    """A surface code of which some mechanisms are likelier than one half: negative weights."""
    lines = []
    for instruction in surface(3, 3, 0.01).flattened():
        if instruction.type == "error" and random.uniform() < 0.1:
            q = random.choice([0.5, 0.8, 0.99])
            targets = " ".join("^" if t.is_separator() else str(t) for t in instruction.targets_copy())
            lines.append(f"error({q}) {targets}")
        else:
            lines.append(str(instruction))
    return stim.DetectorErrorModel("\n".join(lines))


def models(random):
    for distance in (3, 5, 7, 9, 11, 13):
        for p in (0.001, 0.003, 0.006, 0.008):
            yield f"surface d={distance} p={p}", surface(distance, distance, p, "zx"[distance // 2 % 2]), 1 / distance**2
    yield "surface d=5 rounds=40", surface(5, 40, 0.004), 1 / 40
    yield "repetition d=25", repetition(25, 25, 0.02), 1 / 100
    yield "repetition d=201", repetition(201, 3, 0.05), 1 / 100
    yield "toric 12", toric(12, 1, 0.05, random), 1 / 20
    yield "toric 8x8x8", toric(8, 8, 0.02, random), 1 / 60
    yield "planar 200", random_planar(200, 0.05, random), 1 / 20
    yield "planar 1000", random_planar(1000, 0.02, random), 1 / 100
    yield "likely errors", likely_errors(random), 1 / 2


def compare(program, model, n_shots, seed, folder):
    sampler = model.compile_sampler(seed=seed)
    events, flips, _ = sampler.sample(n_shots, bit_packed=True)
    matching = pymatching.Matching.from_detector_error_model(model)
    predicted, weights = matching.decode_batch(
        events, bit_packed_shots=True, bit_packed_predictions=True, return_weights=True)
    (folder / "model.dem").write_text(str(model))
    (folder / "events.b8").write_bytes(events.tobytes())
    subprocess.run([program, "predict", "--dem", folder / "model.dem", "--in", folder / "events.b8",
                    "--out", folder / "predictions.b8", "--out_format", "b8",
                    "--weights_out", folder / "weights.txt"], check=True)
    ours = np.fromfile(folder / "predictions.b8", dtype=np.uint8).reshape(n_shots, -1)
    our_weights = np.loadtxt(folder / "weights.txt", ndmin=1)
    error = np.abs(our_weights - weights)
    # Both round every edge to 2^-24 of the largest weight; the normalization itself may round differently.
    allowed = 1e-6 * (1 + np.abs(weights))
    differing = (ours != predicted).any(axis=1)
    mistakes = [int((p != flips).any(axis=1).sum()) for p in (ours, predicted)]
    return int((error > allowed).sum()), float(error.max()), int(differing.sum()), mistakes


def compare_correlated(program, model, n_shots, seed, folder):
    """Predictions of both two-pass decoders: they may part where the first pass has several optimal matchings. The refined
    rule has no peer: mistakes only."""
    events, flips, _ = model.compile_sampler(seed=seed).sample(n_shots, bit_packed=True)
    matching = pymatching.Matching.from_detector_error_model(model, enable_correlations=True)
    predicted = matching.decode_batch(
        events, bit_packed_shots=True, bit_packed_predictions=True, enable_correlations=True)
    (folder / "model.dem").write_text(str(model))
    (folder / "events.b8").write_bytes(events.tobytes())
    def ours(flag):
        subprocess.run([program, "predict", "--dem", folder / "model.dem", "--in", folder / "events.b8", "--out",
                        folder / "predictions.b8", "--out_format", "b8", flag], check=True)
        return np.fromfile(folder / "predictions.b8", dtype=np.uint8).reshape(n_shots, -1)

    two_pass = ours("--enable_correlations")
    mistakes = [int((p != flips).any(axis=1).sum()) for p in (two_pass, predicted, ours("--refine_correlations"))]
    return int((two_pass != predicted).any(axis=1).sum()), mistakes


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=pathlib.Path, nargs="?", default=os.environ.get("SPINEL_PROGRAM"))
    parser.add_argument("--shots", type=int, default=20000, help="over all models together, about")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    if arguments.program is None:
        parser.error("name the spinel program or set SPINEL_PROGRAM")
    random = np.random.default_rng(arguments.seed)
    chosen = [m for m in models(random) if arguments.only in m[0]]
    total_share = sum(share for _, _, share in chosen)
    failures, total, total_mistakes = 0, 0, np.zeros(2, dtype=int)
    with tempfile.TemporaryDirectory() as name:
        for label, model, share in chosen:
            n_shots = max(20, int(arguments.shots * share / total_share))
            wrong, largest, differing, mistakes = compare(
                arguments.program, model, n_shots, arguments.seed, pathlib.Path(name))
            failures += wrong
            if differing > 5 + 0.05 * n_shots and "likely" not in label:
                print(f"{label}: {differing} of {n_shots} predictions differ")
                failures += 1
            total += n_shots
            total_mistakes += mistakes
            print(f"{label}: {n_shots} shots, {wrong} weights differ (largest difference {largest:.2g} nats), "
                  f"{differing} predictions differ, mistakes {mistakes[0]} / {mistakes[1]}", flush=True)
        for distance in (3, 5) if not arguments.only else ():
            n_shots = arguments.shots // 10
            differing, mistakes = compare_correlated(
                arguments.program, surface(distance, distance, 0.006), n_shots, arguments.seed, pathlib.Path(name))
            failures += differing > 2 + 0.002 * n_shots
            failures += mistakes[2] > mistakes[1] + 3 * mistakes[1] ** 0.5
            print(f"correlated d={distance}: {n_shots} shots, {differing} predictions differ, "
                  f"mistakes {mistakes[0]} / {mistakes[1]}, refined {mistakes[2]}")
    print(f"{total} shots, {failures} failures, mistakes {total_mistakes[0]} / {total_mistakes[1]}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
