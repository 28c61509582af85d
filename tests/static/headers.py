# SPDX-License-Identifier: Apache-2.0
# Every header stands alone, twice included, under both compilers, without exceptions and RTTI, warnings as errors.
# Headers with instruction-set specific parts are looked at once more with those parts switched on (nothing is run).
import platform
import re

import promises

WIDE = {"x86_64": ["-march=x86-64-v4", "-mavx512vnni", "-mavx512bf16"]}.get(platform.machine(), [])
ISA_LAYERS = re.compile(r"^spinel/(simd|nn|decode)/|^spinel/spinel\.hpp$")


def check(compiler, header, flags):
    text = f"#include <{header}>\n#include <{header}>\n"
    done = promises.run([compiler, *promises.STRICT, *flags, "-fsyntax-only", "-x", "c++", "-"], stdin=text)
    if done.returncode == 0:
        return []
    return [f"{header} under {compiler} {' '.join(flags)}:\n{done.stderr[:2000]}"]


def main():
    promises.need(*promises.COMPILERS)
    headers = promises.headers()
    tasks = [(compiler, header, []) for compiler in promises.COMPILERS for header in headers]
    if WIDE:
        tasks += [(c, h, WIDE) for c in promises.COMPILERS for h in headers if ISA_LAYERS.search(h)]
    problems = [problem for found in promises.in_parallel(check, tasks) for problem in found]
    promises.finish(problems, f"{len(headers)} headers, {len(tasks)} compilations")


main()
