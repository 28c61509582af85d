# SPDX-License-Identifier: Apache-2.0
# The real-time commands of the program do what they print: a short stream with its report, a record that replays, damage to it that is
# found and named, a doctor whose findings can be read, a pool that answers. usage: stream_program.py SPINEL_PROGRAM
import json
import sys
import tempfile
from pathlib import Path

import promises


def main():
    spinel, problems = sys.argv[1], []

    def run(*words, fails=None):
        done = promises.run([spinel, *words])
        if fails is None and done.returncode != 0:
            problems.append(f"spinel {' '.join(map(str, words))}: exit {done.returncode}: {done.stderr}")
        if fails is not None and (done.returncode != 1 or fails not in done.stderr):
            problems.append(f"spinel {' '.join(map(str, words))}: expected an error with `{fails}`, got {done.returncode}: {done.stderr}")
        return done.stdout

    def expect(what, holds):
        if not holds:
            problems.append(what)

    with tempfile.TemporaryDirectory() as folder:
        report_path, page, record = f"{folder}/report.json", f"{folder}/report.html", f"{folder}/rounds.rec"
        run("stream", "--distance", "5", "--p", "0.003", "--rounds", "60000", "--cadence-us", "1", "--json", report_path, "--html", page)
        report = json.loads(Path(report_path).read_text())
        expect("the stream allocated", report["allocations"] == 0)
        expect("60000 rounds were asked for", report["experiment"]["rounds"] == 60000 and report["reaction"]["n"] == 600)
        expect("18 windows and a reaction a shot", report["window"]["n"] == 600 * 18 and report["windows"] == 600 * 19)
        quantiles = [report["reaction"][q] for q in ("p50_us", "p90_us", "p99_us", "p99.9_us", "p99.99_us", "max_us")]
        expect(f"quantiles rise: {quantiles}", quantiles == sorted(quantiles) and quantiles[0] > 0)
        expect("about one shot in seven goes wrong", 0.08 < report["ler"]["share"] < 0.2)
        shares = [row["late_or_wrong"]["share"] for row in report["late_or_wrong"]]
        expect("later deadlines are missed less, wrong stays wrong", shares == sorted(shares, reverse=True) and shares[-1] >= report["ler"]["share"])
        expect("the page has its histograms", Path(page).read_text().count("<svg") == 2)
        disturbed, alone = report["disturbed"], report["undisturbed"]
        expect("each answer is disturbed or not", round(disturbed["windows"]["share"] * 600 * 18) == 600 * 18 - alone["window"]["n"]
               and round(disturbed["reactions"]["share"] * 600) == 600 - alone["reaction"]["n"])
        expect("undisturbed answers are no later than all", alone["reaction"]["max_us"] <= report["reaction"]["max_us"])

        run("stream", "--distance", "3", "--basis", "Z", "--p", "0.005", "--rounds", "6000", "--cadence-us", "0", "--record", record)
        expect("the replay agrees", "answers are those of the record" in run("replay", record))
        run("replay", record, "--compare", "correlated")
        whole = Path(record).read_bytes()
        header = 8 + 5 * 4 + 26 * 8 + 64
        shot = (len(whole) - header) // 100
        for name, changed, complaint in [
                ("flipped", whole[: header + 5 * shot - 4] + bytes([whole[header + 5 * shot - 4] ^ 1]) + whole[header + 5 * shot - 3:],
                 "1 answers differ from the record, the first in shot 4, window 18"),
                ("cut", whole[:-3], "are not whole shots"), ("magic", b"X" + whole[1:], "is no record"),
                ("noise", whole[:28] + bytes(7) + whole[35:], "fingerprint differs"),
                ("short", whole[:50], "is no record")]:
            path = f"{folder}/{name}.rec"
            Path(path).write_bytes(changed)
            run("replay", path, fails=complaint)
        run("replay", f"{folder}/nothing.rec", fails="cannot open")
        run("stream", "--distance", "4", "--p", "0.003", "--rounds", "100", fails="--distance: got 4")
        run("stream", "--distance", "15", "--p", "0.003", "--rounds", "100", fails="--distance: this program")
        for flag, value, complaint in [
                ("--cadence-us", "-1", "--cadence-us: got"), ("--cadence-us", "nan", "--cadence-us: got"), ("--rounds", "-5", "--rounds: got -5"),
                ("--shot-rounds", "-3", "--shot-rounds: got -3"), ("--shot-rounds", "2000000000", "--shot-rounds: got 2000000000"),
                ("--p", "0", "no matching weights"), ("--p", "nan", "--p: got"), ("--cpu", "-7", "--cpu -7"),
                ("--precision", "int8", "goes with --weights"), ("--json", f"{folder}/no/x", "cannot open"), ("--html", f"{folder}/no/x", "cannot open")]:
            done = run("stream", "--distance", "5", *(() if flag == "--p" else ("--p", "0.003")), *(() if flag == "--rounds" else ("--rounds", "100")),
                       flag, value, fails=complaint)
            expect(f"{flag} {value} is refused before any work", done == "")
        shortest = json.loads(run("stream", "--distance", "5", "--p", "0.003", "--rounds", "3", "--shot-rounds", "3", "--cadence-us", "0", "--json", "-"))
        expect("JSON alone on standard output, nothing disturbed without a schedule", shortest["disturbed"] is None and shortest["us_per_round"] > 0)

        # The network in the loop.
        small, other, mute, wide = (f"{folder}/{name}.safetensors" for name in ("small", "other", "mute", "wide"))
        for path, filters, seed, bias in [(small, [16, 16, 4], 1, -1.0), (other, [16, 16, 4], 2, -1.0), (mute, [16, 16, 4], 1, -100.0), (wide, [48, 4], 1, 0.0)]:
            promises.write_checkpoint(path, filters, seed, bias)
        shots = ["--distance", "5", "--p", "0.004", "--rounds", "30000", "--cadence-us", "0", "--json", report_path]
        run("stream", *shots)
        alone = json.loads(Path(report_path).read_text())
        for precision in ("fp32", "int8"):
            run("stream", *shots, "--weights", mute, "--precision", precision)
            report = json.loads(Path(report_path).read_text())
            expect("a network that corrects nothing changes nothing", report["mistakes"] == alone["mistakes"] and report["windows"] == alone["windows"])
            expect("the report names the network", report["network"]["shape"] == "4-16-16-4" and report["network"]["round"]["n"] > 20000)
        run("stream", *shots, "--weights", small, "--precision", "int8", "--record", record)
        report = json.loads(Path(report_path).read_text())
        expect("the stream with a network allocated", report["allocations"] == 0)
        expect("random corrections are felt", report["mistakes"] != alone["mistakes"])
        expect("the replay with the network agrees", "answers are those of the record" in run("replay", record, "--weights", small, "--precision", "int8"))
        run("replay", record, "--weights", other, "--precision", "int8", fails="the fingerprint of the network differs")
        run("replay", record, "--weights", small, fails="the fingerprint of the network differs")
        run("replay", record, fails="the fingerprint of the network differs")
        run("stream", *shots, "--weights", wide, fails="the network is 4-48-4; streams are compiled for")
        run("stream", *shots[2:], "--distance", "13", "--weights", small, fails="with a network at 5, 7 and 9, got 13")

        late = run("stream", "--distance", "5", "--p", "0.006", "--rounds", "20000", "--cadence-us", "0", "--deadline-us", "0.2")
        expect(f"a deadline of 0.2 us leaves answers local: {late}", "local" in late and " 0 local" not in late)
        late = run("stream", "--distance", "3", "--p", "0.006", "--rounds", "20000", "--cadence-us", "0", "--correlated", "--deadline-us", "0.2")
        expect(f"correlated answers are exact or local where time is short: {late}", " 0 exact" not in late and "local" in late)
        health = json.loads(run("doctor", "--seconds", "0.05", "--json", "-"))
        expect("the doctor finds and measures", len(health["findings"]) >= 10 and health["wake_up"]["n"] > 5 and health["spinning_gap"]["n"] > 1000)
        expect("the pool answers", "mistakes" in run("pool", "--distance", "3", "--qubits", "3", "--threads", "2", "--rounds", "3000"))
    promises.finish(problems, "stream, replay, doctor and pool")


main()
