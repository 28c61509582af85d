# SPDX-License-Identifier: Apache-2.0
"""The calibration commands from outside: the public measurements and their traps, bad input, the guardrails from the first file to the
written value, tampering with the audit file, replay, what-if, batch.

Every refusal has a twin that differs in one thing and passes, so that a rule that is taken away shows here.
"""
import json
import math
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

PROGRAM = os.environ["SPINEL_PROGRAM"]
SHARED = pathlib.Path(os.environ.get("SPINEL_SHARED_DIR", "/nonexistent")) / "calibration"
NOW = 1_790_000_000


def run(*arguments):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)


def decision_of(done):
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    lines = done.stdout.splitlines()
    assert len(lines) == 1, lines
    return json.loads(lines[0])


def csv(names, *columns):
    rows = zip(*columns)
    return ",".join(names) + "\n" + "".join(",".join(repr(float(v)) for v in row) + "\n" for row in rows)


def sweep(start, stop, n):
    return [start + (stop - start) * k / (n - 1) for k in range(n)]


def ramsey(f=4.3e5, t2=1.2e-5, seed=1, n=81, stop=2e-5, sigma=0.02):
    rng = random.Random(seed)
    x = sweep(0, stop, n)
    return x, [0.5 + 0.45 * math.exp(-t / t2) * math.cos(2 * math.pi * f * t) + rng.gauss(0, sigma) for t in x]


class Folder(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.dir)

    def write(self, name, content):
        path = self.dir / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path


def within(answer, parameter, name):
    key = answer["value"]
    if "tol_abs" in answer:
        tolerance = answer["tol_abs"]
    elif "tol_rel" in answer:
        tolerance = answer["tol_rel"] * abs(key)
    else:
        tolerance = answer.get("tol_nsigma", 3.0) * answer.get("stderr", parameter.get("stderr", 0))
    difference = parameter["value"] - key
    if name == "acq_rotation_rad":
        difference = math.remainder(difference, 2 * math.pi)
    return abs(difference) <= tolerance


class PublicMeasurements(Folder):
    def test_every_measurement_through_batch(self):
        if not (SHARED / "answers.json").exists():
            print(f"*** SKIPPED: {SHARED}/answers.json is absent; the real measurements were NOT checked ***", file=sys.stderr)
            self.skipTest("no measurements")
        data = json.loads((SHARED / "answers.json").read_text())["datasets"]
        for entry in data:
            if entry["family"].startswith("mixer"):
                continue
            shutil.copy(SHARED / entry["file"], self.dir / f"{entry['id']}.csv")
            meta = {k: v for k, v in entry["meta"].items() if k != "upstream_constraints"}
            self.write(f"{entry['id']}.request.json", {"family": entry["family"], "columns": entry["columns"], "meta": meta})
        out = self.dir / "out.jsonl"
        self.assertEqual(run("calibrate", "--batch", self.dir, "--out", out).returncode, 0)
        records = {r["id"]: r for r in map(json.loads, out.read_text().splitlines())}
        self.assertEqual(list(records), sorted(records), "in order of id")
        keyed, failed = 0, []
        for entry in data:
            record = records.get(entry["id"])
            if record is None:
                continue
            self.assertIn(record["decision"], ("advice", "rejected"))
            if entry["expected_status"] and record["verdict"]["status"] != entry["expected_status"]:
                failed.append((entry["id"], record["verdict"]["status"], entry["expected_status"]))
            params = {**record["fit"].get("estimates", {}), **record["fit"]["params"]}
            for name, answer in entry["answers"].items():
                keyed += 1
                if name not in params or not within(answer, params[name], name):
                    failed.append((entry["id"], name, params.get(name), answer))
        self.assertEqual(failed, [])
        self.assertGreaterEqual(keyed, 80)
        # The traps of the README, in their own words.
        trap = records["qibocal_ramsey_19"]
        self.assertEqual(trap["verdict"]["status"], "TOO_FEW_OSC")
        self.assertEqual(trap["fit"]["params"], {})
        self.assertFalse([a for a in trap["suggested_actions"] if a["type"] == "update"])
        self.assertEqual(records["qiskit_rb_1q"]["verdict"]["status"], "WINDOW_TOO_SHORT")
        self.assertEqual(records["qiskit_rb_1q"]["fit"]["params"], {})
        for name, record in records.items():
            if name.startswith("qibocal_rabi"):
                self.assertIn("extremum", " ".join(record["fit"]["constraints"]))
                gap = record["fit"]["params"]["half_period"]["value"] / record["fit"]["params"]["pi_amplitude"]["value"]
                self.assertGreater(gap, 1.05, "extremum and half period are two things")
            if name.endswith("t1_20210827"):
                self.assertIn("offset = 0", " ".join(record["fit"]["constraints"]))

    def test_free_and_fixed_offset_are_told_apart(self):
        rng = random.Random(4)
        x = sweep(0, 1e-4, 41)
        y = [0.9 * math.exp(-t / 3e-5) + 0.06 + rng.gauss(0, 0.005) for t in x] + [0.0, 1.0]
        trace = self.write("t.csv", csv(["delay_s", "population"], x + [1e-4, 1e-4], y))
        seen = {}
        for constraint in ("offset fixed", "offset free, amplitude free"):
            request = self.write("r.json", {"family": "t1", "columns": ["delay_s", "population"], "meta": {"cal_points": 2, "constraints": constraint}})
            record = decision_of(run("calibrate", "--trace", trace, "--request", request))
            fit = record["fit"]
            seen[constraint] = {**fit.get("estimates", {}), **fit["params"]}["T1_s"]["value"]
            self.assertTrue(fit["constraints"])
        self.assertGreater(abs(seen["offset fixed"] / seen["offset free, amplitude free"] - 1), 0.05)


