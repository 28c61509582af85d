# SPDX-License-Identifier: Apache-2.0
# The C host program: C99 by the C compiler, the decoder with -Os -fno-exceptions -fno-rtti, linked by the C compiler without the C++
# run-time library; its decoder object needs memory functions and, for set-up, the mathematics library, nothing else. Answers must equal the
# `spinel` program's on sampled experiments, and those of an AArch64 build under qemu bit for bit. The same with an int8 network before the
# windows: one of random weights gives the same answers in all builds, and one that corrects nothing those without a network.
# usage: c_host.py SPINEL_PROGRAM [N_EXPERIMENTS [N_WITH_NETWORK]]
import shutil
import sys
import tempfile
from pathlib import Path

import promises

HOST = promises.ROOT / "examples" / "host_controller"
ALLOWED = {"memcpy", "memset", "memmove", "memcmp", "sqrt", "pow", "log", "log10", "exp", "llround"}
NETWORK = {"sqrtf", "ceilf", "floorf", "nearbyintf", "fma", "fmaf", "frexpf", "ldexpf"}  # int8 scales and float sums on a bare x86-64
ROUNDS = 52
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def built(folder, cc, cxx, nm, extra, decoder="decoder", defines=(), allowed=ALLOWED):
    """The program, or what went wrong."""
    program, unit, host = f"{folder}/{cc}-{decoder}-host", f"{folder}/{cc}-{decoder}.o", f"{folder}/{cc}-{decoder}-main.o"
    include = f"-I{promises.INCLUDE}"
    steps = [[cxx, "-std=c++20", "-Os", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-fno-asynchronous-unwind-tables",
              *WARNINGS, include, "-c", HOST / f"{decoder}.cpp", "-o", unit],
             [cc, "-std=c99", "-D_ISOC11_SOURCE", "-Os", *defines, *WARNINGS, include, "-c", HOST / "main.c", "-o", host],
             [cc, *extra, host, unit, "-lm", "-o", program]]
    for step in steps:
        done = promises.run(step)
        if done.returncode != 0:
            return None, [f"{' '.join(map(str, step))}:\n{done.stderr[:2000]}"]
    undefined = {line.split()[-1].split("@")[0] for line in promises.run([nm, "-u", unit]).stdout.splitlines()}
    undefined -= {"_GLOBAL_OFFSET_TABLE_"}
    if "bcmp" in undefined:  # what Clang makes of `memcmp(...) == 0`
        undefined = undefined - {"bcmp"} | {"memcmp"}
    print(f"{cxx}: {decoder}.o needs {', '.join(sorted(undefined))}")
    return program, [f"{cxx}: {decoder}.o needs {name}" for name in sorted(undefined - allowed)]


def main():
    promises.need("gcc", "g++", "clang", "clang++", "nm")
    spinel, n = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "2000"
    n_network = int(sys.argv[3]) if len(sys.argv) > 3 else 50
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        events, flips = f"{folder}/events.b8", f"{folder}/flips.01"
        sample = [spinel, "sample", "--distance", "5", "--rounds", ROUNDS, "--p", "0.003", "--shots", n, "--seed", "5", "--out", events,
                  "--out_format", "b8", "--obs_out", flips, "--obs_out_format", "01"]
        done = promises.run(sample)
        if done.returncode != 0:
            problems.append(f"spinel sample: {done.stderr}")
        blobs, start = {}, f"{folder}/few.b8"
        for name, bias in [("random", -0.5), ("mute", -100.0)]:
            checkpoint, blobs[name] = f"{folder}/{name}.safetensors", f"{folder}/{name}.blob"
            promises.write_checkpoint(checkpoint, [16, 16, 4], 1, bias)
            done = promises.run([spinel, "convert_weights", "--in", checkpoint, "--out", blobs[name]])
            if done.returncode != 0:
                problems.append(f"spinel convert_weights: {done.stderr}")
        n_bytes = (12 * 2 * ROUNDS + 7) // 8
        Path(start).write_bytes(Path(events).read_bytes()[: n_network * n_bytes])
        ranges = ["-0.25", "3", "-0.25", "4", "-8", "8"]
        answers, of_network = {}, {"random": {}, "mute": {}}
        targets = [("gcc", "g++", "nm", [], []), ("clang", "clang++", "nm", [], [])]
        if shutil.which("aarch64-linux-gnu-g++") and shutil.which("qemu-aarch64"):
            targets.append(("aarch64-linux-gnu-gcc", "aarch64-linux-gnu-g++", "aarch64-linux-gnu-nm", ["-static"], ["qemu-aarch64"]))
        else:
            print("SKIPPED: no aarch64-linux-gnu-g++ with qemu-aarch64 here; the AArch64 answers are NOT compared")
        for cc, cxx, nm, extra, runner in targets:
            program, found = built(folder, cc, cxx, nm, extra)
            with_network, found_too = built(folder, cc, cxx, nm, extra, "decoder_int8", ["-DHOST_HAS_NETWORK"], ALLOWED | NETWORK)
            problems += found + found_too
            if program is None or with_network is None:
                continue
            for host in (program, with_network):
                done = promises.run([*runner, host])
                if done.returncode != 0:
                    problems.append(f"{host}: the built-in experiment failed: {done.stdout}{done.stderr}")
            answers[cc] = promises.run([*runner, program, ROUNDS, events]).stdout
            for name, blob in blobs.items():
                done = promises.run([*runner, with_network, ROUNDS, start, blob, *ranges])
                of_network[name][cc] = done.stdout
                if done.returncode != 0:
                    problems.append(f"{cc}, {name} network: {done.stderr}")
        refused = promises.run([f"{folder}/gcc-decoder_int8-host", ROUNDS, start, events, *ranges])
        if refused.returncode != 1 or "the weights of" not in refused.stderr:
            problems.append(f"events for weights: {refused.returncode} {refused.stderr}")
        final = {name: [line.split()[0] for line in texts.get("gcc", "").split("\n")[:-1]] for name, texts in of_network.items()}
        alone = [line.split()[0] for line in answers.get("gcc", "").split("\n")[:n_network]]
        if final["mute"] != alone:
            problems.append("a network that corrects nothing changes answers")
        by_network = sum(a != b for a, b in zip(final["random"], alone))
        if len(final["random"]) != n_network or by_network < n_network // 10:
            problems.append(f"the random network has nothing to say: {by_network} of {len(final['random'])} answers differ")
        for name, texts in of_network.items():
            for cc, text in texts.items():
                if text != texts.get("gcc"):
                    problems.append(f"with the {name} network the answers of {cc} differ from gcc's")
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
    promises.finish(problems, f"{len(targets)} builds give the same {n} answers, {mistakes} mistakes, "
                              f"and with a network the same {n_network}, {by_network} of them by it")


main()
