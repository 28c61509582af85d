# SPDX-License-Identifier: Apache-2.0
"""The exactness campaign: total weights against PyMatching's over many kinds of graphs and noise, and adversarial shots.

Usage: exactness_test.py [SPINEL_PROGRAM] [--shots N] [--seed S] [--only TEXT] [--engine NAME]
                         [--time MATCH_BENCH] [--markdown FILE]

Short by default (ctest); by hand with --shots 1000000 or more. A weight above PyMatching's is a failure, and so is one
below. Where PyMatching finds no matching (which sampled shots never lack), the shot would be a failure of this script.
With --time and the program match_bench (of the general engine) adversarial shots may also take no more than three times
PyMatching's time (processor time, medians of five runs that take turns); without, their times are not looked at.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import pymatching
import stim

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from matching_test import random_planar, repetition, surface, toric  # noqa: E402


def changed(model, change):
    """The model with every mechanism's probability replaced by change(probability, detectors), dropped at 0."""
    lines = []
    for instruction in model.flattened():
        if instruction.type != "error":
            lines.append(str(instruction))
            continue
        targets = instruction.targets_copy()
        p = change(instruction.args_copy()[0], [t.val for t in targets if t.is_relative_detector_id()])
        if p > 0:
            text = " ".join("^" if t.is_separator() else str(t) for t in targets)
            lines.append(f"error({min(p, 0.45):.9g}) {text}")
    return stim.DetectorErrorModel("\n".join(lines))


def uneven(model, random, factor=30):
    """Probabilities spread by `factor` between the least and the most likely."""
    return changed(model, lambda p, _: p * factor ** random.uniform(-0.5, 0.5))


def without_edges(model, random, share=0.1):
    return changed(model, lambda p, _: 0 if random.uniform() < share else p)


def with_dead_detectors(model, random, share=0.05):
    dead = random.uniform(size=model.num_detectors) < share
    return changed(model, lambda p, detectors: 0 if any(dead[d] for d in detectors) else p)


def random_cube(n, p, random):
    """Points in a cube joined to their near neighbors, those at two opposite faces to the boundary."""
    points = random.uniform(size=(n, 3))
    reach = 1.45 / np.cbrt(n)
    lines = []
    for i in range(n):
        near = np.flatnonzero(np.linalg.norm(points[:i] - points[i], axis=1) < reach)
        for j in near:
            crossing = " L0" if (points[i][0] < 0.5) != (points[j][0] < 0.5) else ""
            lines.append(f"error({p * random.uniform(0.03, 3):.6f}) D{j} D{i}{crossing}")
        if not reach / 2 < points[i][0] < 1 - reach / 2:
            lines.append(f"error({p * random.uniform(0.3, 3):.6f}) D{i}")
    lines.append(f"detector D{n - 1}")
    return stim.DetectorErrorModel("\n".join(lines))