class Traps(Folder):
    """Kinds to expect beyond the public files."""

    def decide(self, family, names, columns, meta=None):
        trace = self.write("t.csv", csv(names, *columns))
        request = self.write("r.json", {"family": family, "columns": names, "meta": meta or {}})
        return decision_of(run("calibrate", "--trace", trace, "--request", request))

    def test_aliased_ramsey_is_refused(self):
        x, y = ramsey(f=14.94e6, t2=2e-6, n=41, stop=2e-6)
        record = self.decide("ramsey", ["delay_s", "population"], (x, y), {"virtual_detuning_Hz": 15e6, "qubit_frequency_Hz": 5e9})
        self.assertEqual(record["verdict"]["status"], "SAMPLING_TOO_COARSE")
        self.assertEqual(record["fit"]["params"], {})
        self.assertFalse([a for a in record["suggested_actions"] if a["type"] == "update"])
        rerun = [a for a in record["suggested_actions"] if a["type"] == "rerun"][0]["sweep"]
        self.assertLess((rerun["stop"] - rerun["start"]) / (rerun["points"] - 1), 0.5 / 15e6, "the next sweep resolves the fringe")
        self.assertNotEqual(self.decide("ramsey", ["delay_s", "population"], ramsey(f=1.1e6, t2=2e-6, n=41, stop=2e-6), {"virtual_detuning_Hz": 1e6})["verdict"]["status"], "SAMPLING_TOO_COARSE")

    def test_stronger_line_at_f02_half(self):
        rng = random.Random(2)
        x = sweep(5.9e9, 6.2e9, 301)
        y = [0.2 + 1 / (1 + ((f - 5.998e9) / 2e6) ** 2) + 0.6 / (1 + ((f - 6.111e9) / 2e6) ** 2) + rng.gauss(0, 0.02) for f in x]
        record = self.decide("qubit_spectroscopy", ["frequency_Hz", "signal"], (x, y))
        self.assertAlmostEqual(record["fit"]["params"]["frequency_Hz"]["value"], 6.111e9, delta=5e5)

    def test_two_tones(self):
        rng = random.Random(3)
        x = sweep(0, 4e-5, 161)
        y = [0.5 + math.exp(-t / 3e-5) * (0.25 * math.cos(2 * math.pi * 2.86e5 * t) + 0.2 * math.cos(2 * math.pi * 2.35e5 * t)) + rng.gauss(0, 0.02) for t in x]
        record = self.decide("ramsey", ["delay_s", "population"], (x, y))
        self.assertEqual(record["verdict"]["status"], "BEATING")
        self.assertEqual(record["fit"]["params"], {})

    def test_a_shift_of_unknown_sign_is_not_written(self):
        # Fringes at 0.9 MHz under a virtual detuning of 0.5 MHz: the qubit is 0.4 MHz off on one side, or 1.4 MHz on the other.
        x, y = ramsey(f=9e5, n=161)
        meta = {"virtual_detuning_Hz": 5e5, "qubit_frequency_Hz": 5e9}
        record = self.decide("ramsey", ["delay_s", "population"], (x, y), meta)
        self.assertEqual((record["verdict"]["status"], record["verdict"]["rules_fired"]), ("SUCCESS", ["ramsey.sign"]))
        self.assertEqual([a["type"] for a in record["suggested_actions"]], ["rerun", "change"])
        self.assertAlmostEqual(record["suggested_actions"][1]["new"] / 3.5e6, 1, delta=0.02)
        # The sweep that it proposes settles it, for either side and with the sign of a negative virtual detuning.
        again = record["suggested_actions"][0]["sweep"]
        for wide in (3.5e6, -3.5e6):
            for shift in (-4e5, 1.4e6):
                x, y = ramsey(f=abs(wide - shift), n=again["points"], stop=again["stop"])
                second = self.decide("ramsey", ["delay_s", "population"], (x, y), {"virtual_detuning_Hz": wide, "qubit_frequency_Hz": 5e9})
                self.assertEqual([a["type"] for a in second["suggested_actions"]], ["update"])
                self.assertAlmostEqual(second["fit"]["params"]["delta_phys_Hz"]["value"], shift, delta=1e4)
        x, y = ramsey(f=6e5, n=161)
        record = self.decide("ramsey", ["delay_s", "population"], (x, y), meta)
        self.assertEqual([a["type"] for a in record["suggested_actions"]], ["update"])

    def test_a_saturated_digitizer(self):
        x, y = ramsey(sigma=0.01)
        cut = [min(v, 0.6) for v in y]
        self.assertEqual(self.decide("ramsey", ["delay_s", "signal_V"], (x, y))["verdict"]["status"], "SUCCESS")
        record = self.decide("ramsey", ["delay_s", "signal_V"], (x, cut))
        self.assertEqual((record["verdict"]["status"], record["verdict"]["outcome"]), ("BAD_INPUT", "apparatus"))
        self.assertIn("saturates", record["verdict"]["reason"])
        self.assertGreater(record["facts"]["saturated"], 0.1)
        # Few shots repeat their values everywhere, also at the ends.
        rng = random.Random(3)
        counted = [sum(rng.random() < v for _ in range(20)) / 20 for v in y]
        self.assertEqual(self.decide("ramsey", ["delay_s", "signal_V"], (x, counted))["verdict"]["status"], "SUCCESS")

    def test_an_outlier_is_no_line_and_noise_is_no_staircase(self):
        rng = random.Random(8)
        f = sweep(5e9, 5.1e9, 101)
        y = [rng.gauss(0, 0.02) for _ in f]
        y[40] += 0.14
        self.assertEqual(self.decide("qubit_spectroscopy", ["frequency_Hz", "signal"], (f, y))["verdict"]["status"], "NO_SIGNAL")
        line = [v + 0.4 / (1 + ((u - 5.04e9) / 2e6) ** 2) for u, v in zip(f, y)]
        self.assertEqual(self.decide("qubit_spectroscopy", ["frequency_Hz", "signal"], (f, line))["verdict"]["status"], "SUCCESS")
        pairs = list(range(21))
        stairs = [0.0] * 5 + [0.5] * 12 + [1.0] * 4
        statuses = [self.decide("allxy", ["index", "population"], (pairs, [v + rng.gauss(0, 0.01) for v in values]))["verdict"]["status"]
                    for values in (stairs, [0.5] * 21, [v + (0.45 if 5 <= k < 17 and k % 2 else 0.0) for k, v in enumerate(stairs)])]
        self.assertEqual(statuses, ["SUCCESS", "NO_SIGNAL", "MODERATE_ERROR"])

    def test_a_third_cloud(self):
        rng = random.Random(6)
        state = [k % 2 for k in range(2000)]
        clean = [(s * 5 + rng.gauss(0, 1), rng.gauss(0, 1)) for s in state]
        leaked = [(rng.gauss(2, 1.5), rng.gauss(9, 1.5)) if s and rng.random() < 0.3 else p for s, p in zip(state, clean)]
        statuses = [self.decide("gmm", ["prepared_state", "I", "Q"], (state, *zip(*points)))["verdict"]["status"] for points in (clean, leaked)]
        self.assertEqual(statuses, ["SUCCESS", "HIGH_POWER"])

    def test_coherence_above_what_t1_allows(self):
        rng = random.Random(2)
        x = sweep(0, 2e-4, 61)
        y = [0.5 + 0.45 * math.exp(-t / 4e-5) + rng.gauss(0, 0.01) for t in x]
        names, seen = ["delay_s", "population"], []
        trace = self.write("t.csv", csv(names, x, y))
        for t1 in (3e-5, {"value": 3e-5, "version": 4}, 1.2e-5):
            request = self.write("r.json", {"family": "t2_echo", "columns": names, "current_params": {"T1_s": t1}})
            seen.append(decision_of(run("calibrate", "--trace", trace, "--request", request))["verdict"]["status"])
        self.assertEqual(seen, ["SUCCESS", "SUCCESS", "FIT_POOR"])

    def test_clouds_that_touch_are_not_called_clean(self):
        rng = random.Random(5)
        state, i, q = [], [], []
        for k in range(2000):
            s = k % 2
            state.append(s), i.append(rng.gauss(0.6 * s, 1.0)), q.append(rng.gauss(0, 1.0))
        record = self.decide("single_shot_readout", ["prepared_state", "I", "Q"], (state, i, q))
        self.assertNotEqual(record["verdict"]["status"], "SUCCESS")
        self.assertFalse([a for a in record["suggested_actions"] if a["type"] == "update"])

    def test_no_signal(self):
        for family, name in (("rabi", "amplitude"), ("t1", "delay_us"), ("ramsey", "delay_us"), ("qubit_spectroscopy", "frequency_GHz")):
            rng = random.Random(family)
            x = sweep(0.01, 1, 51)
            record = self.decide(family, [name, "signal"], (x, [0.5 + rng.gauss(0, 0.1) for _ in x]))
            self.assertEqual(record["verdict"]["status"], "NO_SIGNAL", family)
            self.assertFalse([a for a in record["suggested_actions"] if a["type"] == "update"])

    def test_one_quadrature_only(self):
        rng = random.Random(6)
        x = sweep(0, 1, 61)
        record = self.decide("rabi", ["amplitude", "I", "Q"], (x, [3 - math.cos(2 * math.pi * 2.3 * a) + rng.gauss(0, 0.03) for a in x], [7 + rng.gauss(0, 0.03) for _ in x]))
        self.assertEqual(record["verdict"]["status"], "SUCCESS")
        self.assertAlmostEqual(record["fit"]["params"]["pi_amplitude"]["value"], 0.5 / 2.3, delta=0.005)


