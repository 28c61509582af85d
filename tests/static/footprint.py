# SPDX-License-Identifier: Apache-2.0
# A compiled decoder asks nothing of its surroundings: every *_footprint.cpp is compiled without exceptions, RTTI and
# thread-safe statics, and its object may leave only the four functions undefined that a compiler itself may call.
# Set-up may need more; its file says so in a line `// may also need: ...`, and a name there that is not needed is an error.
import re
import tempfile

import promises

ALLOWED = {"memcpy", "memset", "memmove", "memcmp"}
FLAGS = ["-std=c++20", "-O2", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-Wall", "-Wextra", "-Werror",
         f"-I{promises.INCLUDE}"]


def check(compiler, source, folder):
    objects = f"{folder}/{compiler}-{source.stem}.o"
    done = promises.run([compiler, *FLAGS, "-c", source, "-o", objects])
    if done.returncode != 0:
        return [f"{source.name} under {compiler}:\n{done.stderr[:3000]}"]
    defined = promises.run(["nm", "--defined-only", objects]).stdout
    if "decoder_footprint" not in defined:
        return [f"{source.name} under {compiler}: defines no function named decoder_footprint..."]
    undefined = {line.split()[-1].split("@")[0] for line in promises.run(["nm", "-u", objects]).stdout.splitlines()}
    undefined.discard("_GLOBAL_OFFSET_TABLE_")
    granted = set(" ".join(re.findall(r"^// may also need: (.+)$", source.read_text(), flags=re.M)).split())
    problems = [f"{source.name} under {compiler} needs {name}" for name in sorted(undefined - ALLOWED - granted)]
    return problems + [f"{source.name}: `may also need {name}` is no longer true" for name in sorted(granted - undefined)]


def main():
    promises.need(*promises.COMPILERS, "nm")
    sources = sorted((promises.ROOT / "tests/static").glob("*_footprint.cpp"))
    with tempfile.TemporaryDirectory() as folder:
        tasks = [(compiler, source, folder) for source in sources for compiler in promises.COMPILERS]
        problems = [problem for found in promises.in_parallel(check, tasks) for problem in found]
    if not sources:
        problems.append("there is no tests/static/*_footprint.cpp to compile")
    promises.finish(problems, f"{len(tasks)} objects need at most {', '.join(sorted(ALLOWED))}")


main()
