# SPDX-License-Identifier: Apache-2.0
"""The program's compile-time matching engine: which models it recognizes, and that its answers are exact.

Usage: lattice_engine_test.py [SPINEL_PROGRAM] [--shots N] [--seed S]; without the program: $SPINEL_PROGRAM.

Every total weight must equal that of the general engine to the last printed digit and PyMatching's up to its own rounding.
Models that are nearly a memory experiment (one edge too few, one round unlike the others) must be left to the general engine.
"""

import argparse
import itertools
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pymatching
import stim

FLAGS = ("after_clifford_depolarization", "before_round_data_depolarization", "before_measure_flip_probability",
         "after_reset_flip_probability")


def stim_model(distance, rounds, basis, **noise):
    circuit = stim.Circuit.generated(f"surface_code:rotated_memory_{basis}", distance=distance, rounds=rounds, **noise)
    return circuit.detector_error_model(decompose_errors=True)


def own_model(program, distance, rounds, basis, orientation, p):
    text = subprocess.run([program, "dem", "--distance", str(distance), "--rounds", str(rounds), "--basis", basis,
                           "--orientation", orientation, "--p", str(p)], check=True, capture_output=True, text=True)
    return stim.DetectorErrorModel(text.stdout)


def with_one_noisy_round(model, round_index):
    places = model.get_detector_coordinates()
    lines = []
    for line in model.flattened():
        if line.type == "error":
            targets = line.targets_copy()
            is_there = any(t.is_relative_detector_id() and places[t.val][2] == round_index for t in targets)
            text = " ".join("^" if t.is_separator() else str(t) for t in targets)
            line = f"error({line.args_copy()[0] * (1.5 if is_there else 1):.12g}) {text}"
        lines.append(str(line))
    return stim.DetectorErrorModel("\n".join(lines))


def by_qubit(circuit, random, spread, drawn=None):
    """The circuit with a noise rate of its own for every qubit or pair of qubits and kind of noise, the same in every round."""
    drawn = {} if drawn is None else drawn
    made = stim.Circuit()
    for line in circuit:
        if isinstance(line, stim.CircuitRepeatBlock):
            made.append(stim.CircuitRepeatBlock(line.repeat_count, by_qubit(line.body_copy(), random, spread, drawn)))
        elif line.name in ("DEPOLARIZE1", "DEPOLARIZE2", "X_ERROR", "Z_ERROR"):
            for group in line.target_groups():
                key = (line.name, tuple(t.value for t in group))
                if key not in drawn:
                    drawn[key] = np.exp(random.uniform(-np.log(spread), np.log(spread)))
                made.append(line.name, group, line.gate_args_copy()[0] * drawn[key])
        else:
            made.append(line)
    return made


