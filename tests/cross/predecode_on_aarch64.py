# SPDX-License-Identifier: Apache-2.0
"""`spinel predecode` built for AArch64 and run by qemu against the program of this machine: int8 residuals, frames and logits must be the
same bits, fp32 thresholded bits the same decisions. By hand, since the build takes a minute or more:

    python3 tests/cross/predecode_on_aarch64.py build/release/bin/spinel WEIGHTS

Only the command itself is built, of the program's own sources. Needs g++-aarch64-linux-gnu, qemu-user, and the headers of CLI11 and nlohmann json.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ["predecode_commands", "network_flags", "predecode_neon", "predecode_scalar", "predecode_avx2", "predecode_avx512", "predecode_wide"]
MAIN = """
#include "commands.hpp"
#include <cstdio>
int main(int argc, char** argv) {
  CLI::App app;
  spinel::cli::add_predecode_commands(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\\n", error.what());
    return 1;
  }
}
"""
POINTS = [(5, 5, "X", "O1"), (3, 27, "Z", "O2"), (7, 4, "Z", "O4"), (9, 9, "X", "O1"), (13, 3, "X", "O3")]


def built(folder):
    (folder / "main.cpp").write_text(MAIN)
    headers = folder / "headers"
    headers.mkdir()
    for name in ("CLI", "nlohmann"):  # the host's /usr/include must not come along
        (headers / name).symlink_to(pathlib.Path("/usr/include") / name)
    objects = []
    for source in [folder / "main.cpp", *(ROOT / "examples/cli" / f"{name}.cpp" for name in SOURCES)]:
        objects.append(folder / f"{source.stem}.o")
        subprocess.run(["aarch64-linux-gnu-g++", "-std=c++20", "-O2", f"-I{ROOT}/include", f"-I{ROOT}/examples/cli", f"-isystem{headers}", "-c", source, "-o", objects[-1]],
                       check=True)
    subprocess.run(["aarch64-linux-gnu-g++", "-static", *objects, "-o", folder / "predecode"], check=True)
    return [shutil.which("qemu-aarch64") or "qemu-aarch64-static", str(folder / "predecode")]


def results(command, folder, weights, point, precision, arch):
    d, rounds, basis, orientation = point
    subprocess.run([*command, "predecode", "--weights", weights, "--distance", str(d), "--rounds", str(rounds), "--basis", basis, "--orientation", orientation, "--in",
                    folder / "in", "--residual_out", folder / "residual", "--frame_out", folder / "frame", "--logits_out", folder / "logits.npy", "--precision", precision,
                    "--arch", arch], check=True)
    return [(folder / name).read_bytes() for name in ("residual", "frame")] + [np.load(folder / "logits.npy")]


def main():
    program, weights = sys.argv[1:]
    problems = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        emulated = built(folder)
        for point in POINTS:
            d, rounds, *_ = point
            shots = (np.random.default_rng(d).random((16, rounds * (d * d - 1))) < 0.06).astype(np.uint8)
            np.packbits(shots, axis=1, bitorder="little").tofile(folder / "in")
            here = results([program], folder, weights, point, "int8", "native")
            for arch in ("neon", "scalar"):
                there = results(emulated, folder, weights, point, "int8", arch)
                same = [here[0] == there[0], here[1] == there[1], here[2].tobytes() == there[2].tobytes()]
                problems += not all(same)
                print(f"int8 {arch} D = {d} T = {rounds} {point[2]} {point[3]}: residual, frame, logits the same bits: {same}, {here[2].size} logits")
            single, other = (results(command, folder, weights, point, "fp32", "native")[2] for command in ([program], emulated))
            flipped = int(((single >= 0) != (other >= 0)).sum())
            problems += flipped != 0
            print(f"fp32 neon D = {d} T = {rounds}: largest difference {np.abs(single - other).max():.1e}, {flipped} thresholded bits differ")
    return 1 if problems else 0


sys.exit(main())
