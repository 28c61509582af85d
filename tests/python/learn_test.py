# SPDX-License-Identifier: Apache-2.0
"""Priors learned from shots of a noise that the program does not know, judged by what decoding with them costs.

Usage: learn_test.py [SPINEL_PROGRAM] [--shots N] [--decoded N] [--distance D] [--p P] [--guessed_p P]
       [--spread S] [--seed N]; else $SPINEL_PROGRAM.

A Stim circuit gets its own strength for every operation (log-normal, about a factor of `spread`), `spinel learn` sees the
model of the even noise and shots of the uneven one. Decoding fresh shots with the learned probabilities may make at most
5 % more mistakes than with the true ones (and half as many more again as chance allows); the even model's mistakes are
printed beside them. The learned probabilities must lie within their error bars as often as such bars promise.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import stim

NOISE = {"DEPOLARIZE1", "DEPOLARIZE2", "X_ERROR", "Z_ERROR", "Y_ERROR"}


def even(distance, p):
    return stim.Circuit.generated(
        "surface_code:rotated_memory_x", distance=distance, rounds=distance,
        after_clifford_depolarization=p, before_measure_flip_probability=p,
        after_reset_flip_probability=p, before_round_data_depolarization=p).flattened()


def uneven(circuit, spread, random):
    """The same operations fail as strongly in every round."""
    strengths, made = {}, stim.Circuit()
    for instruction in circuit:
        if instruction.name not in NOISE:
            made.append(instruction)
            continue
        for group in instruction.target_groups():
            qubits = tuple(target.value for target in group)
            key = (instruction.name, qubits)
            if key not in strengths:
                strengths[key] = np.exp(np.log(spread) * random.standard_normal())
            made.append(instruction.name, qubits, min(0.2, instruction.gate_args_copy()[0] * strengths[key]))
    return made


def detector_sets(model):
    """Of every mechanism the detectors that it flips, and its probability."""
    found = []
    for instruction in model.flattened():
        if instruction.type != "error":
            continue
        flipped = set()
        for target in instruction.targets_copy():
            if target.is_relative_detector_id():
                flipped ^= {target.val}
        found.append((frozenset(flipped), instruction.args_copy()[0]))
    return found


def by_detectors(model):
    """Probability that an odd number of the mechanisms with the same detectors happens."""
    merged = {}
    for flipped, p in detector_sets(model):
        q = merged.get(flipped, 0.0)
        merged[flipped] = p * (1 - q) + q * (1 - p)
    return merged


def mistakes(program, dem, shots, *flags):
    return int(subprocess.run(
        [program, "count_mistakes", "--dem", dem, "--in", shots, "--in_includes_appended_observables", *flags],
        check=True, capture_output=True, text=True).stdout.split("/")[0])


def refuses(program, folder, dem, events, expected):
    (folder / "bad.dem").write_text(dem)
    (folder / "bad.01").write_text(events)
    done = subprocess.run([program, "learn", "--dem", folder / "bad.dem", "--in", folder / "bad.01", "--in_format", "01"],
                          capture_output=True, text=True)
    if done.returncode != 1 or expected not in done.stderr:
        print(f"expected an error with '{expected}', got {done.returncode}: {done.stderr}")
        return 1
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=pathlib.Path, nargs="?", default=os.environ.get("SPINEL_PROGRAM"))
    parser.add_argument("--shots", type=int, default=200_000)
    parser.add_argument("--decoded", type=int, default=100_000)
    parser.add_argument("--distance", type=int, default=3)
    parser.add_argument("--p", type=float, default=0.005)
    parser.add_argument("--guessed_p", type=float, help="strength of the even noise that the program is told, else p")
    parser.add_argument("--spread", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.program is None:
        parser.error("name the spinel program or set SPINEL_PROGRAM")
    random = np.random.default_rng(arguments.seed)
    guess_circuit = even(arguments.distance, arguments.guessed_p or arguments.p)
    true_circuit = uneven(even(arguments.distance, arguments.p), arguments.spread, random)
    guess = guess_circuit.detector_error_model(decompose_errors=True)
    truth = true_circuit.detector_error_model(decompose_errors=True)
    failures = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "guess.dem").write_text(str(guess))
        (folder / "true.dem").write_text(str(truth))
        sampler = true_circuit.compile_detector_sampler(seed=arguments.seed)
        sampler.sample_write(arguments.shots, filepath=str(folder / "seen.b8"), format="b8")
        sampler.sample_write(arguments.decoded, filepath=str(folder / "fresh.b8"), format="b8", append_observables=True)
        subprocess.run([arguments.program, "learn", "--dem", folder / "guess.dem", "--in", folder / "seen.b8",
                        "--out", folder / "learned.dem", "--errors_out", folder / "errors.txt"], check=True)
        learned = stim.DetectorErrorModel((folder / "learned.dem").read_text())
        assert [s for s, _ in detector_sets(learned)] == [s for s, _ in detector_sets(guess)]
        estimates = np.loadtxt(folder / "errors.txt", ndmin=2)
        true_p, learned_p, errors = by_detectors(truth), by_detectors(learned), {}
        for (flipped, _), (_, error) in zip(detector_sets(guess), estimates):
            errors[flipped] = errors.get(flipped, 0.0) + error
        well_known = [s for s in true_p if errors[s] < 0.2 * learned_p[s]]
        pulls = np.array([(learned_p[s] - true_p[s]) / errors[s] for s in well_known])
        spread = np.sqrt((pulls**2).mean())
        print(f"{len(true_p)} sets of detectors, {len(well_known)} known to 20 %: their root mean square deviation is "
              f"{spread:.2f} error bars")
        if not 0.8 < spread < 1.25:
            print("the error bars are wrong")
            failures += 1
        for label, flags in (("plain", ()), ("correlated", ("--enable_correlations",))):
            found = {model: mistakes(arguments.program, folder / f"{model}.dem", folder / "fresh.b8", *flags)
                     for model in ("true", "learned", "guess")}
            allowed = 1.05 * found["true"] + 2 * np.sqrt(0.1 * found["true"])  # differing shots are few: 10 % at most
            print(f"{label}: mistakes of {arguments.decoded} with the true priors {found['true']}, learned {found['learned']} "
                  f"({found['learned'] / max(1, found['true']):.3f}), even noise {found['guess']} "
                  f"({found['guess'] / max(1, found['true']):.3f})")
            failures += found["learned"] > allowed
        failures += refuses(arguments.program, folder, "error(0.1) D0\n", "", "no shots")
        failures += refuses(arguments.program, folder, "error(0.6) D0\n", "1\n0\n", "expected below 1/2")
        failures += refuses(arguments.program, folder, "error(0.1) D0\n", "1\n1\n", "D0 fired in 2 of 2")
        failures += refuses(arguments.program, folder, "error(0.1) D0 D1 D2 D3 D4 D5 D6\n", "0000000\n", "expected at most 6")
        failures += refuses(arguments.program, folder, "error(0.1) D0\n", "11\n", "")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