class BadInput(Folder):
    """A recorded verdict or a clear error naming the place; never a written parameter."""

    REQUEST = {"family": "t1", "columns": ["delay_us", "signal"], "current_params": {"T1_s": 2e-5}}
    GUARD = {"dry_run": False, "kill_switch": False, "data_time_s": NOW, "approval": {"by": "a person"},
             "limits": {"T1_s": {"min": 0, "max": 1, "max_step": 1, "per_hour": 100}}}

    def attempt(self, text, request=None):
        trace = self.write("t.csv", text)
        request = self.write("r.json", self.REQUEST if request is None else request)
        history, audit = self.dir / "h.jsonl", self.dir / "a.jsonl"
        done = run("calibrate", "--trace", trace, "--request", request, "--history", history, "--guardrails", self.write("g.json", self.GUARD), "--audit", audit, "--now", NOW)
        self.assertFalse(history.exists() and history.read_text(), "a parameter was written")
        self.assertGreaterEqual(done.returncode, 0, "the program crashed")
        return done

    def error(self, text, *words, request=None):
        done = self.attempt(text, request)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stdout, "")
        for word in words:
            self.assertIn(word, done.stderr)

    def verdict(self, text, *statuses, request=None):
        record = decision_of(self.attempt(text, request))
        self.assertIn(record["verdict"]["status"], statuses)
        self.assertFalse([a for a in record["suggested_actions"] if a["type"] == "update"])
        self.assertEqual(json.loads((self.dir / "a.jsonl").read_text().splitlines()[-1])["verdict"]["status"], record["verdict"]["status"])

    def test_a_good_trace_is_written(self):
        # The twin of everything below: only the trace is better.
        rng = random.Random(1)
        x = sweep(0, 100, 41)
        trace = self.write("t.csv", csv(["delay_us", "signal"], x, [math.exp(-t / 20) + rng.gauss(0, 0.01) for t in x]))
        history = self.dir / "h.jsonl"
        record = decision_of(run("calibrate", "--trace", trace, "--request", self.write("r.json", self.REQUEST), "--history", history, "--guardrails", self.write("g.json", self.GUARD), "--audit", self.dir / "a.jsonl", "--now", NOW))
        self.assertEqual(record["decision"], "applied", record["guard"])
        entry = json.loads(history.read_text())
        self.assertEqual((entry["param"], entry["family"]), ("T1_s", "t1"))
        self.assertAlmostEqual(entry["contrast"], 1, delta=0.05)
        # What a record carries beside the verdict.
        self.assertEqual(record["observations"] | {"ref": "", "sha256": ""}, {"ref": "", "sha256": "", "n": 41, "x_unit": "s", "y_unit": "1", "shots": None, "virtual_detuning_Hz": None, "cal_points": 0})
        self.assertEqual([len(row) for row in record["fit"]["correlations"]], [1, 2, 3])
        self.assertTrue(all(abs(v) <= 1 + 1e-12 for row in record["fit"]["correlations"] for v in row))
        self.assertEqual(len(record["fit"]["cov_sha"]), 64)
        self.assertLessEqual({"approval", "fallback", "reason_for_change"}, set(record))

    def test_contrast_and_width_are_compared_with_the_history(self):
        rng = random.Random(5)
        f = sweep(5e9, 5.1e9, 201)
        history = self.dir / "usual.jsonl"

        def status(height, width, entries=8, family="qubit_spectroscopy"):
            history.write_text("".join(json.dumps({"param": "f01_Hz", "value": 5.04e9, "time_s": NOW - 1000 + k, "family": family, "contrast": 1.0, "width_Hz": 1e6}) + "\n" for k in range(entries)))
            trace = self.write("t.csv", csv(["frequency_Hz", "signal"], f, [height / (1 + ((u - 5.04e9) / width) ** 2) + rng.gauss(0, 0.02) for u in f]))
            request = self.write("r.json", {"family": "qubit_spectroscopy", "columns": ["frequency_Hz", "signal"]})
            return decision_of(run("calibrate", "--trace", trace, "--request", request, "--history", history))["verdict"]["status"]

        self.assertEqual([status(0.9, 1.1e6), status(0.35, 1.1e6), status(0.9, 1.2e7)], ["SUCCESS", "LOW_CONTRAST", "AMP_TOO_HIGH"])
        # Too short a history, or another family's, says nothing.
        self.assertEqual([status(0.35, 1.1e6, 7), status(0.35, 1.1e6, 20, "res_spec")], ["SUCCESS", "SUCCESS"])

    def test_files(self):
        self.error("", "t.csv", "empty")
        self.error("delay_us,signal\n", "t.csv", "no data rows")
        self.error("delay_us,signal\n1,2\n3\n", "t.csv:3", "1 fields, expected 2")
        self.error("delay_us,signal\n1,2\n3,4,5\n", "t.csv:3", "3 fields, expected 2")
        self.error("delay_us,signal\n1,2\n3,x\n", "t.csv:3", "'x' in column signal")
        self.error("delay_s,signal\n1,2\n", "column 1 is 'delay_s'")
        self.error("signal,signal\n1,2\n", "two columns named 'signal'")
        # A byte order mark, blanks about the names and Windows line ends are no reason to refuse.
        self.verdict("\ufeffdelay_us, signal \r\n" + "".join(f"{k},0.5\r\n" for k in range(20)), "NO_SIGNAL")
        done = run("calibrate", "--trace", self.dir / "none.csv", "--request", self.write("r.json", self.REQUEST))
        self.assertEqual(done.returncode, 2)
        self.assertIn("none.csv", done.stderr)

    def test_requests(self):
        good = csv(["delay_us", "signal"], sweep(0, 100, 21), [0.5] * 21)
        self.error(good, "r.json", "'family'", request={"columns": ["delay_us", "signal"]})
        self.error(good, "unknown family", "ramsey_t2star", request={"family": "t7"})
        self.error(good, "r.json", request="{\"family\": ")
        self.error(good, "expected a JSON object", request="[1]")
        self.error(good, "meta.shots", request={"family": "t1", "meta": {"shots": "many"}})
        self.error(good, "cal_points", request={"family": "t1", "meta": {"cal_points": 3}})
        self.error(good, "cal_points", request={"family": "t1", "meta": {"cal_points": "four"}})
        self.error(good, "meta.shots", "positive", request={"family": "t1", "meta": {"shots": -5}})
        self.error(good, "columns must be a list", request={"family": "t1", "columns": "delay_us"})
        self.error(good, "current_params must be", request={"family": "t1", "current_params": [1]})
        self.error(good, "current_params.T1_s", request={"family": "t1", "current_params": {"T1_s": "long"}})
        self.verdict(good, "BAD_INPUT", request={"family": "t1", "meta": {"cal_points": 100}})
        for family, unit in (("rabi", "MHz"), ("drag", "us"), ("pingpong", "GHz"), ("randomized_benchmarking", "ns"), ("allxy", "V"), ("res_spec", "V"), ("time_of_flight", "Hz")):
            self.verdict(good.replace("delay_us", f"x_{unit}"), "BAD_INPUT", request={"family": family})
            self.assertIn("unit", json.loads((self.dir / "a.jsonl").read_text().splitlines()[-1])["verdict"]["reason"])
        self.verdict(good, "NO_SIGNAL", request={"family": "t1", "colour": "red", "meta": {"smell": 1}})
        self.assertIn("colour", json.loads((self.dir / "a.jsonl").read_text().splitlines()[-1])["notes"][0])
        self.assertIn("meta.smell", json.loads((self.dir / "a.jsonl").read_text().splitlines()[-1])["notes"][1])

    def test_traces(self):
        x, flat = sweep(0, 100, 41), [0.5] * 41
        decay = [math.exp(-t / 20) for t in x]
        names = ["delay_us", "signal"]
        self.verdict(csv(names, x, [math.nan] * 41), "BAD_INPUT")
        self.verdict(csv(names, x, flat), "NO_SIGNAL")
        self.verdict(csv(names, [1], [1]), "BAD_INPUT")
        self.verdict(csv(names, [3] * 41, decay), "BAD_INPUT")
        self.verdict(csv(names, [math.nan] * 41, decay), "BAD_INPUT")
        self.verdict(csv(names, x, [math.inf] * 41), "BAD_INPUT")
        self.verdict(csv(["frequency_GHz", "signal"], x, decay), "BAD_INPUT", request={"family": "t1", "columns": ["frequency_GHz", "signal"]})
        self.verdict(csv(["delay_us"], x), "BAD_INPUT", request={"family": "t1", "columns": ["delay_us"]})

    def test_reversed_and_repeated_sweeps_answer_the_same(self):
        rng = random.Random(9)
        x = sweep(0, 100, 41)
        y = [math.exp(-t / 20) + rng.gauss(0, 0.01) for t in x]
        values = []
        for a, b in ((x, y), (x[::-1], y[::-1]), (x + x, y + y)):
            record = decision_of(run("calibrate", "--trace", self.write("t.csv", csv(["delay_us", "signal"], a, b)), "--request", self.write("r.json", self.REQUEST)))
            values.append(record["fit"]["params"]["T1_s"]["value"])
        self.assertEqual(values[0], values[1])
        self.assertAlmostEqual(values[2] / values[0], 1, delta=1e-6)

    def test_a_million_rows(self):
        rows = "".join(f"{k * 1e-4:.4f},{0.5 + 0.4 * math.exp(-k * 1e-4 / 20):.4f}\n" for k in range(1_000_000))
        self.verdict("delay_us,signal\n" + rows, "BAD_INPUT")
        self.assertIn("more rows", json.loads((self.dir / "a.jsonl").read_text())["verdict"]["reason"])
        rows = "".join(f"{k % 2},{k % 7},{k % 5}\n" for k in range(1_000_000))
        self.verdict("prepared_state,I,Q\n" + rows, "BAD_INPUT", request={"family": "gmm"})


