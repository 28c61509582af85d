# SPDX-License-Identifier: Apache-2.0
# The README's first C++ block is examples/readme.cpp (below its license line), which the build compiles, and the links
# between the pages lead somewhere. Given the compiled example, what it prints must be what the README says it prints.
import re
import sys

import promises


def main():
    text = (promises.ROOT / "README.md").read_text()
    blocks = re.findall(r"^```cpp\n(.*?)^```$", text, flags=re.M | re.S)
    source = (promises.ROOT / "examples/readme.cpp").read_text()
    program = re.sub(r"\A(//[^\n]*\n)+\n?", "", source)
    problems = []
    if not blocks:
        problems.append("README.md has no ```cpp block")
    elif blocks[0].strip() != program.strip():
        problems.append("README.md's first ```cpp block and examples/readme.cpp differ")
    if len(sys.argv) > 1:
        printed = promises.run([sys.argv[1]])
        if printed.returncode != 0 or f"`{printed.stdout.strip()}`" not in text:
            problems.append(f"README.md does not quote what its program prints: {printed.stdout}{printed.stderr}")
    pages = [*promises.ROOT.glob("*.md"), *(promises.ROOT / "docs").rglob("*.md")]
    for page in pages:
        prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", prose):
            if not (page.parent / target).exists():
                problems.append(f"{page.relative_to(promises.ROOT)} points to {target}, which does not exist")
    promises.finish(problems, f"the README's program is examples/readme.cpp; the links of {len(pages)} pages lead somewhere")


main()
