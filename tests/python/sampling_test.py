# SPDX-License-Identifier: Apache-2.0
"""`spinel sample` beside Stim's sampler of the same model: rates of every detector, of pairs of detectors that share an error
mechanism, and of the observables, each within 5 standard deviations.

Usage: sampling_test.py [SPINEL_PROGRAM] [--shots N] [--seed S] [--only TEXT]; without the program: $SPINEL_PROGRAM.
By hand: --shots 1000000. Where a rate follows from the model (products over mechanisms), ours is compared with that as well,
which is the sharper test.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import stim

from matching_test import surface


def repetition():
    return stim.Circuit.generated(
        "repetition_code:memory", distance=9, rounds=20, after_clifford_depolarization=0.01,
        before_measure_flip_probability=0.03).detector_error_model(decompose_errors=True)


def wild(random):
    """Every kind of probability and number of targets, detectors that meet twice, several observables."""
    lines = []
    for _ in range(300):
        p = random.choice([random.uniform(0, 1e-3), random.uniform(0, 0.05), random.uniform(0, 1), 0.5, 1, 0],
                          p=[0.5, 0.4, 0.04, 0.02, 0.02, 0.02])
        parts = []
        for _ in range(random.integers(1, 4)):
            targets = [f"D{d}" for d in random.integers(0, 100, size=random.integers(0, 5))]
            targets += [f"L{k}" for k in random.integers(0, 5, size=random.integers(0, 2))]
            if targets:
                parts.append(" ".join(targets))
        lines.append(f"error({p:.17g}) " + " ^ ".join(parts))
    return stim.DetectorErrorModel("\n".join(lines) + "\ndetector D99\nlogical_observable L4")


def models(random):
    yield "surface d=3 p=0.006", surface(3, 3, 0.006)
    yield "surface d=5 p=0.001", surface(5, 5, 0.001, "z")
    yield "surface d=5 p=0.03", surface(5, 5, 0.03)
    yield "surface d=7 rounds=4 p=0.006", surface(7, 4, 0.006)
    yield "repetition", repetition()
    yield "wild", wild(random)


def mechanisms(model):
    for instruction in model.flattened():
        if instruction.type == "error":
            flips = set()
            for target in instruction.targets_copy():
                if not target.is_separator():
                    flips ^= {target.val + (model.num_detectors if target.is_logical_observable_id() else 0)}
            yield instruction.args_copy()[0], sorted(flips)


def expectations(model, pairs):
    """Exact rates of bits and of products of two bits, from signs: E[(-1)^a], E[(-1)^b], E[(-1)^(a+b)]."""
    n = model.num_detectors + model.num_observables
    sign = np.ones(n)
    pair_sign = dict.fromkeys(pairs, 1.0)
    by_bit = [[] for _ in range(n)]
    for p, flips in mechanisms(model):
        for k in flips:
            sign[k] *= 1 - 2 * p
            by_bit[k].append((p, frozenset(flips)))
    for a, b in pairs:
        for k, other in ((a, b), (b, a)):
            for p, flips in by_bit[k]:
                if other not in flips:
                    pair_sign[a, b] *= 1 - 2 * p
    single = (1 - sign) / 2
    both = np.array([(1 - sign[a] - sign[b] + pair_sign[a, b]) / 4 for a, b in pairs])
    return single, both


def rates(bits, pairs):
    a, b = (np.array([p[k] for p in pairs]) for k in (0, 1))
    columns = np.ascontiguousarray(bits.T)
    both = np.array([np.count_nonzero(columns[i] & columns[j]) for i, j in zip(a, b)])
    return columns.sum(axis=1), both


def worst_sigma(count, n, p):
    deviation = np.sqrt(n * p * (1 - p))
    sigma = np.where(deviation > 0, np.abs(count - n * p) / np.where(deviation > 0, deviation, 1),
                     np.where(np.abs(count - n * p) < 1e-6 * n, 0, np.inf))
    usual = (n * p > 10) & (n * (1 - p) > 10) | (deviation == 0)  # a bell needs some counts
    rare = ~usual & (count > n * p + 5 * deviation + 15)
    return float(max(sigma[usual].max(initial=0), np.inf if rare.any() else 0))


def worst_difference(ours, theirs, n):
    pooled = (ours + theirs) / (2 * n)
    deviation = np.sqrt(2 * n * pooled * (1 - pooled))
    usual = np.minimum(pooled, 1 - pooled) * n > 10
    return float((np.abs(ours - theirs)[usual] / deviation[usual]).max(initial=0))


def draw(program, folder, model, n_shots, seed, flags=None):
    (folder / "model.dem").write_text(str(model))
    subprocess.run([program, "sample", *(flags or ["--dem", folder / "model.dem"]), "--shots", str(n_shots), "--seed", str(seed),
                    "--out", folder / "events.b8", "--out_format", "b8",
                    "--obs_out", folder / "flips.b8", "--obs_out_format", "b8"], check=True)
    read = lambda name, n: np.unpackbits(
        np.fromfile(folder / name, dtype=np.uint8).reshape(n_shots, -1), axis=1, bitorder="little")[:, :n].astype(bool)
    return np.concatenate([read("events.b8", model.num_detectors), read("flips.b8", model.num_observables)], axis=1)


def experiment(program, folder, random):
    """Flags of a memory experiment with custom noise, and its circuit, whose channels exclude each other's Paulis: a model of
    independent errors with the same probabilities is off by products of them, many sigma of a million shots."""
    names = ["p_prep_X", "p_prep_Z", "p_meas_X", "p_meas_Z"]
    names += [f"p_idle_{kind}_{pauli}" for kind in ("cnot", "spam") for pauli in "XYZ"]
    names += ["p_cnot_" + a + b for a in "IXYZ" for b in "IXYZ" if a + b != "II"]
    (folder / "noise.json").write_text(json.dumps({n: 2e-3 * np.exp(random.uniform(-1.2, 1.2)) for n in names}))
    flags = ["--distance", str(random.choice([3, 5])), "--rounds", str(random.integers(2, 7)), "--basis", random.choice(["X", "Z"]),
             "--orientation", random.choice(["O1", "O2", "O3", "O4"]), "--noise", folder / "noise.json"]
    return flags, stim.Circuit(subprocess.run([program, "circuit", *flags], check=True, capture_output=True, text=True).stdout)


def compare(program, folder, label, model, n_shots, seed, flags=None, circuit=None):
    pairs = sorted({(a, b) for _, flips in mechanisms(model) for i, a in enumerate(flips) for b in flips[i + 1:]})
    if circuit is None:
        single, both = expectations(model, pairs)
    # Stim's memory of unpacked shots is the largest here: chunks.
    ours, theirs = [0, 0], [0, 0]
    stim_sampler = model.compile_sampler(seed=seed) if circuit is None else circuit.compile_detector_sampler(seed=seed)
    sample = lambda n: stim_sampler.sample(n)[:2] if circuit is None else stim_sampler.sample(n, separate_observables=True)
    chunk = 100000
    for begin in range(0, n_shots, chunk):
        n = min(chunk, n_shots - begin)
        for total, bits in ((ours, draw(program, folder, model, n, seed * 1000003 + begin, flags)),
                            (theirs, np.concatenate(sample(n), axis=1))):
            counts, pair_counts = rates(bits, pairs)
            total[0] = total[0] + counts
            total[1] = total[1] + pair_counts
    sigmas = {} if circuit is not None else {
        "rates": worst_sigma(ours[0], n_shots, single), "pairs": worst_sigma(ours[1], n_shots, both)}
    sigmas |= {
        "rates, Stim": worst_difference(ours[0], theirs[0], n_shots),
        "pairs, Stim": worst_difference(ours[1], theirs[1], n_shots),
    }
    good = all(s < 5 for s in sigmas.values())
    print(f"{label}: {n_shots} shots, {len(ours[0])} rates, {len(pairs)} pairs, largest deviations in sigma: "
          + ", ".join(f"{k} {v:.2f}" for k, v in sigmas.items()) + ("" if good else "  FAILED"), flush=True)
    return good


def reproducible(program, folder):
    """Same seed, same shots; a longer run begins with the shorter one; formats and both sources say the same."""
    model = surface(3, 3, 0.01)
    (folder / "model.dem").write_text(str(model))
    sample = lambda *flags: subprocess.run([program, "sample", *flags], check=True, capture_output=True).stdout
    dem = ("--dem", folder / "model.dem", "--seed", "7")
    short, long = (sample(*dem, "--shots", str(n), "--out_format", "b8") for n in (1000, 3008))
    other = sample("--dem", folder / "model.dem", "--seed", "8", "--shots", "1000", "--out_format", "b8")
    good = long[:len(short)] == short and len(long) == 3008 * 3 and other != short
    bits = np.unpackbits(np.frombuffer(long, dtype=np.uint8).reshape(3008, -1), axis=1,
                         bitorder="little")[:, :model.num_detectors].astype(bool)
    for name in ("01", "b8", "r8", "hits", "dets", "ptb64"):
        (folder / "shots").write_bytes(sample(*dem, "--shots", "3008", "--out_format", name, "--append_observables"))
        table = stim.read_shot_data_file(path=folder / "shots", format=name, num_detectors=model.num_detectors,
                                         num_observables=model.num_observables)
        good = good and table.shape[0] == 3008 and (table[:, :model.num_detectors] == bits).all()
    experiment = ("--distance", "5", "--rounds", "5", "--basis", "X", "--p", "0.004", "--seed", "3", "--shots", "2000")
    (folder / "model.dem").write_bytes(subprocess.run(
        [program, "dem", "--distance", "5", "--rounds", "5", "--basis", "X", "--p", "0.004"], check=True,
        capture_output=True).stdout)
    same_number = len(sample(*experiment)) == len(sample("--dem", folder / "model.dem", "--seed", "3", "--shots", "2000"))
    for bad in (("--shots", "5"), ("--dem", "/no/such/file", "--shots", "5"), (*dem, "--shots", "5", "--out_format", "b9"),
                (*dem, "--shots", "5", "--out_format", "ptb64"), (*dem, "--shots", "5", "--distance", "3")):
        done = subprocess.run([program, "sample", *bad], capture_output=True)
        good = good and done.returncode == 1 and done.stderr.startswith(b"spinel: ")
    print("reproducible:", "yes" if good and same_number else "NO  FAILED")
    return good and same_number


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=pathlib.Path, nargs="?", default=os.environ.get("SPINEL_PROGRAM"))
    parser.add_argument("--shots", type=int, default=100000, help="of each model")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    if arguments.program is None:
        parser.error("name the spinel program or set SPINEL_PROGRAM")
    random = np.random.default_rng(arguments.seed)
    good = True
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for label, model in models(random):
            if arguments.only in label:
                good = compare(arguments.program, folder, label, model, arguments.shots, arguments.seed) and good
        for trial in range(3):
            if arguments.only in "circuit":
                flags, circuit = experiment(arguments.program, folder, random)
                good = compare(arguments.program, folder, f"circuit {' '.join(map(str, flags[:8]))}",
                               circuit.detector_error_model(approximate_disjoint_errors=True), arguments.shots, arguments.seed,
                               flags, circuit) and good
        good = reproducible(arguments.program, folder) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
