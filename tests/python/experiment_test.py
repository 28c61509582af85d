# SPDX-License-Identifier: Apache-2.0
"""Circuits and detector error models of memory experiments against Stim.

The circuit text is compared with the reference's published texts where they are present; the model is compared with
Stim's own analysis of the circuit: the same symptoms, probabilities to 1e-9 relative, every part graphlike.
"""
import json
import os
import pathlib
import random
import subprocess
import tempfile
import unittest

import stim

PROGRAM = os.environ["SPINEL_PROGRAM"]
SHARED = pathlib.Path(os.environ.get("SPINEL_SHARED_DIR", "/nonexistent"))


def run(*arguments):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout


def flags(distance, rounds, basis, orientation):
    return ["--distance", distance, "--rounds", rounds, "--basis", basis, "--orientation", orientation]


def mechanisms(model):
    """Total symptoms -> probability; also checks that each part has one or two detectors."""
    merged = {}
    for instruction in model.flattened():
        if instruction.type != "error":
            continue
        symptoms, part = set(), 0
        for target in [*instruction.targets_copy(), stim.target_separator()]:
            if target.is_separator():
                assert part in (1, 2), instruction
                part = 0
            else:
                part += target.is_relative_detector_id()
                symptoms ^= {str(target)}
        p, q = instruction.args_copy()[0], merged.get(frozenset(symptoms), 0.0)
        merged[frozenset(symptoms)] = p * (1 - q) + q * (1 - p)
    return merged


class Experiments(unittest.TestCase):
    def compare(self, experiment, noise):
        circuit = stim.Circuit(run("circuit", *experiment, *noise))
        model = stim.DetectorErrorModel(run("dem", *experiment, *noise))
        expected = circuit.detector_error_model(decompose_errors=True, approximate_disjoint_errors=True)
        self.assertEqual(model.num_detectors, expected.num_detectors)
        self.assertEqual(model.num_observables, expected.num_observables)
        ours, stims = mechanisms(model), mechanisms(expected)
        self.assertEqual(ours.keys(), stims.keys(), (experiment, noise))
        for symptoms, p in stims.items():
            self.assertLessEqual(abs(ours[symptoms] - p), 1e-9 * p, (experiment, noise, symptoms))

    def test_models_agree_with_stim(self):
        for distance, rounds in [(3, 2), (3, 3), (3, 9), (5, 2), (5, 5), (7, 3), (9, 9)]:
            for basis in "XZ":
                for orientation in ["O1", "O2", "O3", "O4"]:
                    with self.subTest(d=distance, T=rounds, basis=basis, orientation=orientation):
                        self.compare(flags(distance, rounds, basis, orientation), ["--p", 0.003])

    def test_named_noise_models(self):
        for name in ["si1000", "simple"]:
            for basis, orientation in [("X", "XV"), ("Z", "ZH"), ("X", "O3")]:
                self.compare(flags(5, 6, basis, orientation), ["--p", 0.004, "--noise-model", name])

    def test_custom_noise(self):
        names = ["p_prep_X", "p_prep_Z", "p_meas_X", "p_meas_Z"]
        names += [f"p_idle_{kind}_{pauli}" for kind in ("cnot", "spam") for pauli in "XYZ"]
        names += ["p_cnot_" + a + b for a in "IXYZ" for b in "IXYZ" if a + b != "II"]
        generator = random.Random(11)
        for trial in range(8):
            noise = {n: 10 ** generator.uniform(-5, -2.2) * (generator.random() < 0.8) for n in names}
            with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                json.dump(noise, file)
                file.flush()
                experiment = flags(generator.choice([3, 5, 7]), generator.randint(2, 8), generator.choice("XZ"),
                                   generator.choice(["O1", "O2", "O3", "O4"]))
                with self.subTest(noise=noise, experiment=experiment):
                    self.compare(experiment, ["--noise", file.name])

    def test_without_noise(self):
        self.compare(flags(3, 4, "X", "O1"), ["--p", 0])

    def test_large_distances(self):
        self.compare(flags(13, 4, "X", "O1"), ["--p", 0.006])
        self.compare(flags(31, 3, "Z", "O4"), ["--p", 0.001])

    @unittest.skipUnless((SHARED / "golden" / "circuits").is_dir(), "reference circuits are not at hand: NOT COMPARED")
    def test_reference_circuits(self):
        n = 0
        for path in sorted((SHARED / "golden" / "circuits").glob("*.stim")):
            d, t, basis, rotation, kind, p = path.stem.split("_")
            noise = ["--p", p[1:]] + (["--noise-model", "simple"] if kind == "scalar" else [])
            text = run("circuit", *flags(d[1:], t[1:], basis, rotation), *noise)
            self.assertEqual(text, path.read_text(), path.name)
            n += 1
        for path in sorted((SHARED / "golden").glob("d*_T*/circuit.stim")):
            d, t, basis, p, orientation = path.parent.name.split("_")
            text = run("circuit", *flags(d[1:], t[1:], basis, orientation), "--p", p[1:])
            self.assertEqual(stim.Circuit(text), stim.Circuit(path.read_text()), path)
            n += 1
        self.assertGreater(n, 40)

    def test_bad_input_names_the_flag(self):
        for arguments, expected in [
            (flags(4, 3, "X", "O1") + ["--p", 0.001], "--distance"),
            (flags(33, 3, "X", "O1") + ["--p", 0.001], "--distance"),
            (flags(3, 1, "X", "O1") + ["--p", 0.001], "--rounds"),
            (flags(3, 3, "Y", "O1") + ["--p", 0.001], "--basis"),
            (flags(3, 3, "X", "O5") + ["--p", 0.001], "--orientation"),
            (flags(3, 3, "X", "O1") + ["--p", 1.5], "--p"),
            (flags(3, 3, "X", "O1"), "--noise"),
            (flags(3, 3, "X", "O1") + ["--noise", "/nonexistent.json"], "cannot open"),
        ]:
            done = subprocess.run([PROGRAM, "dem", *map(str, arguments)], capture_output=True, text=True)
            self.assertNotEqual(done.returncode, 0, arguments)
            self.assertIn(expected, done.stderr)
            self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    unittest.main()
