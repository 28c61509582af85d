# SPDX-License-Identifier: Apache-2.0
"""The pre-decoder commands against a reference written here from the specification in float64 NumPy.

Layout of the checks, encoding, 3-D convolutions, thresholds, residual and frame are done again with nothing of the
library; random events, random weights, odd sizes, every basis and orientation, every input format, precision and
instruction set that the machine has. The published weights are used where they are present.
"""
import json
import os
import pathlib
import re
import struct
import subprocess
import tempfile
import unittest

import numpy as np

PROGRAM = os.environ["SPINEL_PROGRAM"]
SHARED = pathlib.Path(os.environ.get("SPINEL_SHARED_DIR", "/nonexistent"))
PUBLISHED = SHARED / "models" / "ising_decoder_surface_code_1_fast_r9_v1.0.77_fp16.safetensors"
# bulk type at (0, 0), type of top and bottom boundary checks, whether X's logical operator is the first row
ORIENTATIONS = {"O1": ("X", "Z", True), "O2": ("X", "X", False), "O3": ("Z", "X", False), "O4": ("Z", "Z", True)}


def program(*arguments, expect=0):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != expect:
        raise RuntimeError(f"{arguments}: exit status {done.returncode}\n{done.stderr}")
    return done.stderr if expect else done.stdout


# == The specification again ==

def checks(d, orientation):
    """{"X": list of supports, "Z": ...} in detector order, and the logical operators' supports."""
    first, flat_sides, row_is_x = ORIENTATIONS[orientation]
    second = "Z" if first == "X" else "X"
    upright_sides = "Z" if flat_sides == "X" else "X"
    bulk = lambda i, j: first if (i + j) % 2 == 0 else second
    found = {"X": [], "Z": []}
    for i in range(-1, d):
        for j in range(-1, d):
            inside = [0 <= i <= d - 2, 0 <= j <= d - 2]
            if all(inside):
                kind = bulk(i, j)
            elif not any(inside):
                continue
            else:  # beside a bulk check of the other type
                kind = upright_sides if inside[0] else flat_sides
                if bulk(min(max(i, 0), d - 2), min(max(j, 0), d - 2)) == kind:
                    continue
            support = [r * d + c for r in (i, i + 1) for c in (j, j + 1) if 0 <= r < d and 0 <= c < d]
            found[kind].append(((i, j), support))
    order = {"X": lambda entry: entry[0], "Z": lambda entry: entry[0][::-1]}
    supports = {kind: [support for _, support in sorted(found[kind], key=order[kind])] for kind in found}
    row, column = list(range(d)), list(range(0, d * d, d))
    return supports, ({"X": row, "Z": column} if row_is_x else {"X": column, "Z": row})


