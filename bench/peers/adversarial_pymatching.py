# SPDX-License-Identifier: Apache-2.0
# Shots that no noise makes, decoded by LatticeMatcher and CorrelatedLatticeMatcher beside PyMatching's decode_batch, interleaved:
# adversarial_pymatching.py LATTICE_MATCH_BENCH LATTICE_CORRELATED_BENCH OUT.md [d ...]. Every total weight of the plain matcher is
# checked against PyMatching's, every shot of both by its certificate.
import statistics
import sys
import tempfile
import time

import numpy
import pymatching

from served import Program, surface_circuit

P, N_SHOTS, REPETITIONS = 0.003, 20, 5


def patterns(circuit, random):
    """Name and shots of every kind, one row a shot."""
    n = circuit.num_detectors
    places = circuit.get_detector_coordinates()
    position = numpy.array([places[k][:2] for k in range(n)])
    layer = numpy.array([places[k][2] for k in range(n)])
    yield "every detector", numpy.ones((1, n), bool)
    yield "all of one round", numpy.array([layer == at for at in numpy.unique(layer)])
    yield "all of one column", numpy.array([position[:, 0] == at for at in numpy.unique(position[:, 0])])
    yield "one check in every round", numpy.array([(position == at).all(axis=1) for at in numpy.unique(position, axis=0)])
    for density in (0.1, 0.3, 0.5, 0.7, 0.9, 0.98):
        yield f"random, {100 * density:.0f} %", random.random((N_SHOTS, n)) < density


def row(programs, d, name, shots, model, plain, correlated):
    events = numpy.packbits(shots, axis=1, bitorder="little")
    n = len(events)
    with tempfile.TemporaryDirectory() as folder:
        model.to_file(folder + "/model.dem")
        events.tofile(folder + "/events.b8")
        served = [Program(programs[0], folder, d, d, "x")] + ([Program(programs[1], folder, d)] if d <= 13 else [])
        times = [[], [], [], []]
        for _ in range(REPETITIONS):
            for k, flags in enumerate(({}, {"enable_correlations": True})):
                peer = (plain, correlated)[k]
                start = time.thread_time()
                peer.decode_batch(events, bit_packed_shots=True, bit_packed_predictions=True, **flags)
                times[2 * k].append(1e6 * (time.thread_time() - start) / n)
                times[2 * k + 1].append(float(served[k].ask("run")[0]) if k < len(served) else float("nan"))
        unproved = [one.ask(f"proof {folder}/proof{k}")[2] for k, one in enumerate(served)]
        mine = numpy.fromfile(folder + "/proof0", dtype=numpy.int64).reshape(-1, 2)[:, 0] * float(served[0].setup["nats_per_unit"])
        for one in served:
            one.close()
    weights = plain.decode_batch(events, bit_packed_shots=True, return_weights=True)[1]
    # PyMatching rounds every weight once more in its own units; one unit a matched edge is far above that.
    differ = int((abs(mine - weights) > 1e-6 * numpy.maximum(1, weights)).sum())
    peer, ours, peer_correlated, ours_correlated = (statistics.median(each) for each in times)
    second = (f"{peer_correlated:.0f} | {ours_correlated:.0f} | **{peer_correlated / ours_correlated:.1f}**" if len(served) > 1
              else f"{peer_correlated:.0f} | - | -")
    return (f"| {d} | {name} | {n} | {peer:.0f} | {ours:.1f} | **{peer / ours:.1f}** | {differ} | {second} | {' / '.join(unproved)} |")


def main():
    programs, out = sys.argv[1:3], sys.argv[3]
    random = numpy.random.default_rng(5)
    lines = ["| d = rounds | events | shots | PyMatching us | LatticeMatcher us | ratio | weights that differ | PyMatching correlated us "
             "| ours correlated us | ratio | without proof |", "|" + "---|" * 11]
    for d in map(int, sys.argv[4:] or (5, 9, 13, 21)):
        circuit = surface_circuit(d, d, P, "x")
        model = circuit.detector_error_model(decompose_errors=True)
        peers = (pymatching.Matching.from_detector_error_model(model),
                 pymatching.Matching.from_detector_error_model(model, enable_correlations=True))
        for name, shots in patterns(circuit, random):
            lines.append(row(programs, d, name, shots, model, *peers))
            print(lines[-1], flush=True)
    with open(out, "w") as file:
        file.write("\n".join(lines) + "\n")


main()
