# SPDX-License-Identifier: Apache-2.0
# Installs the library into an empty folder and builds tests/packaging/consumer against it, through find_package and
# through the pkg-config file, then once more with the sources as a subdirectory.
# usage: packaging.py CMAKE COMPILER
import pathlib
import re
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "static"))
import promises  # noqa: E402


def step(what, command):
    done = promises.run(command)
    if done.returncode != 0:
        sys.exit(f"FAILED: {what}\n{' '.join(map(str, command))}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def pkg_config_flags(file):
    """The compiler flags a .pc file gives, its variables expanded as pkg-config would."""
    variables = {"pcfiledir": str(file.parent)}
    flags = ""
    for line in file.read_text().splitlines():
        expanded = re.sub(r"\$\{(\w+)\}", lambda match: variables[match.group(1)], line)
        if assignment := re.match(r"(\w+)=(.*)", expanded):
            variables[assignment.group(1)] = assignment.group(2)
        elif expanded.startswith("Cflags:"):
            flags = expanded.removeprefix("Cflags:").strip()
    return flags.split()


def main():
    cmake, compiler = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        prefix = folder / "moved"
        common = ["-G", "Ninja", f"-DCMAKE_CXX_COMPILER={compiler}", "-DCMAKE_BUILD_TYPE=Release"]

        step("configuring for the installation",
             [cmake, "-S", promises.ROOT, "-B", folder / "library", *common, f"-DCMAKE_INSTALL_PREFIX={folder}/elsewhere",
              "-DSPINEL_BUILD_TESTS=OFF", "-DSPINEL_BUILD_PROGRAM=OFF"])
        step("installing", [cmake, "--install", folder / "library", "--prefix", prefix])
        installed = {path.relative_to(prefix / "include").as_posix() for path in prefix.rglob("*.hpp")}
        missing = sorted(set(promises.headers()) - installed)
        if missing:
            sys.exit(f"FAILED: not installed: {', '.join(missing)}")

        for kind, option in (("find_package", f"-DCMAKE_PREFIX_PATH={prefix}"),
                             ("add_subdirectory", f"-DSPINEL_SOURCE={promises.ROOT}")):
            build = folder / kind
            step(f"configuring the consumer ({kind})", [cmake, "-S", HERE / "consumer", "-B", build, *common, option])
            step(f"building the consumer ({kind})", [cmake, "--build", build])
            print(kind, step(f"running the consumer ({kind})", [build / "consumer"]).strip())

        files = list(prefix.rglob("spinel.pc"))
        if len(files) != 1:
            sys.exit("FAILED: no spinel.pc is installed")
        flags = pkg_config_flags(files[0])
        step("compiling the consumer with the flags of spinel.pc",
             [compiler, "-std=c++20", *flags, HERE / "consumer/main.cpp", "-o", folder / "by_pkg_config"])
        print("pkg-config", step("running the consumer (pkg-config)", [folder / "by_pkg_config"]).strip())
    print("ok: installed, found, included as a subdirectory")


main()
