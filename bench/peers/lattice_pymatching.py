# SPDX-License-Identifier: Apache-2.0
# LatticeMatcher beside PyMatching's decode_batch on the same packed shots of Stim's rotated memory circuits, interleaved:
# lattice_pymatching.py PROGRAM OUT.md [d,rounds,p,shots ...]. Prints a table; checks every total weight as well.
import statistics
import sys
import tempfile
import time

import numpy
import pymatching

from served import Program, surface_circuit

DEFAULT = ["5,5,0.001,20000", "5,5,0.003,20000", "5,5,0.006,10000", "9,9,0.001,8000", "9,9,0.003,8000", "9,9,0.006,4000",
           "13,13,0.001,6000", "13,13,0.003,4000", "13,13,0.006,1500", "21,21,0.001,600", "21,21,0.003,300",
           "21,21,0.006,120", "13,104,0.001,200", "13,104,0.003,100", "13,104,0.006,60"]


def tail_of(peer, events, repetitions=5):
    """p50, p99, p99.9 and max of single shots in us: least of some calls of decode_batch each, less what an empty shot takes."""
    def once(row):
        start = time.perf_counter_ns()
        peer.decode_batch(row, bit_packed_shots=True, bit_packed_predictions=True)
        return time.perf_counter_ns() - start

    rows = [events[k:k + 1] for k in range(len(events))]
    empty = numpy.zeros_like(rows[0])
    overhead = statistics.median(min(once(empty) for _ in range(repetitions)) for _ in range(500))
    least = numpy.full(len(rows), 1e18)
    for _ in range(repetitions):
        least = numpy.minimum(least, [once(row) for row in rows])
    least = numpy.sort(numpy.maximum(least - overhead, 0)) / 1e3
    return [least[min(len(least) - 1, int(q * len(least)))] for q in (0.5, 0.99, 0.999)] + [least[-1]]


def measure(program, d, rounds, p, n_shots, repetitions=7):
    circuit = surface_circuit(d, rounds, p, "x")
    model = circuit.detector_error_model(decompose_errors=True)
    events, flips = circuit.compile_detector_sampler(seed=12345).sample(n_shots, separate_observables=True, bit_packed=True)
    with tempfile.TemporaryDirectory() as folder:
        model.to_file(folder + "/model.dem")
        events.tofile(folder + "/events.b8")
        peer = pymatching.Matching.from_detector_error_model(model)
        ours = Program(program, folder, d, rounds, "x")
        setup, ask = ours.setup, ours.ask
        peer_times, our_times, one_basis_times, ratios = [], [], [], []
        for _ in range(repetitions):
            start = time.thread_time()
            peer.decode_batch(events, bit_packed_shots=True, bit_packed_predictions=True)
            peer_times.append(1e6 * (time.thread_time() - start) / n_shots)
            our_times.append(float(ask("run")[0]))
            ratios.append(peer_times[-1] / our_times[-1])
            one_basis_times.append(float(ask("observable")[0]))
        tail, peer_tail = ask("tail"), tail_of(peer, events)
        proof = ask("proof " + folder + "/proof")
        mine = numpy.fromfile(folder + "/proof", dtype=numpy.int64).reshape(-1, 2)
        predicted, weights = peer.decode_batch(events, bit_packed_shots=True, return_weights=True)
        ours.close()
    scaled = mine[:, 0] * float(setup["nats_per_unit"])
    # PyMatching rounds every weight once more in its own units; one unit a matched edge is far above that.
    different = int((numpy.abs(scaled - weights) > 1e-5 * numpy.maximum(1, numpy.abs(weights))).sum())
    mistakes = int(((predicted[:, 0] & 1) != (flips[:, 0] & 1)).sum()), int((mine[:, 1] != (flips[:, 0] & 1)).sum())
    n_events = float(numpy.unpackbits(events, axis=1).sum()) / n_shots
    return (f"| {d} | {rounds} | {p} | {n_shots} | {n_events:.1f} | {statistics.median(peer_times):.3f} | "
            f"{statistics.median(our_times):.3f} | **{statistics.median(ratios):.2f}** | {' / '.join(f'{t:.2f}' for t in peer_tail)} | "
            f"{' / '.join(tail[:4])} | **{peer_tail[2] / float(tail[2]):.1f}** | "
            f"{different} | {proof[2]} | {mistakes[0]} / {mistakes[1]} | {setup['setup_ms']} | {setup['tables_kib']} | "
            f"{setup['sizeof_kib']} | {statistics.median(one_basis_times):.3f} |")


def main():
    program, out = sys.argv[1:3]
    lines = ["| d | rounds | p | shots | events | PyMatching us | LatticeMatcher us | ratio | PyMatching p50 / p99 / p99.9 / max us | p50 / p99 / p99.9 / max us | ratio p99.9 | "
             "weights that differ | without proof | mistakes PyMatching / ours | set-up ms | tables KiB | sizeof KiB | observable's basis alone us |",
             "|" + "---|" * 18]
    print("\n".join(lines), flush=True)
    for spec in sys.argv[3:] or DEFAULT:
        d, rounds, p, n_shots = spec.split(",")
        lines.append(measure(program, int(d), int(rounds), float(p), int(n_shots)))
        print(lines[-1], flush=True)
    with open(out, "w") as file:
        file.write("\n".join(lines) + "\n")


main()
