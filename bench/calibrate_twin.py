# SPDX-License-Identifier: Apache-2.0
"""A numeric twin of QCalEval's 82 numeric scenarios (arXiv 2604.25884): seeded traces with known truth, and the scores of `spinel
calibrate` on them for questions 2 (outcome), 4 (fit), 5 (parameters) and 6 (status and next sweep).

The engine sees numbers where the benchmark's models saw pictures, and the generator is this project's own: the scores say how well the
rules hold on data of the described kind, not where the engine would stand on the leaderboard.

usage: calibrate_twin.py PROGRAM [--seeds N] [--first SEED] [--table] [--failures N] [--family F] [--keep DIR]
"""
import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

TAU = 2 * math.pi
FAMILIES = {
    "coupler_flux": ["success", "bad_fit"],
    "cz_benchmarking": ["success", "no_gate", "miscalibrated"],
    "drag": ["success", "no_signal", "position_far_offset", "first_quarter", "last_quarter"],
    "gmm": ["success", "high_power", "no_excitation", "no_res_response", "no_signal"],
    "microwave_ramsey": ["success", "detuned", "low_contrast"],
    "pinchoff": ["success", "incomplete_transition", "noisy_no_transition", "stabilize_negative", "stabilize_positive"],
    "pingpong": ["well_calibrated", "moderate_error", "large_error", "no_excitation"],
    "qubit_flux_spectroscopy": ["success", "bad_fit", "fit_failed", "no_data", "no_response", "not_tunable"],
    "qubit_spectroscopy": ["success", "multiple_peaks", "no_peaks"],
    "qubit_spectroscopy_power_frequency": ["f01_f02half_full_range", "f01_low_amp_sharp", "f01_only_full_range", "f01_f02half_amp_too_high", "f01_only_amp_too_high", "no_signal"],
    "rabi": ["success", "off_resonance", "limited_range", "damped", "random_signal", "too_fast", "too_slow"],
    "rabi_hw": ["success", "incorrect_fit", "insufficient_amplitude_range", "off_resonant_drive"],
    "ramsey_charge_tomography": ["clean", "few_bursts", "many_bursts", "noisy"],
    "ramsey_freq_cal": ["success", "beating", "too_few_osc", "too_many_osc"],
    "ramsey_t2star": ["success", "beating", "sampling_too_coarse", "window_too_short", "zero_detuning"],
    "res_spec": ["wide", "2qubit_wide", "zoomed", "wide_no_signal", "zoomed_no_signal"],
    "rydberg_ramsey": ["success", "undersampled"],
    "rydberg_spectroscopy": ["success", "low_contrast"],
    "t1": ["success", "no_signal", "sampling_too_coarse", "window_too_short"],
    "t1_fluctuations": ["stable", "telegraphic", "random_walk"],
}
# Families whose pictures carry no fitted curve: question 4 is "No fit" whatever the data look like.
UNFITTED = {"pinchoff", "qubit_spectroscopy_power_frequency", "ramsey_charge_tomography", "res_spec", "t1_fluctuations"}
GOOD = {"SUCCESS": "expected", "STABLE": "expected", "NO_EVENT": "expected", "EVENT": "expected"}
BAD = {
    "FIT_POOR": "suboptimal", "FIT_FAILED": "suboptimal", "RANGE_TOO_NARROW": "suboptimal", "OPTIMAL_NOT_CENTERED": "suboptimal",
    "HIGH_POWER": "suboptimal", "MODERATE_ERROR": "suboptimal", "AMP_TOO_HIGH": "suboptimal", "UNDERSAMPLED": "suboptimal",
    "TOO_FEW_OSC": "suboptimal", "TOO_MANY_OSC": "suboptimal", "SAMPLING_TOO_COARSE": "suboptimal", "WINDOW_TOO_SHORT": "suboptimal",
    "NO_DETUNING": "suboptimal", "INCOMPLETE": "suboptimal", "NO_EXCITATION": "anomalous", "LARGE_ERROR": "anomalous", "DAMPED": "anomalous",
    "OFF_RESONANCE": "anomalous", "BEATING": "anomalous", "MULTIPLE_PEAKS": "anomalous", "DETUNED": "anomalous", "LOW_CONTRAST": "anomalous",
    "NO_GATE": "anomalous", "MISCALIBRATED": "anomalous", "NOT_TUNABLE": "anomalous", "NEGATIVE_OFFSET": "anomalous", "POSITIVE_OFFSET": "anomalous",
    "TELEGRAPHIC": "anomalous", "RANDOM_WALK": "anomalous", "NO_SIGNAL": "apparatus", "NO_RES_RESPONSE": "apparatus", "NO_TRANSITION": "apparatus",
    "NO_COHERENCE": "apparatus"}


# Question 5 where it asks for words, of good traces: read off the public labels.
WORDS = {
    ("t1", "SUCCESS"): {"decay_visible": True}, ("drag", "SUCCESS"): {"intersection_clear": True},
    ("rabi", "SUCCESS"): {"amplitude_decay": "stable", "signal_quality": "clean"}, ("rabi_hw", "SUCCESS"): {"amplitude_decay": "stable", "signal_quality": "clean"},
    ("ramsey_charge_tomography", "EVENT"): {"event_detected": True}, ("ramsey_charge_tomography", "NO_EVENT"): {"event_detected": False},
    ("qubit_spectroscopy_power_frequency", "SUCCESS"): {"power_regime": "optimal", "measurement_usable": True}, ("gmm", "SUCCESS"): {"separation": "well-separated"},
    ("pingpong", "SUCCESS"): {"accumulation_type": "linear"}, ("t1_fluctuations", "STABLE"): {"classification": "stable"}}


