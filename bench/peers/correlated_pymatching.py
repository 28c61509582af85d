# SPDX-License-Identifier: Apache-2.0
# CorrelatedLatticeMatcher beside PyMatching, plain and with enable_correlations, on the same packed shots of Stim's rotated memory
# circuits, interleaved: correlated_pymatching.py PROGRAM OUT.md [d,p,shots,shots for mistakes ...]. Prints a table.
import statistics
import sys
import tempfile
import time

import numpy
import pymatching

from served import Program, surface_circuit

DEFAULT = ["5,0.001,20000,20000", "5,0.003,20000,100000", "5,0.006,10000,30000", "7,0.003,8000,100000", "7,0.006,5000,20000",
           "9,0.001,6000,6000", "9,0.003,5000,5000", "9,0.006,2500,20000", "11,0.006,1200,1200", "13,0.001,3000,3000",
           "13,0.003,1500,1500", "13,0.006,600,600"]
PACKED = {"bit_packed_shots": True, "bit_packed_predictions": True}


def served(program, folder, events, d):
    events.tofile(folder + "/events.b8")
    return Program(program, folder, d)


def measure(program, d, p, n_shots, n_for_mistakes, repetitions=5):
    circuit = surface_circuit(d, d, p, "x")
    model = circuit.detector_error_model(decompose_errors=True)
    plain = pymatching.Matching.from_detector_error_model(model)
    correlated = pymatching.Matching.from_detector_error_model(model, enable_correlations=True)
    sampler = circuit.compile_detector_sampler(seed=777)
    with tempfile.TemporaryDirectory() as folder:
        model.to_file(folder + "/model.dem")
        events, flips = sampler.sample(n_shots, separate_observables=True, bit_packed=True)
        ours = served(program, folder, events, d)
        times, ratios = ([], [], []), ([], [])
        for repetition in range(repetitions):
            start = time.thread_time()
            plain.decode_batch(events, **PACKED)
            times[0].append(1e6 * (time.thread_time() - start) / n_shots)
            times[2].append(float(ours.ask("run")[0]))
            ratios[0].append(times[2][-1] / times[0][-1])
            if repetition < 2:
                start = time.thread_time()
                correlated.decode_batch(events, enable_correlations=True, **PACKED)
                times[1].append(1e6 * (time.thread_time() - start) / n_shots)
        tail = ours.ask("tail")
        ours.close()
        events, flips = sampler.sample(n_for_mistakes, separate_observables=True, bit_packed=True)
        ours = served(program, folder, events, d)
        proof = ours.ask("proof " + folder + "/proof")
        ours.close()
        mine = numpy.fromfile(folder + "/proof", dtype=numpy.int64).reshape(-1, 2)[:, 1]
        truth = flips[:, 0] & 1
        predicted = (plain.decode_batch(events, **PACKED)[:, 0] & 1,
                     correlated.decode_batch(events, enable_correlations=True, **PACKED)[:, 0] & 1)
        mistakes = [int((one != truth).sum()) for one in predicted] + [int((mine != truth).sum())]
    median = statistics.median
    ratio = f"{mistakes[2] / mistakes[1]:.3f}" if mistakes[1] else "-"
    return (f"| {d} | {p} | {n_shots} | {median(times[0]):.3f} | {median(times[1]):.3f} | {median(times[2]):.3f} | "
            f"**{median(ratios[0]):.2f}** | {' / '.join(tail[:4])} | {n_for_mistakes} | "
            f"{mistakes[0]} / {mistakes[1]} / {mistakes[2]} | {ratio} | {proof[2]} | {ours.setup['setup_ms']} | "
            f"{ours.setup['tables_kib']} | {ours.setup['sizeof_kib']} |")


def main():
    program, out = sys.argv[1:3]
    lines = ["| d = rounds | p | shots timed | PyMatching plain us | PyMatching correlated us | ours correlated us | "
             "ours / PyMatching plain | ours p50 / p99 / p99.9 / max us | shots | mistakes plain / correlated / ours | "
             "LER ours / correlated | without proof | set-up ms | tables KiB | sizeof KiB |", "|" + "---|" * 15]
    print("\n".join(lines), flush=True)
    for spec in sys.argv[3:] or DEFAULT:
        d, p, n_shots, n_for_mistakes = spec.split(",")
        lines.append(measure(program, int(d), float(p), int(n_shots), int(n_for_mistakes)))
        print(lines[-1], flush=True)
    with open(out, "w") as file:
        file.write("\n".join(lines) + "\n")


main()
