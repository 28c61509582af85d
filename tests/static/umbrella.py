# SPDX-License-Identifier: Apache-2.0
# spinel/spinel.hpp is every header except those of io/. `umbrella.py --write` brings it up to date.
import re
import sys

import promises

UMBRELLA = promises.INCLUDE / "spinel" / "spinel.hpp"
ORDER = "core simd code noise nn match decode calib".split()


def main():
    wanted = [h for h in promises.headers() if h != "spinel/spinel.hpp" and not h.startswith("spinel/io/")]
    wanted.sort(key=lambda h: (ORDER.index(h.split("/")[1]), h))
    text = UMBRELLA.read_text()
    if "--write" in sys.argv:
        opening = text[: text.index("#pragma once")]
        UMBRELLA.write_text(opening + "#pragma once\n\n" + "".join(f"#include <{h}>\n" for h in wanted))
        return
    present = re.findall(r"#include <([^>]+)>", text)
    problems = [f"spinel/spinel.hpp lacks #include <{h}>" for h in wanted if h not in present]
    problems += [f"spinel/spinel.hpp must not include <{h}>" for h in present if h not in wanted]
    if not problems and present != wanted:
        problems.append("spinel/spinel.hpp: includes in the order of the layers, alphabetical within one")
    if problems:
        problems.append("`python3 tests/static/umbrella.py --write` repairs it")
    promises.finish(problems, f"the umbrella holds all {len(wanted)} headers outside io/")


main()