def cases(random):
    """Label, a function that makes the model, and how many times more shots than the largest it gets."""
    for distance in (3, 5, 7, 9, 11, 13, 17, 21, 31):
        for p in (0.0005, 0.001, 0.003, 0.006, 0.012):
            basis = "zx"[distance // 2 % 2]
            yield f"surface d={distance} p={p}", lambda d=distance, p=p, b=basis: surface(d, d, p, b), (21 / distance) ** 3
    for distance in (3, 5, 9, 13):
        for label, change in (("30 x uneven", uneven), ("tenth of the edges deleted", without_edges),
                              ("dead detectors", with_dead_detectors)):
            yield (f"surface d={distance} p=0.004, {label}",
                   lambda d=distance, c=change: c(surface(d, d, 0.004, "x"), random), (21 / distance) ** 3)
    yield "surface d=5 rounds=200", lambda: surface(5, 200, 0.004), 4
    yield "surface d=9 rounds=100, 30 x uneven", lambda: uneven(surface(9, 100, 0.003), random), 2
    yield "repetition d=25", lambda: repetition(25, 25, 0.02), 20
    yield "repetition d=301, 30 x uneven", lambda: uneven(repetition(301, 3, 0.03), random), 20
    yield "toric 16", lambda: toric(16, 1, 0.05, random), 100
    yield "toric 8x8x8", lambda: toric(8, 8, 0.02, random), 20
    yield "planar 300", lambda: random_planar(300, 0.05, random), 60
    yield "planar 2000", lambda: random_planar(2000, 0.02, random), 5
    yield "cube 500", lambda: random_cube(500, 0.02, random), 20
    yield "cube 3000", lambda: random_cube(3000, 0.005, random), 5


def adversarial(distance, random):
    """Shots of a surface code that no noise makes: packed events by name."""
    model = surface(distance, distance, 0.003)
    coordinates = model.get_detector_coordinates()
    n = model.num_detectors
    where = np.array([coordinates[k] for k in range(n)])
    shots = {"all detectors": np.ones((1, n), dtype=bool)}
    shots["random half"] = random.uniform(size=(8, n)) < 0.5
    rounds = sorted(set(where[:, 2]))
    shots["one round"] = np.array([where[:, 2] == rounds[len(rounds) // 2]])
    shots["one line"] = np.array([where[:, 0] == value for value in sorted(set(where[:, 0]))[:6]])
    shots["one column in time"] = np.array([(where[:, 0] == x) & (where[:, 1] == y) for x, y in list({(a, b) for a, b, *_ in where})[:6]])
    return model, {name: np.packbits(fired, axis=1, bitorder="little") for name, fired in shots.items()}


class Comparison:
    def __init__(self, program, engine, folder):
        self.program, self.engine, self.folder = program, engine, folder

    def use(self, model):
        (self.folder / "model.dem").write_text(str(model))
        self.matching = pymatching.Matching.from_detector_error_model(model)

    def predict(self, *flags):
        return subprocess.run([self.program, "predict", "--dem", self.folder / "model.dem", "--in", self.folder / "events.b8",
                               "--out", self.folder / "predictions.b8", "--out_format", "b8", "--engine", self.engine, *flags],
                              check=True, capture_output=True, text=True).stderr

    def weights(self, events):
        """How many weights are not PyMatching's, and the largest difference."""
        events.tofile(self.folder / "events.b8")
        _, theirs = self.matching.decode_batch(
            events, bit_packed_shots=True, bit_packed_predictions=True, return_weights=True)
        self.predict("--weights_out", self.folder / "weights.txt")
        error = np.abs(np.loadtxt(self.folder / "weights.txt", ndmin=1) - theirs)
        # Both round every edge to 2^-24 of the largest weight; the normalization itself may round differently.
        return int((error > 1e-6 * (1 + np.abs(theirs))).sum()), float(error.max())

    def times(self, events, bench, repetitions=5):
        """Medians in us/shot: ours, PyMatching's."""
        events.tofile(self.folder / "events.b8")
        ours, theirs = [], []
        for _ in range(repetitions):
            start = time.process_time()
            self.matching.decode_batch(events, bit_packed_shots=True, bit_packed_predictions=True)
            theirs.append((time.process_time() - start) / len(events) * 1e6)
            text = subprocess.run([bench, self.folder / "model.dem", self.folder / "events.b8", "1"],
                                  check=True, capture_output=True, text=True).stdout
            ours.append(float(text.split()[1]))
        return statistics.median(ours), statistics.median(theirs)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=pathlib.Path, nargs="?", default=os.environ.get("SPINEL_PROGRAM"))
    parser.add_argument("--shots", type=int, default=6000, help="over all models together, about")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--time", type=pathlib.Path, metavar="MATCH_BENCH",
                        help="also hold adversarial shots to 3 times PyMatching's time")
    parser.add_argument("--markdown", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.program is None:
        parser.error("name the spinel program or set SPINEL_PROGRAM")
    random = np.random.default_rng(arguments.seed)
    chosen = [case for case in cases(random) if arguments.only in case[0]]
    largest = arguments.shots < 50_000  # the large ones only by hand: their set-up is most of the time
    if largest:
        chosen = [c for c in chosen if not any(t in c[0] for t in ("d=17", "d=21", "d=31", "d=11", "d=13", "rounds=", "2000", "3000"))]
    share = sum(more for _, _, more in chosen)
    failures, total, lines = 0, 0, ["| model | shots | weights that differ | largest difference, nats |", "|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as name:
        comparison = Comparison(arguments.program, arguments.engine, pathlib.Path(name))
        for label, make, more in chosen:
            model = make()
            comparison.use(model)
            left = max(10, int(arguments.shots * more / share))
            wrong, worst, done, sampler = 0, 0.0, 0, model.compile_sampler(seed=arguments.seed)
            while done < left:
                events, _, _ = sampler.sample(min(left - done, 100_000), bit_packed=True)
                found, difference = comparison.weights(events)
                wrong, worst, done = wrong + found, max(worst, difference), done + len(events)
            failures, total = failures + wrong, total + done
            lines.append(f"| {label} | {done} | {wrong} | {worst:.2g} |")
            print(lines[-1], flush=True)
        lines += ["", "| adversarial shots | weights that differ | Spinel us/shot | PyMatching us/shot | ratio |", "|---|---|---|---|---|"]
        for distance in (5, 9) if largest else (5, 9, 13):
            model, shots = adversarial(distance, random)
            comparison.use(model)
            for label, events in shots.items():
                if arguments.only not in label:
                    continue
                wrong, _ = comparison.weights(events)
                failures, total, text = failures + wrong, total + len(events), "- | - | -"
                if arguments.time:
                    ours, theirs = comparison.times(events, arguments.time)
                    text = f"{ours:.4g} | {theirs:.4g} | {ours / theirs:.2f}"
                    failures += ours > 3 * theirs
                lines.append(f"| d={distance}, {label} | {wrong} | {text} |")
                print(lines[-1], flush=True)
    print(f"{total} shots, {failures} failures")
    if arguments.markdown:
        arguments.markdown.write_text(
            "# Exactness campaign\n\nTotal weights against PyMatching " + pymatching.__version__ + ", engine `" + arguments.engine +
            f"`, {total} shots, {failures} failures. The times are from a shared machine.\n\n"
            f"    python3 tests/python/exactness_test.py build/release/bin/spinel --shots {arguments.shots} --seed {arguments.seed}"
            f" --engine {arguments.engine}{f' --time {arguments.time}' if arguments.time else ''} --markdown {arguments.markdown}\n\n"
            + "\n".join(lines) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