class Guardrails(Folder):
    """One update that passes, and one change at a time that stops it."""

    def setUp(self):
        super().setUp()
        x, y = ramsey()
        self.trace = self.write("t.csv", csv(["delay_s", "population"], x, y))
        self.request = {"family": "ramsey", "columns": ["delay_s", "population"], "operator": "auto-agent",
                        "meta": {"virtual_detuning_Hz": 4.2e5, "qubit_frequency_Hz": 5e9, "data_time_s": NOW - 10}, "current_params": {"f01_Hz": 5e9}}
        self.guard = {"dry_run": False, "kill_switch": False,
                      "limits": {"f01_Hz": {"min": 4.9e9, "max": 5.1e9, "max_step": 2e6, "per_hour": 6, "cumulative_24h": 1e7, "resolution": 1e4}}}
        self.history = [{"param": "f01_Hz", "value": 5e9 + 1e4 * (k % 3 - 1), "time_s": NOW - 90000 + 7000 * k} for k in range(10)]
        self.history[-1]["value"] = 5e9
        self.audit = self.dir / "audit.jsonl"

    def attempt(self, now=NOW, audit=True, history=True, extra=()):
        path = self.dir / "history.jsonl"
        before = "".join(json.dumps(e) + "\n" for e in self.history)
        path.write_text(before)
        arguments = ["calibrate", "--trace", self.trace, "--request", self.write("r.json", self.request), "--guardrails", self.write("g.json", self.guard), "--now", now, *extra]
        if audit:
            arguments += ["--audit", self.audit]
        if history:
            arguments += ["--history", path]
        record = decision_of(run(*arguments))
        written = path.read_text() != before
        self.assertEqual(written, record["decision"] == "applied", "written exactly when applied")
        return record

    def stopped(self, check, decision=None, **how):
        record = self.attempt(**how)
        self.assertNotEqual(record["decision"], "applied")
        self.assertEqual(record["guard"][-1]["check"], check)
        self.assertFalse(record["guard"][-1]["pass"])
        if decision:
            self.assertEqual(record["decision"], decision)

    def test_passes_and_is_recorded(self):
        record = self.attempt()
        self.assertEqual(record["decision"], "applied", record["guard"])
        self.assertTrue(all(c["pass"] for c in record["guard"]))
        self.assertEqual(run("audit", "verify", self.audit).returncode, 0)

    def test_dry_run_is_the_default(self):
        del self.guard["dry_run"]
        self.assertEqual(self.attempt()["decision"], "advice")
        self.guard["dry_run"] = False
        self.assertEqual(self.attempt(extra=["--dry-run"])["decision"], "advice")

    def test_the_example_file_gives_advice_until_it_is_told_to_write(self):
        self.guard = json.loads((pathlib.Path(__file__).parents[2] / "examples" / "guardrails.json").read_text())
        self.assertEqual(self.attempt()["decision"], "advice")
        self.guard["dry_run"] = False
        self.assertEqual(self.attempt(now=NOW + 1)["decision"], "applied")
        self.guard["kill_switch"] = True
        self.stopped("kill_switch", "rejected", now=NOW + 2)

    def test_kill_switch(self):
        self.guard["kill_switch"] = True
        self.stopped("kill_switch", "rejected")
        del self.guard["kill_switch"]
        self.stopped("kill_switch", "rejected")

    def test_age_of_the_data_is_never_assumed(self):
        self.request["meta"]["data_time_s"] = NOW - 301
        self.stopped("data_age_s", "held")
        del self.request["meta"]["data_time_s"]
        self.stopped("data_age_s", "held", now=NOW + 1)
        self.request["request_ts"] = "2026-09-21T14:13:20Z"  # NOW
        self.assertEqual(self.attempt(now=NOW + 2)["decision"], "applied")

    def test_clock_comes_from_audit_and_history(self):
        self.assertEqual(self.attempt()["decision"], "applied")
        self.stopped("clock", "rejected", now=NOW - 1)
        self.audit.unlink(), pathlib.Path(f"{self.audit}.head").unlink()
        self.history.append({"param": "beta", "value": 0.1, "time_s": NOW + 5})
        self.stopped("clock", "rejected")

    def test_old_value_comes_from_the_history(self):
        self.request["current_params"]["f01_Hz"] = 5e9 + 5e4
        self.stopped("old_value", "rejected")
        del self.request["current_params"]
        record = self.attempt(now=NOW + 1)
        self.assertEqual(record["decision"], "applied")
        self.assertEqual([a for a in record["suggested_actions"] if a["type"] == "update"][0]["old"], 5e9)

    def test_bounds_and_step(self):
        limits = self.guard["limits"]["f01_Hz"]
        for key, value, check in (("min", 5.05e9, "bound_low"), ("max", 4.95e9, "bound_high"), ("max_step", 100, "step")):
            before = limits[key]
            limits[key] = value
            self.audit = self.dir / f"{check}.jsonl"
            self.stopped(check, "rejected")
            del limits[key]
            self.audit = self.dir / f"{check}-absent.jsonl"
            self.stopped(check, "rejected")
            limits[key] = before
        self.guard["limits"] = {"beta": {"min": 0, "max": 1, "max_step": 1}}
        self.stopped("schema", "rejected")

    def test_rates(self):
        for k in range(6):
            self.history.append({"param": "f01_Hz", "value": 5e9, "time_s": NOW - 3000 + k})
        self.stopped("rate_hour", "held")
        self.history = self.history[:10]
        for k in range(10):
            self.history.append({"param": "f01_Hz", "value": 5e9 + (5e5 if k % 2 == 0 else 0), "time_s": NOW - 20000 + k})
        self.guard["limits"]["f01_Hz"]["cumulative_24h"] = 1e6
        self.stopped("rate_day", "held")

    def test_anomaly(self):
        x, y = ramsey(f=3.2e5)
        self.write("t.csv", csv(["delay_s", "population"], x, y))
        self.stopped("anomaly_z", "held")

    def test_cold_start_needs_a_person(self):
        self.history = self.history[-3:]
        self.stopped("cold_start_approval", "held")
        self.guard["approval"] = {"by": "auto-agent"}
        self.stopped("cold_start_approval", "held", now=NOW + 1)
        self.guard["approval"] = {"by": "a person", "ticket": "T-1"}
        self.assertEqual(self.attempt(now=NOW + 2)["decision"], "applied")

    def test_wider_limits_need_two_persons(self):
        self.assertEqual(self.attempt()["decision"], "applied")
        for number, (where, key, value) in enumerate(((self.guard["limits"]["f01_Hz"], "max_step", 3e6), (self.guard["limits"]["f01_Hz"], "max", 5.2e9), (self.guard, "max_age_s", 900), (self.guard, "min_confidence", 0.1), (self.guard, "cold_start", 1))):
            before = where.get(key)
            where[key] = value
            self.stopped("two_person_limits", "rejected", now=NOW + 1 + number)
            self.guard["limits_approved_by"] = ["ada", "ada"]
            self.stopped("two_person_limits", "rejected", now=NOW + 1 + number)
            self.guard["limits_approved_by"] = ["ada", "auto-agent"]
            self.stopped("two_person_limits", "rejected", now=NOW + 1 + number)
            del self.guard["limits_approved_by"]
            where[key] = before
            if before is None:
                del where[key]
        self.guard["limits"]["f01_Hz"]["max_step"] = 3e6
        self.guard["limits_approved_by"] = ["ada", "ben"]
        self.assertEqual(self.attempt(now=NOW + 10)["decision"], "applied")
        del self.guard["limits_approved_by"]
        self.assertEqual(self.attempt(now=NOW + 11)["decision"], "applied", "the approved limits are in force now")
        self.guard["limits"]["f01_Hz"]["max_step"] = 1e6
        self.assertEqual(self.attempt(now=NOW + 12)["decision"], "applied", "tighter limits need nobody")

    def test_no_write_without_history_or_audit(self):
        self.stopped("rollbacks", "held", audit=False)
        self.assertEqual(self.attempt(history=False)["decision"], "held")

    def test_failed_write_rolls_back_and_counts(self):
        # A history that cannot be written: the decision says so, and three within the hour stop the fourth.
        arguments = ["calibrate", "--trace", self.trace, "--request", self.write("r.json", self.request), "--audit", self.audit, "--history", self.dir / "no folder" / "h.jsonl"]
        self.guard["approval"] = {"by": "a person"}
        guard = self.write("g.json", self.guard)
        for k in range(3):
            done = run(*arguments, "--guardrails", guard, "--now", NOW + k)
            self.assertEqual(decision_of(done)["decision"], "rolled_back")
        record = decision_of(run(*arguments, "--guardrails", guard, "--now", NOW + 3))
        self.assertEqual((record["decision"], record["guard"][-1]["check"]), ("held", "rollbacks"))

    def test_misspelled_fields_are_errors(self):
        for spoil in (lambda g: g.update(kil_switch=False), lambda g: g["limits"]["f01_Hz"].update(maxstep=1), lambda g: g.update(dry_run="no"), lambda g: g["limits"]["f01_Hz"].update(max="much"), lambda g: g.pop("limits")):
            guard = json.loads(json.dumps(self.guard))
            spoil(guard)
            done = run("calibrate", "--trace", self.trace, "--request", self.write("r.json", self.request), "--guardrails", self.write("g.json", guard))
            self.assertEqual(done.returncode, 2, guard)
            self.assertIn("guardrails", done.stderr)
        done = run("calibrate", "--trace", self.trace, "--request", self.write("r.json", self.request), "--history", self.write("h.jsonl", '{"param": "x"}\n'))
        self.assertEqual(done.returncode, 2)
        self.assertIn("h.jsonl:1", done.stderr)


