# SPDX-License-Identifier: Apache-2.0
# The table of bench/results/stream.md: the stream decoder (windows, one round at a time) beside PyMatching, which gets the same experiments
# of 20 d rounds whole and in batches, from the same detector error model. Interleaved, processor time, medians of 3.
# usage: stream_pymatching.py SPINEL_PROGRAM STREAM_BENCH OUT.md
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import numpy
import pymatching
import stim


def main():
    spinel, bench, out = sys.argv[1:4]
    lines = []
    for d, p, shots in [(5, 0.001, 1500), (5, 0.003, 1500), (5, 0.006, 800), (7, 0.001, 800), (7, 0.003, 800), (7, 0.006, 300), (9, 0.001, 400),
                        (9, 0.003, 400), (9, 0.006, 120), (13, 0.001, 150), (13, 0.003, 150), (13, 0.006, 40)]:
        rounds = 20 * d
        with tempfile.TemporaryDirectory() as folder:
            named = ["--distance", str(d), "--rounds", str(rounds), "--p", str(p)]
            model = stim.DetectorErrorModel(subprocess.run([spinel, "dem", *named], capture_output=True, text=True, check=True).stdout)
            subprocess.run([spinel, "sample", *named, "--shots", str(shots), "--seed", "1", "--out", f"{folder}/e.b8", "--out_format", "b8"], check=True)
            events = numpy.fromfile(f"{folder}/e.b8", dtype=numpy.uint8).reshape(shots, -1)
        matching = pymatching.Matching.from_detector_error_model(model)
        theirs, ours, fields = [], [], None
        for _ in range(3):
            start = time.process_time()
            matching.decode_batch(events, bit_packed_shots=True)
            theirs.append((time.process_time() - start) * 1e6 / (shots * rounds))
            text = subprocess.run([bench, str(d), str(p), str(rounds), str(shots), "5"], capture_output=True, text=True, check=True).stdout
            fields = text.split()
            ours.append(float(fields[fields.index("us_per_round") + 1]))
        quantiles = {name: fields[fields.index(name) + 1: fields.index(name) + 6] for name in ("reaction", "window")}
        us, them = statistics.median(ours), statistics.median(theirs)
        tail = {name: " / ".join(f"{float(q):.2f}" for q in values) for name, values in quantiles.items()}
        lines.append(f"| {d} | {p} | {shots} | **{us:.3f}** | {them:.3f} | {them / us:.1f} | {tail['reaction']} | {tail['window']} | "
                     f"{fields[fields.index('sizeof_kib') + 1]} | {fields[fields.index('tables_kib') + 1]} |")
        print(lines[-1], flush=True)
    head = f"""# Streams: time a round and reaction

`bench/peers/stream_pymatching.py build/release/bin/spinel build/release/bench/stream_bench OUT.md`, {platform.machine()}, one core of a machine that
others use too: processor time, interleaved, medians of 3; PyMatching {pymatching.__version__}. Uniform depolarizing noise, experiments of 20 d rounds, commit = buffer = d, both
check types decoded, exact. Spinel gets one round after the other and reads its measurements; PyMatching gets packed detection events of
whole experiments at once. Reaction: last round and read-out in, final flips out. Tails: p50 / p90 / p99 / p99.9 / max over the shots, each the
least of five runs of the same shot, clock included: the decoder's own. What the machine adds is below.

| d | p | shots | us a round | PyMatching us a round | ratio | reaction us | window us | sizeof KiB | tables KiB |
|---|---|---|---|---|---|---|---|---|---|
"""
    with open(out, "w") as file:
        file.write(head + "\n".join(lines) + "\n")


main()
