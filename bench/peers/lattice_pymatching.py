# SPDX-License-Identifier: Apache-2.0
# LatticeMatcher beside PyMatching's decode_batch on the same packed shots of Stim's rotated memory circuits, interleaved:
# lattice_pymatching.py PROGRAM OUT.md [d,rounds,p,shots ...]. Prints a table; checks every total weight as well.
import statistics
import subprocess
import sys
import tempfile
import time

import numpy
import pymatching
import stim

DEFAULT = ["5,5,0.001,20000", "5,5,0.003,20000", "5,5,0.006,10000", "9,9,0.001,8000", "9,9,0.003,8000", "9,9,0.006,4000",
           "13,13,0.001,6000", "13,13,0.003,4000", "13,13,0.006,1500", "21,21,0.001,600", "21,21,0.003,300",
           "21,21,0.006,120"]


def measure(program, d, rounds, p, n_shots, repetitions=7):
    circuit = stim.Circuit.generated(
        "surface_code:rotated_memory_x", distance=d, rounds=rounds, after_clifford_depolarization=p,
        after_reset_flip_probability=p, before_measure_flip_probability=p, before_round_data_depolarization=p)
    model = circuit.detector_error_model(decompose_errors=True)
    events, flips = circuit.compile_detector_sampler(seed=12345).sample(n_shots, separate_observables=True, bit_packed=True)
    with tempfile.TemporaryDirectory() as folder:
        model.to_file(folder + "/model.dem")
        events.tofile(folder + "/events.b8")
        peer = pymatching.Matching.from_detector_error_model(model)
        ours = subprocess.Popen([program, folder + "/model.dem", folder + "/events.b8", str(d), str(rounds), "x"],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def ask(command):
            ours.stdin.write(command + "\n")
            ours.stdin.flush()
            return ours.stdout.readline().split()

        ready = ours.stdout.readline().split()
        setup = dict(zip(ready[1::2], ready[2::2]))
        peer_times, our_times, ratios = [], [], []
        for _ in range(repetitions):
            start = time.thread_time()
            peer.decode_batch(events, bit_packed_shots=True, bit_packed_predictions=True)
            peer_times.append(1e6 * (time.thread_time() - start) / n_shots)
            our_times.append(float(ask("run")[0]))
            ratios.append(peer_times[-1] / our_times[-1])
        tail = ask("tail")
        proof = ask("proof " + folder + "/proof")
        mine = numpy.fromfile(folder + "/proof", dtype=numpy.int64).reshape(-1, 2)
        predicted, weights = peer.decode_batch(events, bit_packed_shots=True, return_weights=True)
        ours.stdin.close()
        ours.wait()
    scaled = mine[:, 0] * float(setup["nats_per_unit"])
    # PyMatching rounds every weight once more in its own units; one unit a matched edge is far above that.
    different = int((numpy.abs(scaled - weights) > 1e-5 * numpy.maximum(1, numpy.abs(weights))).sum())
    mistakes = int(((predicted[:, 0] & 1) != (flips[:, 0] & 1)).sum()), int((mine[:, 1] != (flips[:, 0] & 1)).sum())
    n_events = float(numpy.unpackbits(events, axis=1).sum()) / n_shots
    return (f"| {d} | {rounds} | {p} | {n_shots} | {n_events:.1f} | {statistics.median(peer_times):.3f} | "
            f"{statistics.median(our_times):.3f} | **{statistics.median(ratios):.2f}** | {' / '.join(tail[:4])} | "
            f"{different} | {proof[2]} | {mistakes[0]} / {mistakes[1]} | {setup['setup_ms']} | {setup['tables_kib']} | "
            f"{setup['sizeof_kib']} |")


def main():
    program, out = sys.argv[1:3]
    lines = ["| d | rounds | p | shots | events | PyMatching us | LatticeMatcher us | ratio | p50 / p99 / p99.9 / max us | "
             "weights that differ | without proof | mistakes PyMatching / ours | set-up ms | tables KiB | sizeof KiB |",
             "|" + "---|" * 15]
    print("\n".join(lines), flush=True)
    for spec in sys.argv[3:] or DEFAULT:
        d, rounds, p, n_shots = spec.split(",")
        lines.append(measure(program, int(d), int(rounds), float(p), int(n_shots)))
        print(lines[-1], flush=True)
    with open(out, "w") as file:
        file.write("\n".join(lines) + "\n")


main()
