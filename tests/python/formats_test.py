# SPDX-License-Identifier: Apache-2.0
"""The parsers beside Stim's: detector error models flattened, coordinates, and shot files in six formats, both ways.

Usage: formats_test.py [PARSE_PROGRAM] [--models N]; without the program: $SPINEL_FORMATS_PROGRAM, or it is compiled from
tests/python/formats_program.cpp into a temporary folder.
"""

import argparse
import math
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

import numpy as np
import stim

ROOT = pathlib.Path(__file__).resolve().parents[2]


def compiled(folder):
    for compiler in ("g++", "clang++"):
        target = folder / "formats_program"
        if subprocess.run([compiler, "-std=c++20", "-O1", "-I", ROOT / "include",
                           ROOT / "tests/python/formats_program.cpp", "-o", target]).returncode == 0:
            return target
    sys.exit("formats_test.py: no compiler for formats_program.cpp")


def run(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True)
    if done.returncode not in (0, 1) or (done.returncode == 1 and not done.stderr.startswith(b"error: ")):
        sys.exit(f"formats_program {arguments} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return done


def flattened(model):
    """(p, ((detectors, observables), ...)) a mechanism, flips counted modulo 2 within a component."""
    result = []
    for instruction in model.flattened():
        if instruction.type == "error":
            parts = [(set(), set())]
            for target in instruction.targets_copy():
                if target.is_separator():
                    parts.append((set(), set()))
                else:
                    parts[-1][1 if target.is_logical_observable_id() else 0].symmetric_difference_update({target.val})
            parts = tuple((tuple(sorted(d)), tuple(sorted(l))) for d, l in parts if d or l)
            result.append((instruction.args_copy()[0], parts))
    return result


def same_numbers(a, b):
    return len(a) == len(b) and all(x == y or math.isclose(x, y, rel_tol=1e-14, abs_tol=1e-14) for x, y in zip(a, b))


def compare_models(program, folder, text, failures):
    expected = stim.DetectorErrorModel(text)
    (folder / "model.dem").write_text(text)
    done = run(program, "dem", folder / "model.dem")
    if done.returncode != 0:
        failures.append(f"refused what Stim reads: {done.stderr.decode()}\n{text[:2000]}")
        return
    ours = stim.DetectorErrorModel(done.stdout.decode())
    # Counted flattened: Stim counts the body of "repeat 0" although it never happens.
    flat = expected.flattened()
    if (flattened(ours) != flattened(flat) or ours.num_detectors != flat.num_detectors
            or ours.num_observables != flat.num_observables):
        failures.append(f"another model than Stim's:\n{text[:2000]}\n{done.stdout.decode()[:2000]}")
    theirs = flat.get_detector_coordinates()
    for detector, coordinates in ours.get_detector_coordinates().items():
        if not same_numbers(coordinates, theirs[detector]):
            failures.append(f"D{detector} is at {coordinates}, expected {theirs[detector]}:\n{text[:2000]}")


def random_model(rng, depth=0):
    def number():
        return rng.choice([repr(rng.random()), f"{rng.random():.3e}", "1e-4", ".5", "0", "1", "1E-2", f"{rng.random():.20f}"])

    def tag():
        return rng.choice(["", "", "", "[a tag]", "[x\\Cy#{]"])

    lines = []
    located = set()
    for _ in range(rng.randint(1, 8)):
        kind = rng.random()
        indent = rng.choice(["", "    ", "\t"])
        if kind < 0.5:
            parts = []
            for _ in range(rng.randint(1, 3)):
                parts.append(" ".join([f"{rng.choice('Dd')}{rng.randint(0, 12)}" for _ in range(rng.randint(1, 4))]
                                      + [f"L{rng.randint(0, 40)}" for _ in range(rng.randint(0, 2))]))
            lines.append(f"{indent}{rng.choice(['error', 'ERROR', 'Error'])}{tag()}({number()}) " + " ^ ".join(parts))
        elif kind < 0.65:
            where = ", ".join(str(rng.choice([rng.randint(-5, 5), rng.random()])) for _ in range(rng.randint(1, 4)))
            lines.append(f"{indent}detector{tag()}({where}) D{rng.randint(0, 12)}")
        elif kind < 0.7:
            lines.append(f"{indent}detector D{rng.randint(0, 20)}")
        elif kind < 0.75:
            lines.append(f"{indent}logical_observable L{rng.randint(0, 40)}")
        elif kind < 0.87:
            where = rng.choice(["", "(1)", "(0, 0.5, -2)", "(0.1)"])
            lines.append(f"{indent}shift_detectors{tag()}{where} {rng.randint(0, 9)}")
        elif kind < 0.97 and depth < 3:
            lines.append(f"{indent}{rng.choice(['repeat', 'REPEAT'])}{tag()} {rng.randint(0, 5)} {{")
            lines.append(random_model(rng, depth + 1) + indent + "}")
        else:
            lines.append(rng.choice(["", "# comment } { error(7)", "   "]))
        if rng.random() < 0.1 and not lines[-1].endswith(("{", "}")):
            lines[-1] += "  # said"
    return "\n".join(lines) + rng.choice(["\n", "\r\n", " \n"])


def damaged(rng, text):
    """One edit that may or may not leave a valid text."""
    at = rng.randrange(len(text) + 1)
    kind = rng.random()
    if kind < 0.35:
        return text[:at] + text[at + rng.randint(1, 4):]
    if kind < 0.7:
        return text[:at] + rng.choice(list("{}()[]^,.-+eDL #\n019") + ["nan", "1e9", "repeat 3 {"]) + text[at:]
    return text[:at]


def compare_verdicts(program, folder, text, failures):
    """What Stim reads we read; what Stim refuses we refuse. The differences are on purpose and listed in docs/formats.md."""
    if math.prod(int(n) + 1 for n in re.findall(r"(?i)repeat[^{\n]*?(\d+)\s*{", text)) > 10000:
        return True  # an edit made a number long: Stim would unroll it until memory ends
    if re.search(r"\[[^]\n]*\Z", text):
        return True  # Stim 1.16 never stops reading a tag that the end of the text leaves open
    try:
        expected = stim.DetectorErrorModel(text)
        expected.flattened()
        readable = True
    except (ValueError, IndexError):
        readable = False
    (folder / "model.dem").write_bytes(text.encode())
    done = run(program, "dem", folder / "model.dem")
    if readable == (done.returncode == 0):
        return True
    message = done.stderr.decode(errors="replace")
    on_purpose = ("expected a number, found ')'", "expected a number, found ','", "L0 to L63", "is too large", "unrolls to too much", "of the detector shifts")
    if readable and any(reason in message for reason in on_purpose):
        return True
    failures.append(f"Stim {'reads' if readable else 'refuses'} it, we do not agree ({message.strip()}):\n{text!r}")
    return False


def compare_shots(program, folder, rng, failures):
    for _ in range(12):
        n_measurements, n_detectors, n_observables = rng.choice([(0, 24, 1), (0, 1, 0), (0, 255, 0), (0, 256, 3), (300, 0, 0), (0, 2184, 1), (0, 7, 64)])
        n_bits = n_measurements + n_detectors + n_observables
        n_shots = rng.choice([0, 64, 128, 640])
        data = np.random.default_rng(rng.randrange(1 << 30)).random((n_shots, n_bits)) < rng.choice([0, 0.001, 0.03, 0.5, 1])
        layout = dict(num_measurements=n_measurements, num_detectors=n_detectors, num_observables=n_observables)
        texts = {}
        for name in ("01", "b8", "r8", "hits", "dets", "ptb64"):
            stim.write_shot_data_file(data=data, path=folder / f"stim.{name}", format=name, **layout)
            texts[name] = (folder / f"stim.{name}").read_bytes()
        for source in texts:
            for target in texts:
                done = run(program, "shots", folder / f"stim.{source}", source, target, n_measurements, n_detectors, n_observables)
                if done.stdout != texts[target]:
                    failures.append(f"{source} -> {target} of {n_shots} x {layout}: other bytes than Stim's {done.stderr.decode()}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=pathlib.Path, nargs="?", default=os.environ.get("SPINEL_FORMATS_PROGRAM"))
    parser.add_argument("--models", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    failures = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        program = arguments.program or compiled(folder)
        for distance, rounds in ((3, 3), (5, 30), (7, 40)):
            circuit = stim.Circuit.generated(
                "surface_code:rotated_memory_z", distance=distance, rounds=rounds, after_clifford_depolarization=0.003,
                before_measure_flip_probability=0.01)
            compare_models(program, folder, str(circuit.detector_error_model(decompose_errors=True, flatten_loops=False)), failures)
        compared = refused = 0
        for _ in range(arguments.models):
            text = random_model(rng)
            compare_models(program, folder, text, failures)
            for _ in range(2):
                refused += not compare_verdicts(program, folder, damaged(rng, text), failures)
                compared += 1
        compare_shots(program, folder, rng, failures)
    for failure in failures[:10]:
        print(failure)
    print(f"{arguments.models} models, {compared} damaged texts, shot files in six formats: {len(failures)} disagreements")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
