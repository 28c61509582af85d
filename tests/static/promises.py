# SPDX-License-Identifier: Apache-2.0
# What the tests in this folder and in tests/packaging share: where the headers are and how a compiler is asked.
import concurrent.futures
import os
import pathlib
import shutil
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


def finish(problems, what):
    """Prints the problems and exits with 1, or says what was checked and exits with 0."""
    for problem in problems:
        print(problem)
    if problems:
        sys.exit(f"FAILED: {len(problems)} violation(s)")
    print(f"ok: {what}")
    sys.exit(0)
