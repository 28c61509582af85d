# SPDX-License-Identifier: Apache-2.0
# The house rules that a compiler does not see: which folder may include which, which standard headers and words stay
# out of the hot layers, where macros and conditional compilation may be, how a file opens.
import re

import promises

MAY_INCLUDE = {
    "core": set(),
    "simd": {"core"},
    "code": {"core"},
    "noise": {"core", "code"},
    "nn": {"core", "simd"},
    "match": {"core", "simd", "code", "noise"},
    "decode": {"core", "simd", "code", "noise", "nn", "match"},
    "calib": {"core"},
    "io": {"core", "code", "noise", "nn", "match", "calib"},
}
# Outside io/: what allocates, prints, throws, starts threads, reads clocks, or costs the compiler too much.
BANNED_HEADERS = set(
    "iostream ostream istream sstream fstream iomanip syncstream cstdio stdio.h string vector map set unordered_map "
    "unordered_set deque list forward_list queue stack ranges functional regex random thread mutex shared_mutex "
    "condition_variable future chrono ctime time.h filesystem memory memory_resource stdexcept exception typeinfo "
    "typeindex any variant locale format coroutine "
    "algorithm numeric cmath numbers complex span bitset iterator".split())  # core/{algorithm,math,span}.hpp instead
BANNED_WORDS = {
    r"\bvirtual\b": "virtual",
    r"\bdynamic_cast\b": "dynamic_cast",
    r"\btypeid\b": "typeid",
    r"\bthrow\b": "throw",
    r"\btry\b": "try",
    r"\bstd::(function|vector|string|map|unordered_map|cout|cerr|mutex|thread)\b": "a banned std:: name",
    r"\b(malloc|calloc|realloc|free|printf|fprintf|abort|exit)\s*\(": "a heap, printing or ending function",
    r"(?<!::)\bnew\s+[A-Za-z_]": "new (placement ::new is allowed)",
    r"\bdelete\s+[A-Za-z_]|\bdelete\[\]": "delete",
    r"^\s*(static\s+)?thread_local\b": "thread_local",
}
INTRINSICS = re.compile(r"\b_mm\d*_\w+|\b__m(128|256|512)\w*\b|\bv(ld|st)1q?_\w+|\b(u?int|float)\d+x\d+_t\b")
C_API_MACROS = ("SPINEL_DEFINE_C_API", "SPINEL_DEFINE_C_NETWORK", "__cplusplus")  # outside core/config.hpp


def without_comments(text):
    """The text with comments and string literals blanked, lines kept."""
    def blank(match):
        kept = "".join(c if c == "\n" else " " for c in match.group(0))
        return kept if match.group(0).startswith("/") else '""' + kept[2:]
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)


def check_header(header):
    path = promises.INCLUDE / header
    text = path.read_text()
    layer = header.split("/")[1] if header.count("/") > 1 else None
    problems = []

    def complain(line_number, what):
        problems.append(f"include/{header}:{line_number}: {what}")

    lines = text.split("\n")
    opening = [line for line in lines[: lines.index("#pragma once")]] if "#pragma once" in lines else None
    if opening is None:
        complain(1, "has no #pragma once")
    else:
        described = [line for line in opening[1:] if line.startswith("// ")]
        if not 1 <= len(described) <= 8:
            complain(2, "wants 2 to 6 comment lines after the SPDX line: what the file is, its place, its source")
    if layer is not None and layer not in MAY_INCLUDE:
        complain(1, f"the folder {layer}/ is not one of {', '.join(MAY_INCLUDE)}")
        return problems

    depth_is_simd_or_config = layer == "simd" or header == "spinel/core/config.hpp"
    for number, line in enumerate(lines, 1):
        include = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if not include:
            continue
        bracket, name = include.groups()
        if bracket == '"':
            complain(number, f'#include "{name}": write the full path, <spinel/...>')
        elif name.startswith("spinel/"):
            if not (promises.INCLUDE / name).exists():
                complain(number, f"<{name}> does not exist")
            other = name.split("/")[1]
            if layer is not None and other != layer and other not in MAY_INCLUDE[layer]:
                complain(number, f"{layer}/ must not include {other}/ (<{name}>)")
        elif layer != "io" and name in BANNED_HEADERS:
            complain(number, f"<{name}> is banned outside io/")
        elif "/" in name and layer not in ("simd", "io") or name.endswith("intrin.h") and layer != "simd":
            complain(number, f"<{name}> is no header of the standard library")

    in_c_api_switch = 0
    for number, line in enumerate(without_comments(text).split("\n"), 1):
        directive = re.match(r"\s*#\s*(if|ifdef|ifndef|elif|define|undef)\b(.*)", line)
        if directive:
            word, rest = directive.groups()
            if header.startswith("spinel/decode/c_api") and any(macro in rest for macro in C_API_MACROS):
                continue
            if word in ("define", "undef") and header != "spinel/core/config.hpp":
                complain(number, f"#{word}: macros live in core/config.hpp only")
            if word not in ("define", "undef") and not depth_is_simd_or_config:
                complain(number, f"#{word}: conditional compilation lives in simd/ and core/config.hpp only")
            if word == "define" and not re.match(r"\s+SPINEL_", rest):
                complain(number, "macros begin with SPINEL_")
        if layer != "io":
            for pattern, what in BANNED_WORDS.items():
                if re.search(pattern, line):
                    complain(number, f"{what} is banned outside io/: {line.strip()}")
            if layer != "simd" and INTRINSICS.search(line):
                complain(number, f"an intrinsic outside simd/: {line.strip()}")
        if re.match(r"(static )?(constexpr|const) (?!.*\)\s*(noexcept)?\s*[{;])[\w:<>, ]+ \w+(\{|\[| =)", line):
            complain(number, f"a namespace-scope constant must be `inline constexpr`: {line.strip()}")
        if re.match(r"namespace\s*\{", line):
            complain(number, "an unnamed namespace in a header gives every translation unit its own copy")
    return problems


def check_spdx(path):
    lines = (promises.ROOT / path).read_text(errors="replace").split("\n", 2)
    wanted = "SPDX-License-Identifier: Apache-2.0"
    first = lines[1] if lines[0].startswith("#!") and len(lines) > 1 else lines[0]
    return [] if wanted in first else [f"{path}:1: the first line must hold `{wanted}`"]


def sources():
    """Source files of the repository, whether git knows them or not."""
    paths = [p.relative_to(promises.ROOT).as_posix() for p in promises.ROOT.glob("*")]
    paths += [p.relative_to(promises.ROOT).as_posix() for folder in ("include", "tests", "bench", "examples", ".ci")
              for p in (promises.ROOT / folder).rglob("*")]
    source = re.compile(r"\.(hpp|cpp|h|c|py|sh|cmake)$|(^|/)(CMakeLists\.txt|run)$")
    return sorted(p for p in paths if source.search(p) and (promises.ROOT / p).is_file())


def main():
    problems = []
    headers = promises.headers()
    for header in headers:
        problems += check_header(header)
    files = sources()
    for path in files:
        problems += check_spdx(path)
    promises.finish(problems, f"{len(headers)} headers keep the layering, {len(files)} files carry the license line")


main()