class Twin:
    """One scenario: columns, meta, truth."""
    families, salt = FAMILIES, ()  # what another generator (calibrate_second.py) has of its own

    def __init__(self, family, scenario, seed, louder=1.0):
        self.family, self.scenario, self.louder = family, scenario, louder
        self.rng = np.random.default_rng([seed, list(self.families).index(family), self.families[family].index(scenario), *self.salt])
        self.columns, self.meta, self.params, self.sweep, self.outcome = {}, {}, {}, None, None
        getattr(self, family)(scenario)
        self.outcome = self.outcome or GOOD.get(self.status) or BAD[self.status]
        good = self.status in GOOD
        if self.params or self.status in GOOD:
            for name, value in WORDS.get((family, self.status), {}).items():
                self.params[name] = (value, 0)
        if family == "qubit_spectroscopy_power_frequency" and good:
            self.params["transitions_visible"] = ("f01_f02half" if "f02half" in scenario else "f01_only", 0)
        self.fit = "no_fit" if family in UNFITTED else "reliable" if good else "unreliable"

    # == Helpers ==
    def u(self, low, high):
        return float(self.rng.uniform(low, high))

    def lu(self, low, high):
        return float(math.exp(self.rng.uniform(math.log(low), math.log(high))))

    def pick(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def noise(self, n, sigma):
        return self.rng.normal(0, sigma * self.louder, n)

    def axis(self, quantity, seconds_or_hz):
        unit = self.pick(*{"delay": ("s", "us", "ns"), "frequency": ("Hz", "MHz", "GHz")}[quantity])
        self.columns[f"{quantity}_{unit}"] = np.asarray(seconds_or_hz) / {"s": 1, "us": 1e-6, "ns": 1e-9, "Hz": 1, "MHz": 1e6, "GHz": 1e9}[unit]

    def signal(self, y, sigma, population=None):
        """`y` in [0, 1]; sigma relative to that."""
        kind = self.pick("population", "probability", "signal", "signal_V", "IQ") if population is None else population
        y = np.asarray(y)
        if kind == "IQ":
            turn, scale, origin = self.u(0, TAU), self.lu(1e-5, 10), (self.u(-3, 3), self.u(-3, 3))
            name = self.pick(("I", "Q"), ("I_V", "Q_V"))
            self.columns[name[0]] = scale * (origin[0] + (y + self.noise(len(y), sigma)) * math.cos(turn) - self.noise(len(y), sigma) * math.sin(turn))
            self.columns[name[1]] = scale * (origin[1] + (y + self.noise(len(y), sigma)) * math.sin(turn) + self.noise(len(y), sigma) * math.cos(turn))
        elif kind in ("population", "probability"):
            self.columns[kind] = y + self.noise(len(y), sigma)
        else:
            scale, offset = self.lu(1e-5, 100) * self.pick(-1, 1), self.u(-3, 3)
            self.columns[kind] = scale * (y + offset + self.noise(len(y), sigma))

    def ends(self, status, params=None, sweep=None, outcome=None):
        self.status, self.params, self.sweep, self.outcome = status, params or {}, sweep, outcome

    # == Decays ==
    def t1(self, scenario):
        t, sigma = self.lu(2e-6, 3e-4), self.lu(0.01, 0.06)
        n = int(self.rng.integers(21, 81))
        window = {"success": self.u(3.5, 8), "no_signal": 5, "sampling_too_coarse": 0, "window_too_short": self.u(0.25, 1.2)}[scenario] * t
        if scenario == "sampling_too_coarse":
            window = self.u(0.5, 1.6) * 0.9 * t * (n - 1) * 1.2
        x = np.linspace(0, window, n)
        y = 0.03 + self.u(0.75, 0.95) * np.exp(-x / t)
        if scenario == "no_signal":
            y, sigma = np.full(n, self.u(0.2, 0.8)), self.lu(0.01, 0.2)
        self.axis("delay", x)
        self.signal(y, sigma)
        if scenario == "success":
            self.ends("SUCCESS", {"T1_us": (t * 1e6, 0.2)})
        elif scenario == "sampling_too_coarse":
            self.ends("SAMPLING_TOO_COARSE", sweep=lambda a, b, p: b < 0.6 * window and b > t)
        elif scenario == "window_too_short":
            self.ends("WINDOW_TOO_SHORT", sweep=lambda a, b, p: b > 1.5 * window)
        else:
            self.ends("NO_SIGNAL")

    def t1_fluctuations(self, scenario):
        n = int(self.rng.integers(60, 300))
        base, rel = self.u(10, 80), self.u(0.02, 0.08)
        if scenario == "stable":
            y = base * (1 + self.noise(n, rel))
        elif scenario == "telegraphic":
            low, state, rate, levels = self.u(0.4, 0.7), 0, self.u(0.02, 0.12), []
            for _ in range(n):
                state ^= self.rng.random() < rate
                levels.append(low if state else 1.0)
            if len(set(levels)) == 1 or min(levels.count(low), levels.count(1.0)) < 0.12 * n:
                levels = [low if 0.3 * n < k < 0.6 * n or k > 0.85 * n else 1.0 for k in range(n)]
            y = base * np.array(levels) * (1 + self.noise(n, rel))
        else:
            walk = np.cumsum(self.noise(n, 1.0))
            walk = (walk - walk.mean()) / walk.std() * self.u(0.18, 0.3)
            y = base * np.clip(1 + walk, 0.2, None) * (1 + self.noise(n, self.u(0.01, 0.04)))
        self.columns = {"time_s": np.arange(n) * self.u(10, 600), "T1_us": y}
        self.ends({"stable": "STABLE", "telegraphic": "TELEGRAPHIC", "random_walk": "RANDOM_WALK"}[scenario], {"mean_t1_us": (float(np.mean(y)), 0.1)} if scenario == "stable" else {})

    def cz_benchmarking(self, scenario):
        n = self.rng.integers(5, 12)
        depth = np.unique(np.linspace(0, self.pick(16, 24, 30, 40) if scenario == "success" else self.pick(8, 12, 16, 24), n).astype(int))
        retention, polarization = {"success": (self.u(0.985, 0.998), self.u(0.98, 0.998)), "no_gate": (self.u(0.998, 1.0), self.u(0.1, 0.6)),
                                   "miscalibrated": (self.u(0.95, 0.98), self.u(0.5, 0.85))}[scenario]
        error = self.u(0.005, 0.02)
        r = self.u(0.9, 0.99) * retention ** depth
        p = self.u(0.85, 0.98) * polarization ** depth
        self.columns = {self.pick("n_pulses", "n_cliffords", "index"): depth.astype(float), "retention": r + self.noise(len(depth), error), "retention_stderr": np.full(len(depth), error),
                        "polarization": p + self.noise(len(depth), error), "polarization_stderr": np.full(len(depth), error)}
        self.ends({"success": "SUCCESS", "no_gate": "NO_GATE", "miscalibrated": "MISCALIBRATED"}[scenario],
                  {"retention_per_cz": (retention, 0.005), "cycle_polarization": (polarization, 0.005)} if scenario == "success" else {})

    # == Oscillations ==
    def rabi(self, scenario, hw=False):
        n, sigma = int(self.rng.integers(31, 121)), self.lu(0.01, 0.08)
        periods = {"success": self.u(1.3, min(8, n / 9)), "off_resonance": self.u(1.5, 5), "limited_range": self.u(1.0, 1.4), "damped": self.u(3, min(9, n / 8)),
                   "too_fast": n / self.u(2.2, 3.3), "too_slow": self.u(0.1, 0.45), "random_signal": 1}[scenario]
        stop = self.pick(self.lu(0.02, 4.0), 1.0)
        x = np.linspace(0, stop, n)
        u = x / stop
        low, high = self.u(0.0, 0.06), self.u(0.88, 1.0)
        if scenario == "off_resonance":
            high = self.u(0.4, 0.7)
        y = low + (high - low) * 0.5 * (1 - np.cos(TAU * periods * u))
        if scenario == "damped":
            y = 0.5 + (y - 0.5) * np.exp(-u * self.u(1.5, 4))
        if scenario == "random_signal":
            y, sigma = np.full(n, self.u(0.2, 0.8)), self.lu(0.02, 0.3)
        if self.pick(True, False, False):
            self.columns[self.pick("delay_ns", "delay_us")] = x * 100
        else:
            self.columns[self.pick("amplitude", "amplitude_V")] = x
        self.signal(y, sigma)
        if scenario in ("success", "off_resonance", "limited_range"):
            self.ends("SUCCESS", {"periods_visible": (periods, 0.1)})
        elif scenario == "too_slow":
            scale = 100 if "delay" in list(self.columns)[0] else 1
            factor = 1e-9 if "delay_ns" in self.columns else 1e-6 if "delay_us" in self.columns else 1
            self.ends("RANGE_TOO_NARROW", sweep=lambda a, b, p: b > 1.5 * stop * scale * factor)
        elif scenario == "too_fast":
            self.ends("UNDERSAMPLED", sweep=lambda a, b, p: True)
        else:
            self.ends("DAMPED" if scenario == "damped" else "NO_SIGNAL")

    def rabi_hw(self, scenario):
        n, sigma = int(self.rng.integers(31, 101)), self.lu(0.01, 0.06)
        stop = self.lu(0.05, 1.0)
        u = np.linspace(0, 1, n)
        periods = {"success": self.u(1.2, 5), "incorrect_fit": self.u(3, min(7, n / 9)), "insufficient_amplitude_range": self.u(0.08, 0.4), "off_resonant_drive": self.u(1.5, 4)}[scenario]
        low, high = self.u(0.0, 0.05), self.u(0.9, 1.0)
        y = low + (high - low) * np.sin(np.pi * periods * u) ** 2
        if scenario == "incorrect_fit":
            if self.pick(True, False):
                sigma = self.u(0.42, 0.6)
            else:
                # Drive saturation: the rotation angle is not linear in the amplitude.
                bend = self.u(0.35, 0.6)
                y = low + (high - low) * np.sin(np.pi * periods * (u - bend * u ** 2) / (1 - bend)) ** 2
        elif scenario == "off_resonant_drive":
            # Generalized Rabi formula in the amplitude: contrast and frequency grow together.
            off = self.u(0.45, 1.0)
            y = low + (high - low) * u ** 2 / (u ** 2 + off ** 2) * np.sin(np.pi * periods * np.sqrt(u ** 2 + off ** 2)) ** 2
        self.columns["amplitude" if self.pick(True, False) else "amplitude_V"] = u * stop
        self.signal(y, sigma)
        if scenario == "success":
            self.ends("SUCCESS", {"periods_visible": (periods, 0.1)})
        elif scenario == "insufficient_amplitude_range":
            self.ends("RANGE_TOO_NARROW", sweep=lambda a, b, p: b > 1.5 * stop)
        else:
            self.ends("FIT_POOR" if scenario == "incorrect_fit" else "OFF_RESONANCE")

    def ramsey(self, scenario):
        n, sigma = int(self.rng.integers(51, 151)), self.lu(0.01, 0.06)
        f, t = self.lu(5e4, 5e6), None
        amplitude = self.u(0.35, 0.48)
        return n, sigma, f, amplitude

    def ramsey_freq_cal(self, scenario):
        n, sigma, f, amplitude = self.ramsey(scenario)
        periods = {"success": self.u(3, min(12, n / 8)), "beating": self.u(8, min(20, n / 6)), "too_few_osc": self.u(0.5, 1.6), "too_many_osc": n / self.u(2.4, 4.2)}[scenario]
        window = periods / f
        t = window * self.u(0.6, 4)
        x = np.linspace(0, window, n)
        y = 0.5 + amplitude * np.exp(-x / t) * np.cos(TAU * f * x + self.u(-0.4, 0.4))
        if scenario == "beating":
            gap = self.u(1.6, 5) / window
            ratio = self.u(0.45, 1.0)
            t = window * self.u(0.8, 4)
            y = 0.5 + amplitude * np.exp(-x / t) * (np.cos(TAU * f * x) + ratio * np.cos(TAU * (f - gap) * x)) / (1 + ratio)
        virtual = self.pick(None, f * self.u(0.8, 1.2))
        if virtual and scenario in ("success", "too_few_osc"):
            self.meta["virtual_detuning_Hz"] = virtual
        self.axis("delay", x)
        self.signal(y, sigma)
        if scenario == "success":
            self.ends("SUCCESS", {"detuning_MHz": (f * 1e-6, 0.05)})
        elif scenario == "too_few_osc":
            self.ends("TOO_FEW_OSC", sweep=lambda a, b, p: b > 1.5 * window)
        elif scenario == "too_many_osc":
            self.ends("TOO_MANY_OSC", sweep=lambda a, b, p: b < 0.7 * window or p > 1.5 * n)
        else:
            self.ends("BEATING")

    def ramsey_t2star(self, scenario):
        n, sigma, f, amplitude = self.ramsey(scenario)
        n = max(n, 71)
        periods = {"success": self.u(5, n / 7), "beating": self.u(9, n / 6), "sampling_too_coarse": n / self.u(2.15, 2.9), "window_too_short": self.u(3, 12), "zero_detuning": 0.0}[scenario]
        periods = min(periods, n / 6) if scenario in ("success", "window_too_short") else periods
        window = max(periods, 3) / f
        t = window / self.u(2.0, 4.0)
        if scenario == "window_too_short":
            t = window / self.u(0.1, 0.8)
        if scenario == "beating":
            t = window / self.u(0.5, 2.0)
        if scenario == "sampling_too_coarse":
            t = window / self.u(0.5, 2.5)
        x = np.linspace(0, window, n)
        y = 0.5 + amplitude * np.exp(-x / t) * np.cos(TAU * periods * x / window + (self.u(-0.4, 0.4) if periods else 0))
        if scenario == "beating":
            gap, ratio = self.u(1.8, 5) / window, self.u(0.5, 1.0)
            y = 0.5 + amplitude * np.exp(-x / t) * (np.cos(TAU * f * x) + ratio * np.cos(TAU * (f - gap) * x)) / (1 + ratio)
        self.axis("delay", x)
        self.signal(y, sigma)
        if scenario == "success":
            self.ends("SUCCESS", {"T2_star_us": (t * 1e6, 0.3), "detuning_MHz": (periods / window * 1e-6, 0.05)})
        elif scenario == "sampling_too_coarse":
            self.ends("SAMPLING_TOO_COARSE", sweep=lambda a, b, p: (b - a) / (p - 1) < 0.8 * window / (n - 1))
        elif scenario == "window_too_short":
            self.ends("WINDOW_TOO_SHORT", sweep=lambda a, b, p: b > 1.4 * window)
        elif scenario == "zero_detuning":
            self.ends("NO_DETUNING")
        else:
            self.ends("BEATING")

    def rydberg_ramsey(self, scenario):
        f, t = self.u(2e6, 12e6), self.u(2e-6, 12e-6)
        error = self.u(0.015, 0.05)
        if self.pick(True, False):
            # Short windows spread over the decay.
            windows, points = int(self.rng.integers(4, 8)), int(self.rng.integers(10, 16))
            width = (self.u(1.3, 2.2) if scenario == "success" else self.u(0.25, 0.6)) / f
            starts = np.linspace(0, self.u(1.0, 1.8) * t, windows)
            x = np.concatenate([s + np.linspace(0, width, points) for s in starts])
        else:
            window = self.u(1.5, 2.5) * t
            q = self.u(5, 9) if scenario == "success" else self.u(2.1, 2.7)
            x = np.linspace(0, window, max(int(window * f * q), 24))
        y = 0.5 + self.u(0.3, 0.45) * np.exp(-x / t) * np.cos(TAU * f * x + self.u(-0.5, 0.5))
        self.axis("delay", x)
        name = self.pick("retention", "polarization", "population")
        self.columns[name] = y + self.noise(len(x), error)
        if self.pick(True, False):
            self.columns[f"{name}_stderr"] = np.full(len(x), error)
        if scenario == "success":
            self.ends("SUCCESS", {"frequency_MHz": (f * 1e-6, 0.02), "T2_us": (t * 1e6, 0.4)})
        else:
            self.ends("UNDERSAMPLED")

    def rydberg_spectroscopy(self, scenario):
        rabi = self.u(1.0, 2.5) * 1e6
        t = (self.rng.integers(0, 4) + 0.5) / rabi * self.u(0.97, 1.03)
        f0 = self.u(-0.15, 0.15) * rabi
        n, error = int(self.rng.integers(31, 61)), self.u(0.01, 0.04)
        x = np.linspace(-3, 3, n) * rabi
        contrast = self.u(0.6, 0.95) if scenario == "success" else self.u(0.1, 0.28)
        if scenario != "success":
            error = self.u(0.01, 0.03)
        rate = np.hypot(rabi, x - f0)
        y = self.u(0.9, 0.98) - contrast * (rabi / rate) ** 2 * np.sin(np.pi * rate * t) ** 2
        unit, factor = self.pick(("kHz", 1e3), ("MHz", 1e6), ("Hz", 1))
        self.columns = {f"frequency_{unit}": x / factor, "retention": y + self.noise(n, error)}
        if self.pick(True, False):
            self.columns["retention_stderr"] = np.full(n, error)
        self.ends("SUCCESS" if scenario == "success" else "LOW_CONTRAST", {"f0_kHz": (f0 * 1e-3, ("abs", 0.05 * rabi * 1e-3)), "f_Rabi_MHz": (rabi * 1e-6, 0.1)} if scenario == "success" else {},
                  outcome=None if scenario == "success" else "apparatus")

    def microwave_ramsey(self, scenario):
        n, error = int(self.rng.integers(31, 61)), self.u(0.015, 0.05)
        contrast = {"success": self.u(0.65, 0.95), "detuned": self.u(0.45, 0.9), "low_contrast": self.u(0.08, 0.22)}[scenario]
        detuning = (self.u(1900, 4000) if scenario == "detuned" else self.u(50, 950)) * self.pick(-1, 1)
        period = self.u(14e3, 24e3)
        x = np.linspace(-11e3, 11e3, n)
        y = self.u(0.45, 0.5) + 0.5 * contrast * -np.cos(TAU * (x - detuning) / period)
        unit, factor = self.pick(("kHz", 1e3), ("Hz", 1))
        self.columns = {f"frequency_{unit}": x / factor, "retention": y + self.noise(n, min(error, 0.2 * contrast))}
        if self.pick(True, False):
            self.columns["retention_stderr"] = np.full(n, min(error, 0.2 * contrast))
        self.ends({"success": "SUCCESS", "detuned": "DETUNED", "low_contrast": "LOW_CONTRAST"}[scenario],
                  {"detuning_Hz": (detuning, ("abs", 250)), "contrast": (contrast, 0.15)} if scenario == "success" else {})

    def ramsey_charge_tomography(self, scenario):
        rows, n = int(self.rng.integers(15, 66)), int(self.rng.integers(25, 61))
        period_mV = self.u(200, 900)
        span = period_mV * self.u(1.3, 3)
        bias = np.linspace(-span / 2, span / 2, n)
        sigma = self.u(0.02, 0.12) if scenario != "noisy" else self.u(0.8, 2.0)
        amplitude = self.u(0.25, 0.45) if scenario != "noisy" else self.u(0.0, 0.1)
        count = {"clean": 0, "few_bursts": int(self.rng.integers(1, 4)), "many_bursts": int(self.rng.integers(5, 10)), "noisy": 0}[scenario]
        places = sorted(self.rng.choice(np.arange(2, rows - 2), min(count, (rows - 4) // 2), replace=False)) if count else []
        places = [p for k, p in enumerate(places) if k == 0 or p - places[k - 1] > 1]
        offset, offsets = self.u(0, period_mV), []
        for row in range(rows):
            if row in places:
                offset += self.u(0.15, 0.45) * period_mV * self.pick(-1, 1)
            offset += self.rng.normal(0, 0.004 * period_mV)
            offsets.append(offset)
        b, r = np.meshgrid(bias, np.arange(rows))
        y = 0.5 + amplitude * np.cos(TAU * (b - np.array(offsets)[:, None]) / period_mV)
        y = (y + self.rng.normal(0, sigma, y.shape)).ravel()
        unit, factor = self.pick(("mV", 1), ("V", 1e3))
        rows_column = ("index", r.ravel()) if self.pick(True, False) else ("time_s", r.ravel() * 20.0)
        self.columns = dict([rows_column, (f"bias_{unit}", b.ravel() / factor)]) if self.pick(True, False) else dict([(f"bias_{unit}", b.ravel() / factor), rows_column])
        self.columns[self.pick("population", "signal", "probability")] = y
        self.ends({"clean": "NO_EVENT", "few_bursts": "EVENT", "many_bursts": "EVENT", "noisy": "NO_COHERENCE"}[scenario], {"jump_count": (len(places), ("abs", 0 if len(places) < 4 else 1))} if scenario != "noisy" else {})

    # == Lines ==
    def qubit_spectroscopy(self, scenario):
        n = int(self.rng.integers(101, 401))
        span = self.lu(3e7, 1.3e9)
        center = self.u(3.5e9, 6.5e9)
        x = np.linspace(center - span / 2, center + span / 2, n)
        width, sigma = span * self.u(max(0.008, 1.3 / n), 0.04), self.lu(0.01, 0.08)
        line = lambda f0, w=width: 1 / (1 + ((x - f0) / w) ** 2)
        f0 = center + self.u(-0.35, 0.35) * span
        y = self.u(0, 0.1) * (x - center) / span
        sign = self.pick(-1, 1)
        if scenario == "success":
            y = y + sign * line(f0)
        elif scenario == "multiple_peaks":
            places = [center + k * span * self.u(0.25, 0.38) for k in ((-1, 1) if self.pick(True, False) else (-1, 0.0, 1))]
            # Two lines 40 to 250 MHz apart may be f01 and f02/2: this scenario is about others.
            if len(places) == 2 and 35e6 < abs(places[1] - places[0]) < 260e6:
                places.append(center)
            for place in places:
                y = y + sign * self.u(0.5, 1.0) * line(place)
        self.axis("frequency", x)
        self.signal(y, sigma, self.pick("signal", "signal_V", "IQ", "population"))
        if scenario == "success":
            self.ends("SUCCESS", {"resonance_freq_GHz": (f0 * 1e-9, ("abs", 0.3 * width * 1e-9)), "num_resonances": (1, ("abs", 0))})
        elif scenario == "multiple_peaks":
            self.ends("MULTIPLE_PEAKS")
        else:
            self.ends("NO_SIGNAL", outcome="anomalous", sweep=lambda a, b, p: b - a > 1.5 * span)

    def res_spec(self, scenario):
        n, wide = int(self.rng.integers(151, 601)), "wide" in scenario
        span = self.lu(2e8, 1e9) if wide else self.lu(4e6, 2e7)
        center = self.u(5e9, 9.5e9)
        x = np.linspace(center - span / 2, center + span / 2, n)
        width = span * (self.u(max(0.004, 0.8 / n), 0.015) if wide else self.u(0.03, 0.1))
        sigma = self.lu(0.005, 0.05)
        places = {"wide": [self.u(-0.35, 0.35)], "2qubit_wide": [self.u(-0.4, -0.12), self.u(0.12, 0.4)], "zoomed": [self.u(-0.2, 0.2)]}.get(scenario, [])
        places = [center + p * span for p in places]
        t = np.full(n, 1.0 + 0j) * (1 + self.u(-0.05, 0.05) * (x - center) / span)
        for place in places:
            t = t * (1 - self.u(0.6, 0.9) / (1 + 1j * (x - place) / width))
        t = t * np.exp(-1j * TAU * (x - center) * self.u(0, 2.0) / span) + self.noise(n, sigma) + 1j * self.noise(n, sigma)
        self.axis("frequency", x)
        scale = self.lu(1e-3, 10)
        kind = self.pick("magnitude", "polar", "IQ")
        if kind == "IQ":
            self.columns.update({"I": scale * t.real, "Q": scale * t.imag})
        else:
            self.columns["magnitude_V"] = scale * np.abs(t)
            if kind == "polar":
                self.columns["phase_deg"] = np.degrees(np.angle(t))
        if places:
            params = {"resonance_freq_GHz": (places[0] * 1e-9 if len(places) == 1 else [p * 1e-9 for p in places], ("abs", 0.5 * width * 1e-9))}
            self.ends("SUCCESS", params)
        else:
            self.ends("NO_SIGNAL", outcome="anomalous")

    # == Maps ==
    def grid(self, bias, frequency):
        b, f = np.meshgrid(bias, frequency, indexing="ij")
        return b, f

    @staticmethod
    def anticrossing(line, bare, coupler, g):
        """Both branches of a qubit that a coupler repels by g, each as bright as it is the qubit's."""
        half = np.hypot((coupler - bare) / 2, g)
        upper, lower = (coupler + bare) / 2 + half, (coupler + bare) / 2 - half
        share = 0.5 * (1 + (bare - coupler) / (2 * half))
        return share * line(upper) + (1 - share) * line(lower)

    @staticmethod
    def crossings(offset, period, angle, reach):
        """Where a periodic, even coupler meets the qubit, within +-reach."""
        return sorted(v for k in range(-4, 5) for v in (offset + k * period - angle, offset + k * period + angle) if -reach < v < reach)

    def map_columns(self, b, f, y, bias_name, sigma):
        unit, factor = self.pick(("Hz", 1), ("GHz", 1e9), ("MHz", 1e6))
        y = self.lu(1e-3, 10) * (self.u(-1, 1) + y + self.rng.normal(0, sigma * self.louder, y.shape))
        axes = [(bias_name, b.ravel()), (f"frequency_{unit}", f.ravel() / factor)]
        self.columns = dict(axes if self.pick(True, False) else axes[::-1])
        self.columns[self.pick("signal", "magnitude_V", "signal_V")] = y.ravel()

    def qubit_flux_spectroscopy(self, scenario):
        nb, nf = int(self.rng.integers(15, 41)), int(self.rng.integers(41, 101))
        top, span = self.u(4e9, 6e9), self.u(2e8, 8e8)
        reach = self.u(0.2, 0.45)
        bias, frequency = np.linspace(-reach, reach, nb), np.linspace(top - 0.8 * span, top + 0.2 * span, nf)
        b, f = self.grid(bias, frequency)
        spot = self.u(-0.3, 0.3) * reach
        depth = self.u(0.35, 0.65) * span
        arc = top - depth * ((b - spot) / (reach + abs(spot))) ** 2
        width, sign, sigma = span * self.u(0.015, 0.04), self.pick(-1, 1), self.u(0.03, 0.12)
        line = lambda center: 1 / (1 + ((f - center) / width) ** 2)
        y = line(arc)
        if scenario == "bad_fit":
            # An avoided crossing with something that does not tune: two branches, one curve.
            place, g = top - self.u(0.25, 0.45) * depth, span * self.u(0.06, 0.1)
            mean, half = (arc + place) / 2, np.hypot((arc - place) / 2, g)
            share = 0.5 * (1 + (arc - place) / (2 * half))
            y = share * line(mean + half) + (1 - share) * line(mean - half)
        elif scenario == "fit_failed":
            # Clear lines that jump from slice to slice: charge or flux jumps during the map.
            jumps = np.repeat(self.rng.uniform(-0.7, 0.1, (nb, 1)), nf, axis=1)
            y = line(top + jumps * span)
        elif scenario == "no_data":
            # The arc crosses the window in a few slices only.
            arc = top + 0.2 * span - self.u(5, 9) * span * ((b - spot) / reach) ** 2 - self.u(0.02, 0.1) * span
            y = line(arc)
        elif scenario == "no_response":
            y = 0 * y
        elif scenario == "not_tunable":
            y = line(top - self.u(0.1, 0.5) * span)
        self.map_columns(b, f, sign * y, self.pick("flux", "bias_V", "flux_V"), sigma)
        status = {"success": "SUCCESS", "bad_fit": "FIT_POOR", "fit_failed": "FIT_FAILED", "no_data": "RANGE_TOO_NARROW", "no_response": "NO_SIGNAL", "not_tunable": "NOT_TUNABLE"}[scenario]
        self.ends(status, {"resonance_freq_GHz": (top * 1e-9, ("abs", width * 1e-9))} if scenario == "success" else {})

    def coupler_flux(self, scenario):
        nb, nf = int(self.rng.integers(81, 161)), int(self.rng.integers(41, 81))
        center, span = self.u(4.3e9, 5e9), self.u(5e7, 2e8)
        b, f = self.grid(np.linspace(-2, 2, nb), np.linspace(center - span / 2, center + span / 2, nf))
        width, sigma = span * self.u(0.02, 0.04), self.u(0.03, 0.12)
        line = lambda c: 1 / (1 + ((f - c) / width) ** 2)
        period = self.u(1.6, 2.4)
        offset = self.u(-0.3, 0.3)
        swing = span * self.u(0.6, 1.2)
        g = span * self.u(0.10, 0.18)
        bare = center + self.u(-0.1, 0.1) * span
        coupler = bare + swing * np.cos(TAU * (b - offset) / period) + self.u(-0.3, 0.3) * swing
        y = self.anticrossing(line, bare, coupler, g)
        cosine = (bare - (coupler - swing * np.cos(TAU * (b - offset) / period))) / swing
        angle = math.acos(float(np.clip(cosine.flat[0], -1, 1))) / TAU * period
        crossings = self.crossings(offset, period, angle, 1.85)
        if scenario == "bad_fit":
            if self.pick(True, False):
                y = line(bare + self.rng.uniform(-0.4, 0.4, (nb, 1)) * span)
            else:
                y, sigma = 0.15 * y, self.u(0.2, 0.4)
        self.map_columns(b, f, self.pick(-1, 1) * y, self.pick("flux_V", "bias_V"), sigma)
        self.ends("SUCCESS" if scenario == "success" else "FIT_POOR", {"crossing_voltages_V": (crossings, ("abs", 0.15))} if scenario == "success" else {})

    def qubit_spectroscopy_power_frequency(self, scenario):
        na, nf = int(self.rng.integers(15, 41)), int(self.rng.integers(61, 151))
        span = self.u(1e8, 4e8)
        f01 = self.u(4e9, 6e9)
        frequency = np.linspace(f01 - 0.7 * span, f01 + 0.3 * span, nf)
        power = self.pick(True, False)
        low, high = {"f01_low_amp_sharp": (0.01, self.u(0.08, 0.15)), "f01_f02half_amp_too_high": (self.u(0.5, 0.7), 1.0), "f01_only_amp_too_high": (self.u(0.5, 0.7), 1.0)}.get(scenario, (0.01, 1.0))
        amplitude = np.linspace(low, high, na)
        a, f = self.grid(amplitude, frequency)
        natural = 1.2 * span / nf
        width = np.hypot(natural, span * self.u(0.10, 0.16) * a)
        shape = lambda center, w: 1 / (1 + ((f - center) / w) ** 2)
        y = (a ** 2 / (a ** 2 + 0.02 ** 2)) * shape(f01, width)
        if "f02half" in scenario:
            half = f01 - self.u(0.4, 0.6) * span
            y = y + 0.8 * a ** 2 / (a ** 2 + 0.3 ** 2) * shape(half, np.hypot(natural, 0.35 * width))
        if scenario == "no_signal":
            y = 0 * y
        sigma = self.u(0.02, 0.08)
        self.map_columns(20 * np.log10(a) if power else a, f, self.pick(-1, 1) * y, "power_dBm" if power else "amplitude", sigma)
        status = "NO_SIGNAL" if scenario == "no_signal" else "AMP_TOO_HIGH" if "too_high" in scenario else "SUCCESS"
        self.ends(status, {"f01_MHz": (f01 * 1e-6, ("abs", max(0.02 * span, 2 * natural) * 1e-6))} if status == "SUCCESS" else {})

    # == Gates, readout, others ==
    def drag(self, scenario):
        n, sigma = int(self.rng.integers(15, 51)), self.lu(0.01, 0.04)
        scale = self.pick(0.01, 1.0, 3.0)
        start = self.u(-1.5, 0.2)
        span = self.u(0.7, 2.0)
        u = np.linspace(0, 1, n)
        place = {"success": self.u(0.32, 0.68), "no_signal": 0.5, "position_far_offset": self.pick(self.u(-1.2, -0.3), self.u(1.3, 2.2)), "first_quarter": self.u(0.04, 0.2), "last_quarter": self.u(0.8, 0.96)}[scenario]
        slope = self.u(0.3, 0.9) * self.pick(-1, 1)
        a, b = 0.5 + slope * (u - place) * 0.5, 0.5 - slope * (u - place) * 0.5
        if scenario == "no_signal":
            a = b = np.full(n, self.u(0.3, 0.7))
            sigma = self.lu(0.02, 0.1)
        x = scale * (start + span * u)
        optimum = scale * (start + span * place)
        kind = self.pick("two", "interleaved")
        if kind == "two":
            self.columns = {self.pick("beta", "motzoi"): x, "signal_xy": a + self.noise(n, sigma), "signal_yx": b + self.noise(n, sigma)}
        else:
            y = np.empty(2 * n)
            y[0::2], y[1::2] = a, b
            self.columns = {"motzoi": np.repeat(x, 2), "signal": y + self.noise(2 * n, sigma)}
        if scenario == "success":
            self.ends("SUCCESS", {"optimal_alpha_inv": (optimum, ("abs", 0.06 * scale * span))})
        elif scenario == "no_signal":
            self.ends("NO_SIGNAL")
        else:
            # The crossing of the outer quarters is inside the sweep: its place may be told, though it is not to be applied.
            self.ends("OPTIMAL_NOT_CENTERED", {} if "far" in scenario else {"optimal_alpha_inv": (optimum, ("abs", 0.06 * scale * span))}, sweep=lambda p, q, m: p < optimum < q or abs(0.5 * (p + q) - optimum) < abs(x.mean() - optimum))

    def pingpong(self, scenario):
        top = self.pick(40, 60, 100)
        n = np.arange(0, top + 1, self.pick(1, 2, 4)).astype(float)
        sigma = self.lu(0.01, 0.04)
        error = {"well_calibrated": self.u(0.0003, 0.0035), "moderate_error": self.u(0.015, 0.055), "large_error": self.u(0.12, 0.5), "no_excitation": 0}[scenario] * self.pick(-1, 1)
        if scenario == "large_error":
            n = np.arange(0, top + 1, self.pick(1, 2)).astype(float)
        y = 0.5 + self.u(0.4, 0.5) * np.sin(n * error) * np.exp(-n / self.u(150, 1000))
        if scenario == "no_excitation":
            y = np.full(len(n), self.pick(self.u(0.0, 0.12), self.u(0.88, 1.0)))
        self.columns = {"n_pulses": n, self.pick("population", "probability"): y + self.noise(len(n), sigma)}
        if scenario == "well_calibrated":
            self.ends("SUCCESS", {"error_per_gate": (error, ("abs", 0.0012))})
        else:
            self.ends({"moderate_error": "MODERATE_ERROR", "large_error": "LARGE_ERROR", "no_excitation": "NO_EXCITATION"}[scenario])

    def gmm(self, scenario):
        shots = int(self.rng.integers(300, 2000))
        scale = self.lu(1e-4, 10)
        zero = np.array([self.u(-4, -2), self.u(1, 3)]) * self.pick(-1, 1)
        direction = self.u(0, TAU)
        apart = self.u(4.5, 9) if scenario == "success" else 5
        sigma = self.u(0.12, 0.3)
        one = zero + apart * sigma * np.array([math.cos(direction), math.sin(direction)])
        state = np.tile([0, 1], shots)
        excited = np.where(state == 1, self.rng.random(2 * shots) < self.u(0.9, 0.99), self.rng.random(2 * shots) < self.u(0.0, 0.05))
        if scenario == "no_excitation":
            excited = self.rng.random(2 * shots) < self.u(0.0, 0.06)
        points = np.where(excited[:, None], one, zero) + self.rng.normal(0, sigma, (2 * shots, 2))
        if scenario == "high_power":
            # Higher levels: a third cloud off the line, and clouds drawn out.
            third = zero + apart * sigma * np.array([math.cos(direction + self.u(0.8, 1.6)), math.sin(direction + self.u(0.8, 1.6))]) * self.u(1.2, 2.0)
            share = self.u(0.25, 0.5)
            leaks = self.rng.random(2 * shots) < np.where(state == 1, share, 0.5 * share)
            points = np.where(leaks[:, None], third + self.rng.normal(0, 1.6 * sigma, (2 * shots, 2)), points)
        elif scenario == "no_res_response":
            points = self.rng.normal(0, sigma, (2 * shots, 2))
        elif scenario == "no_signal":
            points = np.zeros((2 * shots, 2)) if self.pick(True, False) else self.rng.uniform(-1, 1, (2 * shots, 2))
        self.columns = {"prepared_state": state.astype(float), "I": scale * points[:, 0], "Q": scale * points[:, 1]}
        if scenario == "success":
            self.ends("SUCCESS", {"cluster0_I": (scale * zero[0], ("abs", 0.5 * apart * sigma * scale)), "cluster1_I": (scale * one[0], ("abs", 0.5 * apart * sigma * scale))})
        else:
            self.ends({"high_power": "HIGH_POWER", "no_excitation": "NO_EXCITATION", "no_res_response": "NO_RES_RESPONSE", "no_signal": "NO_SIGNAL"}[scenario])

    def pinchoff(self, scenario):
        n = int(self.rng.integers(30, 81))
        sigma = self.lu(0.005, 0.03)
        index = np.arange(n)
        middle, width = self.u(0.25, 0.6) * n, self.u(0.02, 0.06) * n
        if scenario == "incomplete_transition":
            middle, width = self.u(0.85, 1.02) * n, self.u(0.06, 0.15) * n
        y = 1 / (1 + np.exp((index - middle) / width))
        scale = self.lu(1e-3, 10)
        if scenario == "noisy_no_transition":
            y, sigma = np.full(n, self.u(0.0, 0.5)), self.u(0.1, 0.3)
        elif scenario == "stabilize_negative":
            y = y * (1 + self.u(0.15, 0.5))
            y = y - (y[0] - 1) if self.pick(True, False) else y - self.u(0.15, 0.5)
        elif scenario == "stabilize_positive":
            y = y + self.u(0.15, 0.5)
        axis = self.pick("index", "bias_V")
        self.columns = {axis: index.astype(float) if axis == "index" else -0.01 * index, self.pick("signal", "signal_V", "magnitude_V") if scenario != "stabilize_negative" else "signal": scale * (y + self.noise(n, sigma))}
        status = {"success": "SUCCESS", "incomplete_transition": "INCOMPLETE", "noisy_no_transition": "NO_TRANSITION", "stabilize_negative": "NEGATIVE_OFFSET", "stabilize_positive": "POSITIVE_OFFSET"}[scenario]
        self.ends(status, {"transition_index": (middle, ("abs", max(2.0, 0.05 * n)))} if scenario == "success" else {})

    def write(self, folder, name):
        columns = list(self.columns)
        data = np.column_stack([np.asarray(self.columns[c], float) for c in columns])
        with open(folder / f"{name}.csv", "w") as file:
            file.write(",".join(columns) + "\n")
            for row in data:
                file.write(",".join(map(repr, row.tolist())) + "\n")
        (folder / f"{name}.request.json").write_text(json.dumps({"family": self.family, "columns": columns, "meta": self.meta}))


def credit(found, truth, tolerance):
    """Full credit inside the tolerance, half inside twice of it; lists element by element in order."""
    if isinstance(truth, list):
        if not isinstance(found, list) or not truth:
            return 0.0
        return sum(max((credit(f, t, tolerance) for f in found), default=0.0) for t in truth) / max(len(truth), len(found))
    if isinstance(truth, (str, bool)):
        return float(found == truth)
    if not isinstance(found, (int, float)):
        return 0.0
    limit = tolerance[1] if isinstance(tolerance, tuple) else tolerance * abs(truth)
    difference = abs(found - truth)
    return 1.0 if difference <= limit else 0.5 if difference <= 2 * limit else 0.0


def score(twin, record):
    """Questions 2, 4, 5, 6, each in [0, 1]."""
    verdict, params = record["verdict"], record["fit"]["params"]
    q2 = float(verdict["outcome"] == twin.outcome)
    q4 = float(verdict["reliable"] == twin.fit)
    numeric = {k: v for k, v in params.items() if isinstance(v.get("value"), (int, float, list)) and not isinstance(v.get("value"), bool)}
    if twin.params:
        q5 = sum(credit(params.get(name, {}).get("value"), *truth) for name, truth in twin.params.items()) / len(twin.params)
    else:
        q5 = float(not numeric)
    q6 = float(verdict["status"] == twin.status)
    if q6 and twin.sweep is not None:
        reruns = [a["sweep"] for a in record["suggested_actions"] if a["type"] == "rerun"]
        q6 = 0.5 + 0.5 * any(twin.sweep(s["start"], s["stop"], s["points"]) for s in reruns)
    return q2, q4, q5, q6


def run(program, seeds, first=0, families=None, keep=None, louder=lambda seed: 1.0, make=Twin):
    """[(twin, seed, record, scores)] of all scenarios of `make`; `louder` gives a factor on the noise for each seed."""
    results = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(keep or temporary)
        folder.mkdir(exist_ok=True)
        twins = {}
        for family, scenarios in make.families.items():
            for scenario in scenarios if not families or family in families else []:
                for seed in range(first, first + seeds):
                    name = f"{family}-{scenario}-{seed:04d}"
                    twins[name] = (make(family, scenario, seed, louder(seed)), seed)
                    twins[name][0].write(folder, name)
        out = folder / "decisions.jsonl"
        subprocess.run([program, "calibrate", "--batch", folder, "--out", out], check=True)
        for line in out.read_text().splitlines():
            record = json.loads(line)
            twin, seed = twins[record["id"]]
            results.append((twin, seed, record, score(twin, record)))
    return results


def main(make=Twin):
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--failures", type=int, default=0)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--family", action="append")
    parser.add_argument("--keep")
    options = parser.parse_args()
    results = run(options.program, options.seeds, options.first, options.family, options.keep, make=make)
    groups = {}
    for twin, seed, record, scores in results:
        groups.setdefault((twin.family, twin.scenario, twin.status), []).append(scores)
    if options.table or not options.failures:
        print("| family | scenario | status | Q2 | Q4 | Q5 | Q6 |\n|---|---|---|---|---|---|---|")
        for (family, scenario, status), scores in groups.items():
            print(f"| {family} | {scenario} | {status} | " + " | ".join(f"{100 * np.mean([s[k] for s in scores]):.0f}" for k in range(4)) + " |")
    # Each scenario weighs the same.
    means = [np.mean([np.mean([s[k] for s in scores]) for scores in groups.values()]) for k in range(4)]
    print(f"| all | {len(groups)} scenarios x {options.seeds} seeds | | " + " | ".join(f"**{100 * m:.1f}**" for m in means) + " |")
    shown = 0
    for twin, seed, record, scores in results:
        if min(scores) < 1 and shown < options.failures:
            shown += 1
            v = record["verdict"]
            print(f"{twin.family}-{twin.scenario}-{seed:04d} {scores} wanted {twin.status}/{twin.outcome}/{twin.fit} got {v['status']}/{v['outcome']}/{v['reliable']} {v['rules_fired']}", file=sys.stderr)
            print("   truth", twin.params, "found", {k: record["fit"]["params"].get(k, {}).get("value") for k in twin.params}, {k: round(x, 4) if isinstance(x, float) else x for k, x in record["facts"].items() if k in ("snr", "dbic", "periods", "points_per_period", "window_over_t", "points_per_t", "residual_fraction", "dbic_second", "second_ratio", "dbic_other", "separation", "ellipticity", "resolved_fraction", "tunability", "error", "contrast", "envelope", "center", "relative_stderr", "lag_one", "bimodality", "jumps", "inlier_fraction", "second_fraction", "roughness", "misfit", "lines", "level", "span_over_width")}, file=sys.stderr)


if __name__ == "__main__":
    main()