class Audit(Folder):
    def setUp(self):
        super().setUp()
        self.audit = self.dir / "audit.jsonl"
        self.extra = []
        for k in range(8):
            self.add(k)

    def add(self, k, *extra):
        x, y = ramsey(seed=k)
        trace = self.write(f"t{k}.csv", csv(["delay_s", "population"], x, y))
        request = self.write(f"r{k}.json", {"family": "ramsey", "experiment_id": f"e{k}", "columns": ["delay_s", "population"], "meta": {"virtual_detuning_Hz": 4e5}, "current_params": {"f01_Hz": 5e9}})
        return decision_of(run("calibrate", "--trace", trace, "--request", request, "--audit", self.audit, "--now", NOW + k, *extra))

    def problems(self):
        done = run("audit", "verify", self.audit)
        return done.returncode, done.stdout

    def test_untouched_holds_and_replays(self):
        code, text = self.problems()
        self.assertEqual((code, "8 records" in text), (0, True))
        done = run("audit", "replay", self.audit)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("8 records, 0 differ", done.stdout)

    def test_each_tampering_is_found_and_named(self):
        good = self.audit.read_text().splitlines()
        head = pathlib.Path(f"{self.audit}.head").read_text()

        def check(lines, place, end="\n"):
            self.audit.write_text("".join(line + "\n" for line in lines[:-1]) + (lines[-1] + end if lines else ""))
            code, text = self.problems()
            self.assertEqual(code, 1)
            self.assertIn(place, text)
            self.assertNotEqual(decision_of_or_none(self), True)

        def decision_of_or_none(test):
            # Nothing is added to a chain that does not hold.
            done = run("calibrate", "--trace", test.dir / "t0.csv", "--request", test.dir / "r0.json", "--audit", test.audit, "--now", NOW + 100)
            return done.returncode == 0

        for k in range(8):
            for old, new in (('"confidence":', '"confidence": '), ('"v":1', '"v":2'), (f'"e{k}"', '"e9"')):
                check(good[:k] + [good[k].replace(old, new, 1)] + good[k + 1:], f"audit.jsonl:{k + 1}:")
            check(good[:k] + good[k + 1:], f"audit.jsonl:{min(k + 1, 8)}:")
            check(good[:k] + [good[k][:-40]] + good[k + 1:], f"audit.jsonl:{k + 1}:")
            check(good[:k] + [good[k]] + good[k:], f"audit.jsonl:{k + 2}:")
            if k < 7:
                check(good[:k] + [good[k + 1], good[k]] + good[k + 2:], f"audit.jsonl:{k + 1}:")
            if k > 0:
                check(good[:k], f"audit.jsonl:{k + 1}:")
        check(good, "audit.jsonl:8:", end="")
        # Edited and linked again: the next record shows it; the last one, the head.
        for k in (3, 7):
            record = json.loads(good[k])
            record["confidence"] = 1.0
            record.pop("hash")
            import hashlib
            body = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            if hashlib.sha256((record["prev"] + body).encode()).hexdigest() == json.loads(good[k])["hash"]:
                continue
            record["hash"] = hashlib.sha256((record["prev"] + body).encode()).hexdigest()
            check(good[:k] + [json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)] + good[k + 1:], f"audit.jsonl:{k + 2}:")
        self.audit.unlink()
        self.assertNotEqual(self.problems()[0], 0)
        self.assertFalse(decision_of_or_none(self), "an audit file that vanished is not begun anew")
        self.audit.write_text("".join(line + "\n" for line in good))
        pathlib.Path(f"{self.audit}.head").unlink()
        self.assertEqual(self.problems()[0], 1)
        pathlib.Path(f"{self.audit}.head").write_text(head)
        self.assertEqual(self.problems()[0], 0)

    def test_replay_names_a_changed_trace_and_a_changed_verdict(self):
        self.write("t2.csv", (self.dir / "t2.csv").read_text().replace("0.5", "0.6", 1))
        done = run("audit", "replay", self.audit)
        self.assertEqual(done.returncode, 1)
        self.assertIn("audit.jsonl:3", done.stdout)
        lines = self.audit.read_text().splitlines()
        lines[4] = lines[4].replace('"status":"SUCCESS"', '"status":"FIT_POOR"')
        self.audit.write_text("\n".join(lines) + "\n")
        self.assertIn("audit.jsonl:5: differs at /verdict/status", run("audit", "replay", self.audit).stdout)

    def test_whatif(self):
        same = run("audit", "whatif", self.audit, "--ruleset", self.write("same.json", {"thresholds": {}}))
        self.assertEqual((same.returncode, same.stdout), (0, ""))
        strict = run("audit", "whatif", self.audit, "--ruleset", self.write("strict.json", {"thresholds": {"ramsey_min_periods": 50}}))
        self.assertEqual(strict.returncode, 0)
        changed = [json.loads(line) for line in strict.stdout.splitlines()]
        self.assertEqual([c["experiment_id"] for c in changed], [f"e{k}" for k in range(8)])
        self.assertTrue(all(c["status"] == ["SUCCESS", "TOO_FEW_OSC"] for c in changed))
        bad = run("audit", "whatif", self.audit, "--ruleset", self.write("bad.json", {"thresholds": {"nope": 1}}))
        self.assertEqual(bad.returncode, 2)
        self.assertIn("nope", bad.stderr)

    def test_rotation_keeps_one_chain(self):
        for k in range(8, 16):
            self.add(k, "--rotate-bytes", 9000)
        segments = sorted(p.name for p in self.dir.glob("audit.jsonl.0*"))
        self.assertGreaterEqual(len(segments), 2)
        code, text = self.problems()
        self.assertEqual((code, "16 records" in text), (0, True), text)
        self.assertIn("16 records, 0 differ", run("audit", "replay", self.audit).stdout)
        first = self.dir / segments[0]
        content = first.read_text()
        first.write_text(content.replace('"v":1', '"v":3', 1))
        self.assertIn(f"{segments[0]}:1:", self.problems()[1])
        first.unlink()
        self.assertIn(segments[0], self.problems()[1])
        first.write_text(content)
        (self.dir / segments[1]).rename(self.dir / "kept")
        self.assertEqual(self.problems()[0], 1)

    def test_redaction_keeps_hashes_only(self):
        self.add(9, "--redact")
        line = self.audit.read_text().splitlines()[-1]
        record = json.loads(line)
        self.assertNotIn("t9.csv", line)
        self.assertEqual(record["observations"]["ref"], "redacted")
        self.assertEqual(list(record["inputs"]), ["sha256"])
        self.assertEqual(self.problems()[0], 0)
        self.assertIn("9 records, 0 differ, 1 redacted", run("audit", "replay", self.audit).stdout)


