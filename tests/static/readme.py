# SPDX-License-Identifier: Apache-2.0
# The README's first C++ block is examples/readme.cpp (below its license line), which the build compiles.
import re

import promises


def main():
    text = (promises.ROOT / "README.md").read_text()
    blocks = re.findall(r"^```cpp\n(.*?)^```$", text, flags=re.M | re.S)
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    source = (promises.ROOT / "examples/readme.cpp").read_text()
    program = re.sub(r"\A(//[^\n]*\n)+\n?", "", source)
    problems = []
    if not blocks:
        problems.append("README.md has no ```cpp block")
    elif blocks[0].strip() != program.strip():
        problems.append("README.md's first ```cpp block and examples/readme.cpp differ")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", prose):
        if not (promises.ROOT / target).exists():
            problems.append(f"README.md points to {target}, which does not exist")
    promises.finish(problems, "the README's program is examples/readme.cpp and its links lead somewhere")


main()
