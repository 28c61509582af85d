# SPDX-License-Identifier: Apache-2.0
# The C host program: C99 by the C compiler, the decoder with -Os -fno-exceptions -fno-rtti, linked by the C compiler without the C++
# run-time library; its decoder object needs memory functions and, for set-up, the mathematics library, nothing else. Answers must equal the
# `spinel` program's on sampled experiments, and those of an AArch64 build under qemu bit for bit.
# usage: c_host.py SPINEL_PROGRAM [N_EXPERIMENTS]
import shutil
import sys
import tempfile
from pathlib import Path

import promises

HOST = promises.ROOT / "examples" / "host_controller"
ALLOWED = {"memcpy", "memset", "memmove", "memcmp", "sqrt", "pow", "log", "log10", "exp", "llround"}
ROUNDS = 52
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def built(folder, cc, cxx, nm, extra=()):
    """The program, or what went wrong."""
    program, unit, host = f"{folder}/{cc}-host", f"{folder}/{cc}-decoder.o", f"{folder}/{cc}-main.o"
    include = f"-I{promises.INCLUDE}"
    steps = [[cxx, "-std=c++20", "-Os", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-fno-asynchronous-unwind-tables",
              *WARNINGS, include, "-c", HOST / "decoder.cpp", "-o", unit],
             [cc, "-std=c99", "-D_ISOC11_SOURCE", "-Os", *WARNINGS, include, "-c", HOST / "main.c", "-o", host],
             [cc, *extra, host, unit, "-lm", "-o", program]]
    for step in steps:
        done = promises.run(step)
        if done.returncode != 0:
            return None, [f"{' '.join(map(str, step))}:\n{done.stderr[:2000]}"]
    undefined = {line.split()[-1].split("@")[0] for line in promises.run([nm, "-u", unit]).stdout.splitlines()}
    undefined -= {"_GLOBAL_OFFSET_TABLE_"}
    if "bcmp" in undefined:  # what Clang makes of `memcmp(...) == 0`
        undefined = undefined - {"bcmp"} | {"memcmp"}
    print(f"{cxx}: the decoder object needs {', '.join(sorted(undefined))}")
    return program, [f"{cxx}: the decoder object needs {name}" for name in sorted(undefined - ALLOWED)]


def main():
    promises.need("gcc", "g++", "clang", "clang++", "nm")
    spinel, n = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "2000"
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        events, flips = f"{folder}/events.b8", f"{folder}/flips.01"
        sample = [spinel, "sample", "--distance", "5", "--rounds", ROUNDS, "--p", "0.003", "--shots", n, "--seed", "5", "--out", events,
                  "--out_format", "b8", "--obs_out", flips, "--obs_out_format", "01"]
        done = promises.run(sample)
        if done.returncode != 0:
            problems.append(f"spinel sample: {done.stderr}")
        answers = {}
        targets = [("gcc", "g++", "nm", [], []), ("clang", "clang++", "nm", [], [])]
        if shutil.which("aarch64-linux-gnu-g++") and shutil.which("qemu-aarch64"):
            targets.append(("aarch64-linux-gnu-gcc", "aarch64-linux-gnu-g++", "aarch64-linux-gnu-nm", ["-static"], ["qemu-aarch64"]))
        else:
            print("SKIPPED: no aarch64-linux-gnu-g++ with qemu-aarch64 here; the AArch64 answers are NOT compared")
        for cc, cxx, nm, extra, runner in targets:
            program, found = built(folder, cc, cxx, nm, extra)
            problems += found
            if program is None:
                continue
            done = promises.run([*runner, program])
            if done.returncode != 0:
                problems.append(f"{cc}: the built-in experiment failed: {done.stdout}{done.stderr}")
            answers[cc] = promises.run([*runner, program, ROUNDS, events]).stdout
        for cc, text in answers.items():
            if text != answers.get("gcc"):
                problems.append(f"the answers of {cc} differ from gcc's")
        lines = answers.get("gcc", "").split("\n")[:-1]
        if len(lines) != int(n):
            problems.append(f"expected {n} answers, got {len(lines)}")
        truth = Path(flips).read_text().split()
        mistakes = sum(line.split()[0] != flip for line, flip in zip(lines, truth))
        # As many as matching the whole history at once makes, within 2 % and the few that one shot can be.
        model = f"{folder}/model.dem"
        Path(model).write_text(promises.run([spinel, "dem", "--distance", "5", "--rounds", ROUNDS, "--p", "0.003"]).stdout)
        counted = promises.run([spinel, "count_mistakes", "--dem", model, "--in", events, "--obs_in", flips, "--obs_in_format", "01"])
        whole = int(counted.stdout.split()[0]) if counted.returncode == 0 else -1
        if not abs(mistakes - whole) <= 2 + 0.02 * whole or whole < 0.01 * int(n):
            problems.append(f"{mistakes} mistakes in {n} experiments, whole-history matching: {counted.stdout}{counted.stderr}")
    promises.finish(problems, f"{len(targets)} builds give the same {n} answers, {mistakes} mistakes")


main()