class Report(Folder):
    """One page a decision: well formed, nothing fetched, nothing unescaped."""

    def page(self, family, names, columns, **fields):
        trace = self.write("t.csv", csv(names, *columns))
        request = self.write("r.json", {"family": family, "columns": names, **fields})
        report = self.dir / "page.html"
        record = decision_of(run("calibrate", "--trace", trace, "--request", request, "--report", report))
        text = report.read_text()
        svg = text[text.index("<svg"):text.index("</svg>") + 6] if "<svg" in text else ""
        if svg:
            xml.etree.ElementTree.fromstring(svg)
        for word in ("http://", "https://", "<script", "src="):
            self.assertNotIn(word, text)
        self.assertIn(record["verdict"]["status"], text)
        self.assertIn(record["verdict"]["reason"].replace("'", "&#39;")[:20], text)
        return text, svg, record

    def test_sweep_with_fit_and_next_sweep(self):
        x, y = ramsey()
        text, svg, _ = self.page("ramsey", ["delay_s", "population"], (x, y), target="<q3> & \"q4\"")
        self.assertEqual(svg.count("<circle"), len(x))
        self.assertIn("class='fit'", svg)
        self.assertIn("&lt;q3&gt; &amp; &quot;q4&quot;", text)
        # The curve runs through the points: its height over the first point is that point's.
        points = svg[svg.index("points='") + 8:].split("'")[0].split()
        circles = [float(part.split("'")[1]) for part in svg.split("cy=")[1:]]
        self.assertLess(abs(float(points[0].split(",")[1]) - circles[0]), 20)
        x, y = ramsey(f=4e4)
        _, svg, record = self.page("ramsey", ["delay_s", "population"], (x, y))
        self.assertEqual(record["verdict"]["status"], "TOO_FEW_OSC")
        self.assertIn("class='next'", svg)
        self.assertIn("doubtful", svg)

    def test_shots_and_maps(self):
        rng = random.Random(1)
        state = [k % 2 for k in range(400)]
        _, svg, _ = self.page("gmm", ["prepared_state", "I", "Q"], (state, [s + rng.gauss(0, 0.1) for s in state], [rng.gauss(0, 0.1) for _ in state]))
        self.assertEqual(svg.count("class='s1'"), 200)
        b, f = zip(*[(b / 10, 5e9 + 1e6 * f) for b in range(-10, 11) for f in range(60)])
        _, svg, _ = self.page("qubit_flux_map", ["bias_V", "frequency_Hz", "signal"], (b, f, [rng.gauss(0, 0.05) + 1 / (1 + ((v - 5.04e9 + 2e7 * u * u) / 2e6) ** 2) for u, v in zip(b, f)]))
        self.assertGreater(svg.count("fill='rgb("), 1000)

    def test_nothing_to_draw(self):
        self.page("t1", ["delay_us", "signal"], ([1, 2], [math.nan, math.nan]))


