# SPDX-License-Identifier: Apache-2.0
# What the tests in this folder and in tests/packaging share: where the headers are and how a compiler is asked.
import concurrent.futures
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include"
COMPILERS = ("g++", "clang++")
# The promise an embedding application relies on; no -march, so that no header needs more than the baseline.
STRICT = ["-std=c++20", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra", "-Wconversion", "-Werror", f"-I{INCLUDE}"]


def headers():
    """Every header as its include path, `spinel/core/bits.hpp`, sorted."""
    return sorted(path.relative_to(INCLUDE).as_posix() for path in INCLUDE.rglob("*.hpp"))


def run(command, stdin=None, **keywords):
    """The finished process; its output is text."""
    return subprocess.run([str(word) for word in command], input=stdin, capture_output=True, text=True, **keywords)


def in_parallel(function, tasks):
    """function(*task) for every task, on all cores, results in order."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(lambda task: function(*task), tasks))


def need(*programs):
    """Ends the test as failed when a compiler or tool is missing: a promise that is not checked is not kept."""
    for program in programs:
        if shutil.which(program) is None:
            sys.exit(f"FAILED: {program} is not installed, so the promise cannot be checked")


def write_checkpoint(path, filters, seed, last_bias):
    """Random float32 weights with kernels of 3^3 as safetensors, named as the published ones are."""
    draw, header, data = random.Random(seed), {}, b""
    for layer, (inputs, outputs) in enumerate(zip([4, *filters], filters)):
        bias = last_bias if layer == len(filters) - 1 else 0.0
        for name, shape, values in [("bias", [outputs], [bias] * outputs),
                                    ("weight", [outputs, inputs, 3, 3, 3], [draw.gauss(0, 1.5 / (27 * inputs) ** 0.5) for _ in range(27 * inputs * outputs)])]:
            block = struct.pack(f"<{len(values)}f", *values)
            header[f"net.{3 * layer}.{name}"] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(block)]}
            data += block
    text = json.dumps(header).encode()
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def finish(problems, what):
    """Prints the problems and exits with 1, or says what was checked and exits with 0."""
    for problem in problems:
        print(problem)
    if problems:
        sys.exit(f"FAILED: {len(problems)} violation(s)")
    print(f"ok: {what}")
    sys.exit(0)
