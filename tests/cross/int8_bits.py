# SPDX-License-Identifier: Apache-2.0
# int8 results are the same bits on x86 and on AArch64: one program, compiled for both, the second run by qemu.
# Skips, loudly, where the cross compiler or the emulator is missing (Debian: g++-aarch64-linux-gnu, qemu-user).
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = HERE.parents[1] / "include"
SKIPPED = 77


def main():
    cross = shutil.which("aarch64-linux-gnu-g++")
    emulator = shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")
    native = shutil.which("g++") or shutil.which("clang++")
    if not (cross and emulator and native):
        print("SKIPPED: aarch64-linux-gnu-g++ or qemu-aarch64 is missing (Debian: g++-aarch64-linux-gnu, qemu-user)")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        lines = []
        for compiler, flags, runner in ((native, ["-march=native"], []), (native, [], []), (cross, ["-static"], [emulator])):
            program = pathlib.Path(folder) / f"int8_bits_{len(lines)}"
            subprocess.run([compiler, "-std=c++20", "-O2", *flags, f"-I{INCLUDE}", str(HERE / "int8_bits.cpp"), "-o", str(program)], check=True)
            lines.append(subprocess.run([*runner, str(program)], check=True, capture_output=True, text=True).stdout.splitlines())
    for line in lines[0]:
        print(line)
    checksums = {line.split()[-1] for line in lines[0]}
    problems = [f"native and portable differ: {line}" for line in lines[0] if line.split()[-1] != line.split()[-3]]
    problems += [f"{other} here, expected {line}" for several in lines[1:] for line, other in zip(lines[0], several) if line != other]
    if len(lines[0]) != 6 or len(checksums) < 3 or any(len(several) != 6 for several in lines):
        problems.append("the programs did not print six lines with three kinds of checksums")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


sys.exit(main())
