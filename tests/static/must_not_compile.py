# SPDX-License-Identifier: Apache-2.0
# Mistakes a user can make at compile time are refused with a sentence. Every tests/negative/*.cpp must fail to compile
# under both compilers and each of its `// expect: text` lines must occur in the message; with -DCORRECTED the same file
# must compile, so that it fails for its mistake and for nothing else.
import re

import promises


def check(compiler, source):
    text = source.read_text()
    expected = re.findall(r"^// expect: (.+)$", text, flags=re.M)
    command = [compiler, *promises.STRICT, "-fsyntax-only", source]
    name = f"{source.name} under {compiler}"
    if not expected or "CORRECTED" not in text:
        return [f"{source.name}: wants a `// expect: text` line and a part that -DCORRECTED sets right"]
    corrected = promises.run([*command, "-DCORRECTED"])
    if corrected.returncode != 0:
        return [f"{name}: does not compile even when corrected:\n{corrected.stderr[:2000]}"]
    wrong = promises.run(command)
    if wrong.returncode == 0:
        return [f"{name}: compiles, and must not"]
    said = re.sub(r"\s+", " ", wrong.stderr)
    return [f"{name}: does not say `{words}` but:\n{wrong.stderr[:2000]}" for words in expected if words not in said]


def main():
    promises.need(*promises.COMPILERS)
    sources = sorted((promises.ROOT / "tests/negative").glob("*.cpp"))
    tasks = [(compiler, source) for source in sources for compiler in promises.COMPILERS]
    problems = [problem for found in promises.in_parallel(check, tasks) for problem in found]
    if not sources:
        problems.append("there is no tests/negative/*.cpp")
    promises.finish(problems, f"{len(sources)} mistakes are refused with their sentence by both compilers")


main()