class Reference:
    def __init__(self, d, rounds, basis, orientation, layers):
        self.d, self.rounds, self.basis, self.layers = d, rounds, basis, layers
        supports, self.logical = checks(d, orientation)
        self.h = (d * d - 1) // 2
        assert all(len(supports[k]) == self.h for k in supports)
        self.matrix = {k: np.zeros((self.h, d * d), int) for k in supports}
        for kind, found in supports.items():
            for check, support in enumerate(found):
                self.matrix[kind][check, support] = 1
        self.site = {"X": [min(s) for s in supports["X"]], "Z": [min(s, key=lambda q: (q // d, -(q % d))) for s in supports["Z"]]}
        self.presence = {k: np.zeros(d * d) for k in supports}
        for kind in supports:
            for s, at in zip(supports[kind], self.site[kind]):
                self.presence[kind][at] = 1.0 if len(s) == 4 else 0.5

    def events(self, detectors):
        """Per type (rounds, h), as the network sees them, and the boundary group."""
        groups = detectors.reshape(2 * self.rounds, self.h)
        seen = {"X": np.zeros((self.rounds, self.h), int), "Z": np.zeros((self.rounds, self.h), int)}
        other = "Z" if self.basis == "X" else "X"
        seen[self.basis][0] = groups[0]
        for t in range(1, self.rounds):
            seen["X"][t], seen["Z"][t] = groups[2 * t - 1], groups[2 * t]
        seen[other][self.rounds - 1] = 0
        return seen, groups[-1]

    def logits(self, detectors):
        seen, _ = self.events(detectors)
        x = np.zeros((4, self.rounds, self.d * self.d))
        for c, kind in enumerate("XZ"):
            x[c][:, self.site[kind]] = seen[kind]
            x[c + 2] = self.presence[kind]
            if kind != self.basis:
                x[c + 2][[0, -1]] = 0
        x = x.reshape(4, self.rounds, self.d, self.d)
        for k, (w, b) in enumerate(self.layers):
            if k:
                x = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
            padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (1, 1)])
            y = np.zeros((len(b), self.rounds * self.d * self.d))
            for kt in range(3):
                for kh in range(3):
                    for kw in range(3):
                        piece = padded[:, kt:kt + self.rounds, kh:kh + self.d, kw:kw + self.d]
                        y += w[:, :, kt, kh, kw] @ piece.reshape(len(x), -1)
            x = (y + b[:, None]).reshape(-1, self.rounds, self.d, self.d)
        return x

    def corrected(self, detectors, logits):
        """Residual detectors and the logical frame."""
        seen, boundary = self.events(detectors)
        bits = (logits >= 0).astype(int).reshape(4, self.rounds, -1)
        residual = {}
        for kind, data, flips in (("X", bits[0], bits[2]), ("Z", bits[1], bits[3])):
            flipped = flips[:, self.site[kind]]
            residual[kind] = seen[kind] + flipped + data @ self.matrix[kind].T
            residual[kind][1:] += flipped[:-1]
        parts = [residual[self.basis][0]]
        for t in range(1, self.rounds):
            parts += [residual["X"][t], residual["Z"][t]]
        data = bits[0] if self.basis == "X" else bits[1]
        return np.concatenate([*parts, boundary]) % 2, int(data[:, self.logical[self.basis]].sum()) % 2


# == Files ==

def random_layers(seed, scale=1.5):
    random = np.random.default_rng(seed)
    shapes = [(128, 4), (128, 128), (128, 128), (4, 128)]
    return [((random.normal(size=(out, into, 3, 3, 3)) * scale / np.sqrt(27 * into)).astype(np.float32),
             (random.normal(size=out) * 0.3).astype(np.float32)) for out, into in shapes]


def write_safetensors(path, layers, kind="F32"):
    header, blob = {}, b""
    for k, (w, b) in enumerate(layers):
        for name, values in ((f"net.{3 * k}.bias", b), (f"net.{3 * k}.weight", w)):
            data = values.astype("<f4" if kind == "F32" else "<f2").tobytes()
            header[name] = {"dtype": kind, "shape": list(values.shape), "data_offsets": [len(blob), len(blob) + len(data)]}
            blob += data
    filters = [w.shape[0] for w, _ in layers]
    header["__metadata__"] = {"model_id": "1", "model_version": "predecoder_memory_v1", "receptive_field": "9", "num_filters": json.dumps(filters),
                              "kernel_size": json.dumps([3] * len(layers)), "quant_format": "fp32" if kind == "F32" else "fp16"}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + blob)


def read_safetensors(path):
    data = path.read_bytes()
    n, = struct.unpack("<Q", data[:8])
    header, tensors = json.loads(data[8:8 + n]), {}
    for name, about in header.items():
        if name != "__metadata__":
            a, b = about["data_offsets"]
            tensors[name] = np.frombuffer(data[8 + n + a:8 + n + b], "<f2" if about["dtype"] == "F16" else "<f4").reshape(about["shape"]).astype(np.float32)
    return [(tensors[f"net.{k}.weight"], tensors[f"net.{k}.bias"]) for k in (0, 3, 6, 9)]


def encoded(bits, form):
    """Shots (n, detectors) in one of the formats."""
    n, detectors = bits.shape
    packed = np.packbits(bits.astype(np.uint8), axis=1, bitorder="little")
    if form == "b8":
        return packed.tobytes()
    if form == "01":
        return "".join("".join(map(str, shot)) + "\n" for shot in bits).encode()
    if form == "hits":
        return "".join(",".join(map(str, np.flatnonzero(shot))) + "\n" for shot in bits).encode()
    if form == "dets":
        return "".join("shot" + "".join(f" D{k}" for k in np.flatnonzero(shot)) + "\n" for shot in bits).encode()
    if form == "r8":
        out = bytearray()
        for shot in bits:
            gap = 0
            for bit in [*shot, 1]:
                if bit:
                    out.append(gap)
                    gap = 0
                else:
                    gap += 1
                    if gap == 255:
                        out.append(255)
                        gap = 0
        return bytes(out)
    assert form == "ptb64" and n % 64 == 0
    return b"".join(np.packbits(bits[k:k + 64].astype(np.uint8), axis=0, bitorder="little").T.tobytes() for k in range(0, n, 64))


class Folder(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.layers = random_layers(1)
        cls.weights = cls.folder / "random.safetensors"
        write_safetensors(cls.weights, cls.layers)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def predecode(self, d, rounds, basis, orientation, shots, *more, weights=None, form="b8"):
        where = self.folder
        (where / "in").write_bytes(encoded(shots, form))
        program("predecode", "--weights", weights or self.weights, "--distance", d, "--rounds", rounds, "--basis", basis, "--orientation", orientation,
                "--in", where / "in", "--in_format", form, "--residual_out", where / "residual", "--frame_out", where / "frame",
                "--logits_out", where / "logits.npy", *more)
        residual = np.unpackbits(np.fromfile(where / "residual", np.uint8).reshape(len(shots), -1), axis=1, bitorder="little")
        self.assertFalse(residual[:, shots.shape[1]:].any())
        logits = np.load(where / "logits.npy")
        self.assertEqual(logits.dtype, np.dtype("<f4"))
        self.assertEqual(logits.shape, (len(shots), 4, rounds, d, d))
        return residual[:, :shots.shape[1]], np.fromfile(where / "frame", np.uint8), logits

    def random_shots(self, d, rounds, n, seed, density=0.08):
        return (np.random.default_rng(seed).random((n, rounds * (d * d - 1))) < density).astype(int)


class Network(Folder):
    def agree(self, d, rounds, basis, orientation, n=1, layers=None, **more):
        shots = self.random_shots(d, rounds, n, 100 * d + rounds)
        residual, frames, logits = self.predecode(d, rounds, basis, orientation, shots, **more)
        reference = Reference(d, rounds, basis, orientation, layers or self.layers)
        for k, shot in enumerate(shots):
            expected = reference.logits(shot)
            self.assertLess(np.abs(logits[k] - expected).max(), 1e-3, (d, rounds, basis, orientation))
            clear = np.abs(expected) > 1e-3
            np.testing.assert_array_equal((logits[k] >= 0)[clear], (expected >= 0)[clear])
            # the residual from the bits that the program saw: an input at the threshold may fall on either side
            bits, frame = reference.corrected(shot, logits[k])
            np.testing.assert_array_equal(residual[k], bits)
            self.assertEqual(frames[k], frame)

    def test_every_basis_and_orientation(self):
        for orientation in ORIENTATIONS:
            for basis in "XZ":
                self.agree(5, 3, basis, orientation, n=2)

    def test_every_distance(self):
        for d, rounds in ((3, 2), (7, 5), (9, 9), (11, 2), (13, 5), (15, 3), (17, 2), (19, 2), (21, 3)):
            self.agree(d, rounds, "XZ"[rounds % 2], f"O{d // 2 % 4 + 1}")

    def test_numbers_of_rounds(self):
        for d, rounds in ((3, 104), (5, 2), (5, 27), (5, 48), (9, 27)):
            self.agree(d, rounds, "ZX"[rounds % 2], f"O{rounds % 4 + 1}")

    def test_published_weights(self):
        if not PUBLISHED.exists():
            self.skipTest(f"SKIPPED: no published weights at {PUBLISHED}")
        layers = read_safetensors(PUBLISHED)
        for d, rounds in ((7, 7), (13, 6)):
            self.agree(d, rounds, "X", "O1", layers=layers, weights=PUBLISHED)

    def test_instruction_sets_and_precisions(self):
        shots = self.random_shots(5, 6, 70, 5)
        residual, frames, logits = self.predecode(5, 6, "X", "O1", shots)
        clear = np.abs(logits) > 1e-3
        int8 = set()
        for arch in ("scalar", "avx2", "avx512", "neon"):
            try:
                other = self.predecode(5, 6, "X", "O1", shots, "--arch", arch)
            except RuntimeError as refused:
                self.assertIn(arch, str(refused))
                continue
            self.assertLess(np.abs(other[2] - logits).max(), 1e-3)
            np.testing.assert_array_equal((other[2] >= 0)[clear], (logits >= 0)[clear])
            int8.add(tuple(part.tobytes() for part in self.predecode(5, 6, "X", "O1", shots, "--arch", arch, "--precision", "int8")))
        self.assertEqual(len(int8), 1, "int8 results depend on the instruction set")
        for precision, most_flipped in (("bf16", 0.02), ("int8", 0.05)):
            try:
                other = self.predecode(5, 6, "X", "O1", shots, "--precision", precision)
            except RuntimeError as refused:
                self.assertIn("bf16", str(refused))
                continue
            self.assertLess(((other[2] >= 0) != (logits >= 0)).mean(), most_flipped)
            self.assertFalse(np.array_equal(other[2], logits), f"{precision} fell back to fp32")

    def test_input_formats(self):
        shots = self.random_shots(3, 3, 64, 6)
        expected = self.predecode(3, 3, "Z", "O2", shots)
        for form in ("01", "r8", "hits", "dets", "ptb64"):
            for mine, theirs in zip(self.predecode(3, 3, "Z", "O2", shots, form=form), expected):
                np.testing.assert_array_equal(mine, theirs)

    def test_half_precision_files_and_blobs(self):
        shots = self.random_shots(3, 3, 2, 7)
        halves = [(w.astype(np.float16).astype(np.float32), b.astype(np.float16).astype(np.float32)) for w, b in self.layers]
        write_safetensors(self.folder / "half", halves, "F16")
        write_safetensors(self.folder / "whole", halves)
        program("convert_weights", "--in", self.folder / "half", "--out", self.folder / "blob")
        results = [self.predecode(3, 3, "X", "O1", shots, weights=self.folder / name) for name in ("half", "whole", "blob")]
        for result in results[1:]:
            for mine, theirs in zip(result, results[0]):
                np.testing.assert_array_equal(mine, theirs)


class Refusals(Folder):
    """Files that must be refused with a message, never run."""

    def refused(self, weights, *words, shots=None):
        (self.folder / "in").write_bytes(encoded(self.random_shots(3, 3, 1, 1), "b8") if shots is None else shots)
        message = program("predecode", "--weights", weights, "--distance", 3, "--rounds", 3, "--in", self.folder / "in", "--frame_out",
                          self.folder / "frame", expect=1)
        for word in words:
            self.assertIn(word, message)

    def test_truncated(self):
        whole = self.weights.read_bytes()
        for length in (0, 7, 200, len(whole) // 2, len(whole) - 1):
            (self.folder / "short").write_bytes(whole[:length])
            self.refused(self.folder / "short", "--weights")

    def test_not_numbers(self):
        for layer, value in ((0, np.nan), (2, np.inf)):
            layers = [(w.copy(), b.copy()) for w, b in self.layers]
            layers[layer][0].flat[5] = value
            write_safetensors(self.folder / "bad", layers)
            self.refused(self.folder / "bad", f"net.{3 * layer}.weight")

    def test_wrong_shapes(self):
        for layer, cut in ((1, lambda w: w[:, :64]), (0, lambda w: w[:, :3]), (3, lambda w: w[:3])):
            layers = list(self.layers)
            layers[layer] = (np.ascontiguousarray(cut(layers[layer][0])), layers[layer][1])
            write_safetensors(self.folder / "bad", layers)
            self.refused(self.folder / "bad", "--weights")

    def test_missing_file_and_shots_of_another_size(self):
        self.refused(self.folder / "nothing", "nothing")
        self.refused(self.weights, "--in", shots=b"\0" * 7)


class Commands(Folder):
    def test_quantize_reports_the_agreement(self):
        network = PUBLISHED if PUBLISHED.exists() else self.weights
        report = program("quantize", "--weights", network, "--distance", 5, "--rounds", 5, "--p", 0.006, "--shots", 1000, "--seed", 3)
        flipped, bits = map(int, re.search(r"bits that differ\s+(\d+) of (\d+)", report).groups())
        self.assertEqual(bits, 1000 * 4 * 5 * 25)
        self.assertGreater(flipped, 0, "int8 gave float32's bits: a silent fallback?")
        self.assertLess(flipped / bits, 1e-3 if network == PUBLISHED else 0.02)
        alone, single, quantized = map(int, re.search(r"matching alone (\d+), fp32 (\d+), int8 (\d+)", report).groups())
        self.assertGreater(alone, 0)
        self.assertGreater(single, 0)
        self.assertGreater(quantized, 0)
        ratio, low, high = map(float, re.search(r"LER ratio\s+([\d.]+), 95 % interval ([\d.]+) \.\. ([\d.]+)", report).groups())
        self.assertAlmostEqual(ratio, quantized / single, places=3)
        self.assertLess(low, ratio)
        self.assertLess(ratio, high)

    def test_quantize_refuses_without_calibration(self):
        program("quantize", "--weights", self.weights, "--distance", 5, "--rounds", 5, "--p", 0.006, "--calibration_shots", 0, expect=105)

    def mistakes(self, n, *flags):
        return int(re.search(r"(\d+) / %d" % n, program("count_mistakes", *flags)).group(1))

    def experiments(self, n, distance, rounds, p):
        """Orientation, basis, and the flags of `n` sampled shots of each."""
        events, flips = self.folder / "events", self.folder / "flips"
        for orientation in ORIENTATIONS:
            for basis in "XZ":
                experiment = ["--distance", distance, "--rounds", rounds, "--basis", basis, "--orientation", orientation, "--p", p]
                program("sample", *experiment, "--shots", n, "--seed", 4, "--out", events, "--out_format", "b8", "--obs_out", flips)
                yield orientation, basis, [*experiment, "--in", events, "--obs_in", flips]

    def test_count_mistakes_in_every_basis_and_orientation(self):
        """The published network helps where it was trained, and everywhere with --dual; without, O2 and O3 get worse."""
        if not PUBLISHED.exists():
            self.skipTest(f"SKIPPED: no published weights at {PUBLISHED}")
        n = 1500
        for orientation, basis, given in self.experiments(n, 5, 5, 0.008):
            alone = self.mistakes(n, *given)
            network = [*given, "--weights", PUBLISHED, "--precision", "int8"]
            dual, plain = self.mistakes(n, *network, "--dual"), self.mistakes(n, *network)
            self.assertGreater(alone, 25)
            self.assertLess(dual, alone, (orientation, basis))
            if orientation in ("O1", "O4"):
                self.assertEqual(plain, dual)
            else:
                self.assertGreater(plain, 1.3 * alone, (orientation, basis))

    def test_count_mistakes_with_a_network_that_does_nothing(self):
        """Weights zero and a negative last bias: no correction, so the mistakes are those of matching alone."""
        layers = [(np.zeros_like(w), np.zeros_like(b)) for w, b in self.layers]
        layers[3][1][:] = -1
        write_safetensors(self.folder / "nothing", layers)
        n = 1000
        for _, _, given in self.experiments(n, 3, 4, 0.01):
            alone = self.mistakes(n, *given)
            self.assertGreater(alone, 10)
            for dual in ([], ["--dual"]):
                self.assertEqual(self.mistakes(n, *given, "--weights", self.folder / "nothing", *dual), alone)


if __name__ == "__main__":
    unittest.main()