def without_one_edge(model):
    lines = [str(line) for line in model.flattened()]
    at = [k for k, line in enumerate(lines) if line.startswith("error") and line.count("D") == 2]
    del lines[at[len(at) // 2]]
    return stim.DetectorErrorModel("\n".join(lines))


def models(program, random):
    """Label, model, whether the lattice engine takes it."""
    for n, chosen in enumerate(itertools.product((0, 1), repeat=4)):
        if any(chosen):
            noise = {flag: p for flag, p, wanted in zip(FLAGS, (0.004, 0.008, 0.01, 0.006), chosen) if wanted}
            label = f"stim d=5 rounds=6 noise {''.join(map(str, chosen))}"
            yield label, stim_model(5, 6, "xz"[n % 2], **noise), True
    full = dict(zip(FLAGS, (0.004, 0.003, 0.006, 0.002)))
    for distance, rounds in ((3, 2), (3, 3), (3, 41), (5, 5), (7, 3), (7, 7), (9, 9), (11, 4), (13, 13)):
        yield f"stim d={distance} rounds={rounds}", stim_model(distance, rounds, "xz"[rounds % 2], **full), True
    for basis, orientation, distance, rounds in (("X", "XV", 5, 5), ("Z", "XH", 3, 7), ("X", "ZV", 7, 4), ("Z", "ZH", 5, 9)):
        yield (f"own {orientation} {basis} d={distance} rounds={rounds}",
               own_model(program, distance, rounds, basis, orientation, 0.005), True)
    for distance, spread in ((5, 2), (5, 5.5), (9, 3)):
        circuit = stim.Circuit.generated("surface_code:rotated_memory_x", distance=distance, rounds=8, **full)
        yield (f"d={distance}, rates by qubit up to {spread}x up and down",
               by_qubit(circuit, random, spread).detector_error_model(decompose_errors=True), True)
    plain = stim_model(5, 9, "x", **full)
    yield "one round noisier", with_one_noisy_round(plain, 4), False
    yield "one edge missing", without_one_edge(plain), False
    yield "repetition code", stim.Circuit.generated(
        "repetition_code:memory", distance=9, rounds=4, after_clifford_depolarization=0.01,
    ).detector_error_model(decompose_errors=True), False


def run(program, folder, engine, *flags):
    done = subprocess.run(
        [program, "predict", "--dem", folder / "model.dem", "--in", folder / "events.b8", "--out", folder / "predictions",
         "--weights_out", folder / "weights", "--engine", engine, *flags], capture_output=True, text=True)
    if done.returncode != 0:
        return None, done.stderr
    return (folder / "weights").read_text().split(), done.stderr


def check(program, label, model, expected, n_shots, seed, folder):
    events, _, _ = model.compile_sampler(seed=seed).sample(n_shots, bit_packed=True)
    (folder / "model.dem").write_text(str(model))
    (folder / "events.b8").write_bytes(events.tobytes())
    auto, said = run(program, folder, "auto")
    general, _ = run(program, folder, "general")
    forced, refused = run(program, folder, "lattice")
    recognized = said.startswith("engine: lattice (")
    failures = []
    if not recognized and not said.startswith("engine: general ("):
        failures.append(f"no word about the engine: {said!r}")
    if expected is not None and recognized != expected:
        failures.append(f"said {said!r}")
    if (forced is not None) != recognized or (not recognized and "--engine lattice" not in refused):
        failures.append(f"--engine lattice does not agree with auto: {refused!r}")
    if auto != general:
        failures.append(f"{sum(a != b for a, b in zip(auto, general))} weights differ from the general engine's")
    _, peer = pymatching.Matching.from_detector_error_model(model).decode_batch(
        events, bit_packed_shots=True, return_weights=True)
    error = np.abs(np.array(auto, dtype=float) - peer)
    if (error > 1e-6 * (1 + np.abs(peer))).any():
        failures.append(f"weights differ from PyMatching's by up to {error.max():.3g}")
    print(f"{label}: {n_shots} shots, {said.strip()}", *failures, sep="\n  FAILED: " if failures else "\n", flush=True)
    return len(failures), recognized


def check_correlated(program, distance, rounds, p, n_shots, seed, folder):
    """Predictions of the two-pass engines: they and their gaps may part where the first pass has several optimal matchings."""
    model = stim_model(distance, rounds, "zx"[seed % 2], **{flag: p for flag in FLAGS})
    events, flips, _ = model.compile_sampler(seed=seed).sample(n_shots, bit_packed=True)
    (folder / "model.dem").write_text(str(model))
    (folder / "events.b8").write_bytes(events.tobytes())
    predicted, gaps = {}, {}
    for engine in ("auto", "general"):
        weights, said = run(program, folder, engine, "--enable_correlations", "--gap_out", folder / "gaps")
        if weights is None or not said.startswith(f"engine: {'lattice' if engine == 'auto' else engine}, correlated ("):
            print(f"FAILED: correlated d={distance}: said {said!r}")
            return 1
        predicted[engine] = np.loadtxt(folder / "predictions", dtype=np.uint8, ndmin=1)
        gaps[engine] = np.loadtxt(folder / "gaps", ndmin=1)
    peer = pymatching.Matching.from_detector_error_model(model, enable_correlations=True)
    predicted["PyMatching"] = peer.decode_batch(events, bit_packed_shots=True, enable_correlations=True)[:, 0]
    wrong = {name: int((one != (flips[:, 0] & 1)).sum()) for name, one in predicted.items()}
    differing = {name: int((one != predicted["auto"]).sum()) for name, one in predicted.items()}
    other_gaps = int((np.abs(gaps["auto"] - gaps["general"]) > 1e-6 * (1 + np.abs(gaps["general"]))).sum())
    print(f"correlated d={distance} rounds={rounds}: {n_shots} shots, mistakes {wrong}, other predictions {differing}, other gaps {other_gaps}",
          flush=True)
    return sum(n > 3 + 0.004 * n_shots for n in differing.values()) + (other_gaps > 3 + 0.05 * n_shots)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", nargs="?", default=os.environ.get("SPINEL_PROGRAM"))
    parser.add_argument("--shots", type=int, default=300, help="of every model")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.program is None:
        parser.error("name the spinel program or set SPINEL_PROGRAM")
    random = np.random.default_rng(arguments.seed)
    failures = n_recognized = 0
    with tempfile.TemporaryDirectory() as name:
        for label, model, expected in models(arguments.program, random):
            failed, recognized = check(arguments.program, label, model, expected, arguments.shots, arguments.seed,
                                       pathlib.Path(name))
            failures += failed
            n_recognized += recognized
        for distance, rounds, p in ((3, 5, 0.006), (5, 5, 0.006), (7, 9, 0.003)):
            failures += check_correlated(arguments.program, distance, rounds, p, 5 * arguments.shots, arguments.seed,
                                         pathlib.Path(name))
    print(f"{n_recognized} models recognized, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