class Batch(Folder):
    def test_bad_entries_are_verdicts_and_nothing_is_written(self):
        x, y = ramsey()
        self.write("b.csv", csv(["delay_s", "population"], x, y))
        self.write("b.request.json", {"family": "ramsey", "columns": ["delay_s", "population"]})
        self.write("a.csv", "")
        self.write("a.request.json", {"family": "t1"})
        self.write("c.csv", "delay_s,population\n1,2\n")
        done = run("calibrate", "--batch", self.dir)
        records = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([(r["id"], r["verdict"]["status"]) for r in records], [("a", "BAD_INPUT"), ("b", "SUCCESS"), ("c", "BAD_INPUT")])
        self.assertEqual(done.returncode, 0)
        self.assertEqual(run("calibrate", "--batch", self.dir / "none").returncode, 2)
        history = self.write("h.jsonl", json.dumps({"param": "f01_Hz", "value": 5e9, "time_s": NOW}) + "\n")
        before = history.read_text()
        run("calibrate", "--batch", self.dir, "--history", history, "--guardrails", self.write("g.json", BadInput.GUARD), "--now", NOW)
        self.assertEqual(history.read_text(), before)

    def test_preflight(self):
        request = {"family": "ramsey", "meta": {"virtual_detuning_Hz": 15e6}, "plan": {"start": 0, "stop": 2e-6, "points": 41, "unit": "s"}}
        record = decision_of(run("calibrate", "--request", self.write("r.json", request)))
        self.assertEqual(record["verdict"]["status"], "SAMPLING_TOO_COARSE")
        request["meta"]["virtual_detuning_Hz"] = 2e6
        self.assertEqual(decision_of(run("calibrate", "--request", self.write("r.json", request)))["verdict"]["status"], "SUCCESS")
        def plan(family, start, stop, points, unit, current=None, guard=None, meta=None, **more):
            request = {"family": family, "meta": meta or {}, "current_params": current or {}, "plan": {"start": start, "stop": stop, "points": points, "unit": unit, **more}}
            extra = ["--guardrails", self.write("g.json", {"limits": {}, **guard})] if guard else []
            record = decision_of(run("calibrate", "--request", self.write("p.json", request), *extra))
            status = record["verdict"]["status"]
            self.assertEqual(record["decision"], "advice" if status == "SUCCESS" else "rejected")
            self.assertEqual([c["pass"] for c in record["guard"]], [True] * (len(record["guard"]) - 1) + [status == "SUCCESS"])
            if status not in ("SUCCESS", "BAD_INPUT"):
                self.assertNotEqual(status, "SUCCESS")
                sweeps = [a["sweep"] for a in record["suggested_actions"] if a["type"] == "rerun"]
                for s in sweeps:
                    self.assertEqual(plan(family, s["start"], s["stop"], s["points"], s["unit"], current, guard, meta, **more), "SUCCESS")
            return status

        # Each refusal beside the plan that differs in one thing and passes.
        self.assertEqual([plan("t1", 0, stop, 41, "us", {"T1_s": {"value": 3e-5}}) for stop in (40, 150, 900)], ["WINDOW_TOO_SHORT", "SUCCESS", "SAMPLING_TOO_COARSE"])
        self.assertEqual([plan("t2_echo", 0, 150, 41, "us", {"T1_s": 1e-3, "T2_echo_s": t}) for t in (3e-5, 1e-3)], ["SUCCESS", "WINDOW_TOO_SHORT"])
        self.assertEqual([plan("rabi", 0, top, 51, "V", None, {"max_amplitude": 0.8}) for top in (0.8, 0.81)], ["SUCCESS", "AMP_TOO_HIGH"])
        self.assertEqual([plan("qubit_spectroscopy", 5, 5.1, 201, "GHz", None, {"max_power_dBm": -20}, power_dBm=p) for p in (-20, -19)], ["SUCCESS", "AMP_TOO_HIGH"])
        self.assertEqual([plan("ramsey_t2star", 0, 20, 61, "us", {"T2_star_s": t}, meta={"virtual_detuning_Hz": 5e5}) for t in (1e-5, 3e-5)], ["SUCCESS", "WINDOW_TOO_SHORT"])
        self.assertEqual([plan("t1", *shape) for shape in ((0, 100, 41, "GHz"), (100, 0, 41, "us"), (0, 100, 3, "us"))], ["BAD_INPUT"] * 3)
        done = run("calibrate", "--request", self.write("r.json", {"family": "t1", "plan": {"start": 0, "stop": 1, "points": 41, "unit": "weeks"}}))
        self.assertEqual((done.returncode, "weeks" in done.stderr), (2, True))
        del request["plan"]["stop"]
        done = run("calibrate", "--request", self.write("r.json", request))
        self.assertEqual((done.returncode, "plan.stop" in done.stderr), (2, True))


if __name__ == "__main__":
    unittest.main()
