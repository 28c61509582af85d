# SPDX-License-Identifier: Apache-2.0
"""A benchmark program that answers commands from its input (bench/lattice_bench.hpp), and the circuits it is compared on."""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "python"))
from matching_test import surface, surface_circuit  # noqa: E402, F401


class Program:
    """`setup`: what it says of its set-up; `ask(command)`: the words of its answer."""

    def __init__(self, program, folder, *arguments):
        self.process = subprocess.Popen([program, folder + "/model.dem", folder + "/events.b8", *map(str, arguments)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline().split()
        self.setup = dict(zip(ready[1::2], ready[2::2]))

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().split()

    def close(self):
        self.process.stdin.close()
        self.process.wait()
