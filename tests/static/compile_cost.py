# SPDX-License-Identifier: Apache-2.0
# What including the library costs the compiler. Gated on what repeats exactly: lines after preprocessing (standard
# library included) and template instantiations counted by Clang's time trace, each within 3 % of the budgets in
# bench/compile/budgets.json, which `compile_cost.py --write` renews (measured, rounded up to two digits). Seconds and memory of both compilers are
# printed beside the goals and never gated, since they are the machine's as much as ours.
import json
import os
import re
import sys
import tempfile

import promises

BUDGETS = promises.ROOT / "bench/compile/budgets.json"
SLACK = 1.03
CLANG = ["clang++", "-std=c++20", "-O2", "-fno-exceptions", "-fno-rtti", f"-I{promises.INCLUDE}"]
GCC = ["g++", *CLANG[1:]]


def rounded_up(value):
    """The next number with two leading digits: 12370 -> 13000."""
    unit = 10 ** max(0, len(str(value)) - 2)
    return -(-value // unit) * unit


def lines_and_instantiations(source, folder, flags):
    """(spinel lines, all lines, templates instantiated) of one translation unit."""
    own = total = 0
    ours = False
    for line in promises.run([*GCC, *flags, "-E", source]).stdout.splitlines():
        marker = re.match(r'# \d+ "([^"]+)"', line)
        if marker:
            ours = "/include/spinel/" in marker.group(1)
        elif line.strip():
            total += 1
            own += ours
    objects = f"{folder}/{source.stem}.o"
    done = promises.run([*CLANG, *flags, "-ftime-trace", "-ftime-trace-granularity=0", "-c", source, "-o", objects])
    if done.returncode != 0:
        sys.exit(f"FAILED: {source.name} under clang++:\n{done.stderr[:2000]}")
    with open(f"{folder}/{source.stem}.json") as trace:
        events = json.load(trace)["traceEvents"]
    kinds = ("InstantiateClass", "InstantiateFunction")
    return own, total, sum(1 for event in events if event.get("ph") == "X" and event["name"] in kinds)


def seconds_and_megabytes(compiler, source, folder):
    """CPU seconds and peak memory of a compilation, the least of three since a busy machine adds to both."""
    figures = []
    for _ in range(3):
        pid = os.spawnvp(os.P_NOWAIT, compiler[0], [*compiler, "-c", str(source), "-o", f"{folder}/timed.o"])
        _, status, usage = os.wait4(pid, 0)
        if status != 0:
            sys.exit(f"FAILED: {source.name} under {compiler[0]}")
        figures.append((usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024))
    return min(figures)


def main():
    promises.need(*promises.COMPILERS)
    budgets = json.loads(BUDGETS.read_text())
    problems = []
    for name, budget in budgets["units"].items():
        source = promises.ROOT / budget["source"]
        with tempfile.TemporaryDirectory() as folder:
            flags = budget.get("flags", [])
            own, total, instantiations = lines_and_instantiations(source, folder, flags)
            timed = {compiler[0]: seconds_and_megabytes([*compiler, *flags], source, folder) for compiler in (GCC, CLANG)}
        measured = {"lines": total, "instantiations": instantiations}
        spent = ", ".join(f"{compiler} -O2 {seconds:.2f} s CPU and {megabytes:.0f} MB" for compiler, (seconds, megabytes) in timed.items())
        print(f"{name}: {total} lines, {own} of them ours, {instantiations} instantiations; {spent} (goal {budget['goal_seconds']} s, {budget['goal_megabytes']} MB)")
        if "--write" in sys.argv:
            budget.update({what: rounded_up(value) for what, value in measured.items()}, 
                          measured={compiler: {"seconds": round(seconds, 2), "megabytes": round(megabytes)} for compiler, (seconds, megabytes) in timed.items()})
            continue
        for what, value in measured.items():
            if value > budget[what] * SLACK:
                problems.append(f"{name}: {value} {what}, budget {budget[what]} (+3 %): make it cheaper, or renew the "
                                "budget with `compile_cost.py --write` and say why")
    if "--write" in sys.argv:
        BUDGETS.write_text(json.dumps(budgets, indent=2) + "\n")
    promises.finish(problems, "compile cost within the budgets")


main()
