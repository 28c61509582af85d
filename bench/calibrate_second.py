# SPDX-License-Identifier: Apache-2.0
"""A second generator of numeric calibration data with truth, deliberately unlike calibrate_twin.py: other parameter ranges, 41 to 401 points,
sweeps that descend, jitter or are logarithmic, calibration points, counts of few shots, magnitudes, complex data, units from ns to s and Hz to
GHz, and noise that is no Gaussian: drifting baselines and gains, outliers, heavy tails, correlation, shot noise. Formulas are the physical ones
(transmon arcs, generalized Rabi oscillations, saturated lines, decay during readout), not the curves that the engine fits, wherever they differ.

Beside QCalEval's 82 numeric scenarios it makes measurements with truth of the ten other families, and (--measurements) disturbs real ones: every
second point, cropped ends, added noise, flipped sign, other units. There the keyed parameter has to stay within its tolerance or be refused.

usage: calibrate_second.py PROGRAM [--seeds N] [--first SEED] [--table] [--failures N] [--family F] [--keep DIR] [--measurements DIR]
"""
import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

import calibrate_twin as twin

TAU = 2 * math.pi
MORE = {
    "t2_echo": ["good", "no_decay", "short"], "allxy": ["good", "noise"], "randomized_benchmarking": ["good", "short", "two_rates"],
    "dispersive_shift": ["good"], "resonator_flux_map": ["good"], "qubit_flux_map": ["good"], "zz": ["good"], "single_shot_readout": ["two_states", "three_states", "touching"],
    "time_of_flight": ["good", "no_arrival"], "conditional_oscillation_cz": ["good", "off"]}
SI = {"s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "Hz": 1, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9, "V": 1, "mV": 1e-3, "1": 1}


class Second(twin.Twin):
    families = {**twin.FAMILIES, **MORE}
    salt = (2, 71828)

    def __init__(self, *arguments):
        super().__init__(*arguments)
        if self.family == "conditional_oscillation_cz":
            self.fit = "reliable"  # a phase that is far from its target is a phase well measured

    # == Sweeps and what a laboratory does to a signal ==
    def points(self, low=41, high=401):
        return int(round(self.lu(low, high)))

    def places(self, start, stop, n, logarithmic=False):
        x = np.linspace(start, stop, n)
        kind = self.pick("even", "even", "down", "jitter", "shuffled", "log" if logarithmic else "even")
        if kind == "down":
            x = x[::-1].copy()
        elif kind == "jitter":
            x[1:-1] += self.rng.uniform(-0.3, 0.3, n - 2) * (stop - start) / (n - 1)
        elif kind == "shuffled":
            x = self.rng.permutation(x)
        elif kind == "log":
            x = np.concatenate([[start], start + np.geomspace((stop - start) / 200, stop - start, n - 1)])
        return x

    def dirt(self, n, sigma):
        """Additive noise of about `sigma` in the order of acquisition."""
        kind = self.pick("white", "white", "correlated", "drift", "outliers", "tails")
        sigma = sigma * self.louder
        white = self.rng.normal(0, sigma, n)
        if kind == "correlated":
            rho = self.u(0.2, 0.5)
            out = white.copy()
            for k in range(1, n):
                out[k] = rho * out[k - 1] + math.sqrt(1 - rho * rho) * white[k]
            return out
        if kind == "drift":
            return white + sigma * (self.u(-2, 2) * np.linspace(-0.5, 0.5, n) + self.u(0, 0.7) * np.sin(TAU * self.u(0.3, 1.0) * np.linspace(0, 1, n) + self.u(0, TAU)))
        if kind == "outliers":
            hit = self.rng.random(n) < 0.02
            return 0.9 * white + hit * self.rng.choice([-1, 1], n) * self.u(4, 8) * sigma
        if kind == "tails":
            return sigma * self.rng.standard_t(4, n) / math.sqrt(2)
        return white

    def emit(self, y, sigma, kinds=("population", "shots", "counts", "signal", "magnitude", "IQ", "polar", "levels")):
        """`y` is a population; `sigma` the noise on it. Cal points come as last rows where the sweep column has room for them."""
        y = np.asarray(y, float)
        n, kind = len(y), self.pick(*kinds)
        gain = 1 + (self.u(-0.05, 0.05) * np.linspace(-0.5, 0.5, n) if self.pick(True, False, False) else 0)
        noisy = gain * y + self.dirt(n, sigma)
        if kind in ("shots", "counts"):
            shots = int(np.clip(0.25 / (sigma * self.louder) ** 2, 25, 20000))
            counts = self.rng.binomial(shots, np.clip(y, 0, 1))
            if kind == "counts":
                self.columns["counts"], self.columns["shots"] = counts.astype(float), np.full(n, float(shots))
            else:
                self.columns[self.pick("population", "probability")] = counts / shots
                self.meta["shots"] = shots
        elif kind == "population":
            self.columns[self.pick("population", "probability")] = noisy
        elif kind == "signal":
            self.columns[self.pick("signal", "signal_V", "I_V")] = self.lu(1e-6, 1e3) * self.pick(-1, 1) * (noisy + self.u(-30, 30))
        elif kind == "magnitude":
            unit = self.pick("V", "mV")
            self.columns[f"magnitude_{unit}"] = self.lu(1e-3, 3) * (self.u(1.5, 20) + self.pick(-1, 1) * noisy)
        else:
            turn, scale, origin = self.u(0, TAU), self.lu(1e-6, 1e2), np.array([self.u(-8, 8), self.u(-8, 8)])
            other = self.dirt(n, sigma)
            i, q = scale * (origin[0] + noisy * math.cos(turn) - other * math.sin(turn)), scale * (origin[1] + noisy * math.sin(turn) + other * math.cos(turn))
            if kind == "polar":
                # The two states differ mostly in the length of the vector here: what a magnitude shows.
                z = scale * (self.u(2, 9) + self.pick(-1, 1) * (noisy + 1j * 0.5 * other)) * np.exp(1j * turn)
                self.columns[self.pick("magnitude_V", "magnitude_mV")], self.columns["phase_deg"] = np.abs(z), np.degrees(np.angle(z))
            else:
                suffix = self.pick("", "_V")
                if kind == "levels":
                    axis = next(iter(self.columns))
                    pairs = self.pick(1, 2)
                    levels = np.repeat([0.0, 1.0], pairs) + self.rng.normal(0, sigma / 3, 2 * pairs)
                    i = np.append(i, scale * (origin[0] + levels * math.cos(turn)))
                    q = np.append(q, scale * (origin[1] + levels * math.sin(turn)))
                    top = np.max(self.columns[axis])
                    self.columns[axis] = np.append(self.columns[axis], np.full(2 * pairs, top))
                    self.meta["cal_points"] = 2 * pairs
                self.columns["I" + suffix], self.columns["Q" + suffix] = i, q

    def column(self, name, values, units):
        unit = self.pick(*units)
        self.columns[name if unit == "1" else f"{name}_{unit}"] = np.asarray(values) / SI[unit]

    TIME, FREQUENCY = ("s", "us", "ns", "ms"), ("Hz", "kHz", "MHz", "GHz")

    # == Decays ==
    def t1(self, scenario):
        t, n = self.lu(4e-7, 8e-4), self.points()
        window = {"success": self.u(2.8, 10), "no_signal": 4, "sampling_too_coarse": (n - 1) / self.u(1.2, 2.2), "window_too_short": self.u(0.2, 1.3)}[scenario] * t
        x = self.places(0, window, n, scenario == "success") if scenario != "sampling_too_coarse" else np.linspace(0, window, n)
        sigma = self.lu(0.008, 0.05)
        low, high = self.u(0, 0.08), self.u(0.85, 1.0)
        y = low + (high - low) * np.exp(-x / t) if scenario != "no_signal" else np.full(n, self.u(0.1, 0.9))
        self.column("delay", x, self.TIME)
        self.emit(y, sigma, ("population", "shots", "counts", "signal", "magnitude", "IQ", "polar") + (("levels",) if scenario == "success" and low < 0.02 else ()))
        if scenario == "success":
            self.ends("SUCCESS", {"T1_s": (t, 0.15)})
        elif scenario == "sampling_too_coarse":
            self.ends("SAMPLING_TOO_COARSE", sweep=lambda a, b, p: t < b < 0.6 * window)
        elif scenario == "window_too_short":
            self.ends("WINDOW_TOO_SHORT", sweep=lambda a, b, p: b > 1.5 * window)
        else:
            self.ends("NO_SIGNAL")

    def t2_echo(self, scenario):
        t, n = self.lu(1e-6, 5e-4), self.points()
        window = {"good": self.u(3, 7), "no_decay": 4, "short": self.u(0.2, 1.2)}[scenario] * t
        x = self.places(0, window, n)
        y = 0.5 + self.pick(-1, 1) * self.u(0.4, 0.5) * np.exp(-x / t) if scenario != "no_decay" else np.full(n, self.u(0.2, 0.8))
        self.column("delay", x, self.TIME)
        self.emit(y, self.lu(0.008, 0.04), ("population", "shots", "signal", "magnitude", "IQ"))
        self.ends({"good": "SUCCESS", "no_decay": "NO_SIGNAL", "short": "WINDOW_TOO_SHORT"}[scenario], {"T2_echo_s": (t, 0.15)} if scenario == "good" else {})

    def randomized_benchmarking(self, scenario):
        epc = self.lu(2e-4, 2e-2)
        p = 1 - 2 * epc
        top = {"good": self.u(2, 5), "short": self.u(0.05, 0.3), "two_rates": self.u(5, 9)}[scenario] / (1 - p)
        m = np.unique(np.round(self.pick(np.linspace(1, top, 31), np.geomspace(1, top, 25))))
        while len(m) < 10:
            top *= 2
            m = np.unique(np.round(np.linspace(1, top, 21)))
        seeds = int(self.rng.integers(1, 12))
        y = 0.5 + self.u(0.42, 0.5) * p ** m
        if scenario == "two_rates":
            y = 0.5 + 0.24 * p ** m + 0.24 * (1 - 20 * (1 - p)) ** m if 20 * (1 - p) < 0.9 else 0.5 + 0.24 * p ** m + 0.24 * 0.5 ** m
        self.columns["n_cliffords"] = m
        self.columns[self.pick("population", "probability")] = y + self.dirt(len(m), self.u(0.004, 0.012) / math.sqrt(seeds))
        self.ends({"good": "SUCCESS", "short": "WINDOW_TOO_SHORT", "two_rates": "NON_EXPONENTIAL"}[scenario], {"epc": (epc, 0.2)} if scenario == "good" else {},
                  outcome="anomalous" if scenario == "two_rates" else None)

    def t1_fluctuations(self, scenario):
        n, base = self.points(60, 400), self.lu(5, 300)
        rel = self.u(0.02, 0.1)
        if scenario == "stable":
            y = base * np.exp(self.rng.normal(0, rel, n))
        elif scenario == "telegraphic":
            high, state, levels = self.u(1.5, 2.6), False, []
            up, down = 1 / self.u(8, 0.2 * n), 1 / self.u(8, 0.2 * n)
            for _ in range(n):
                state = state ^ (self.rng.random() < (down if state else up))
                levels.append(high if state else 1.0)
            if min(levels.count(high), levels.count(1.0)) < 0.12 * n:
                levels = [high if (k // max(8, n // 7)) % 2 else 1.0 for k in range(n)]
            y = base * np.array(levels) * np.exp(self.rng.normal(0, min(rel, 0.06), n))
        else:
            tau, walk = self.u(0.15, 0.5) * n, [0.0]
            for _ in range(n - 1):
                walk.append(walk[-1] * (1 - 1 / tau) + self.rng.normal())
            walk = np.array(walk)
            y = base * np.exp(self.u(0.15, 0.3) * (walk - walk.mean()) / walk.std() + self.rng.normal(0, 0.02, n))
        unit, factor = self.pick(("us", 1), ("s", 1e-6))
        self.columns = {self.pick("time_s", "index"): np.arange(n) * 1.0, f"T1_{unit}": y * factor}
        self.ends({"stable": "STABLE", "telegraphic": "TELEGRAPHIC", "random_walk": "RANDOM_WALK"}[scenario], {"mean_t1_us": (float(np.mean(y)), 0.1)} if scenario == "stable" else {})

    def cz_benchmarking(self, scenario):
        depth = np.arange(0, self.pick(20, 28, 36) + 1, self.pick(2, 4)).astype(float)
        if scenario != "success":
            depth = np.arange(0, self.pick(10, 14, 20) + 1, 2).astype(float)
        shots = int(self.rng.integers(600, 4000))
        retention, polarization = {"success": (self.u(0.986, 0.9985), self.u(0.98, 0.999)), "no_gate": (self.u(0.999, 1.0), self.u(0.2, 0.7)), "miscalibrated": (self.u(0.94, 0.975), self.u(0.55, 0.88))}[scenario]
        r = self.rng.binomial(shots, np.clip(self.u(0.92, 0.98) * retention ** depth, 0, 1)) / shots
        p = 2 * self.rng.binomial(shots, np.clip(0.5 + 0.5 * self.u(0.9, 0.98) * polarization ** depth, 0, 1)) / shots - 1
        error = np.sqrt(np.maximum(r * (1 - r), 1 / shots) / shots)
        self.columns = {"n_cliffords": depth, "retention": r, "retention_stderr": error, "polarization": p, "polarization_stderr": np.full(len(depth), 1 / math.sqrt(shots))}
        self.ends({"success": "SUCCESS", "no_gate": "NO_GATE", "miscalibrated": "MISCALIBRATED"}[scenario], {"retention_per_cz": (retention, 0.005), "cycle_polarization": (polarization, 0.006)} if scenario == "success" else {})

    # == Oscillations ==
    def rabi(self, scenario):
        n, sigma = self.points(), self.lu(0.008, 0.06)
        periods = {"success": self.u(1.2, min(12, n / 9)), "off_resonance": self.u(1.5, 6), "limited_range": self.u(0.95, 1.3), "damped": self.u(2.5, min(10, n / 9)),
                   "too_fast": n / self.u(2.2, 3.4), "too_slow": self.u(0.08, 0.42), "random_signal": 1}[scenario]
        length = self.pick(True, False)
        stop = self.lu(2e-8, 2e-6) if length else self.lu(0.01, 1.5)
        x = self.places(0 if scenario in ("too_fast", "too_slow") else self.pick(0, 0.02) * stop, stop, n) if scenario != "too_fast" else np.linspace(0, stop, n)
        u = x / stop
        y = np.sin(np.pi * periods * u) ** 2 * self.u(0.9, 1.0)
        if scenario == "off_resonance":
            y = y * self.u(0.4, 0.7)
        if scenario == "damped":
            y = 0.5 - 0.5 * np.cos(TAU * periods * u) * np.exp(-u * self.u(1.6, 4))
        if scenario == "random_signal":
            y, sigma = np.full(n, self.u(0.2, 0.8)), self.lu(0.02, 0.2)
        self.column("delay" if length else "amplitude", x, ("s", "ns", "us") if length else ("1", "V", "mV"))
        self.emit(self.u(0, 0.05) + 0.92 * y, sigma, ("population", "shots", "counts", "signal", "magnitude", "IQ", "polar"))
        if scenario in ("success", "off_resonance", "limited_range"):
            self.ends("SUCCESS", {"half_period": (0.5 * stop / periods, 0.06)})
        elif scenario == "too_slow":
            self.ends("RANGE_TOO_NARROW", sweep=lambda a, b, p: b > 1.5 * stop)
        elif scenario == "too_fast":
            self.ends("UNDERSAMPLED", sweep=lambda a, b, p: (b - a) / (p - 1) < 0.9 * stop / (n - 1))
        else:
            self.ends("DAMPED" if scenario == "damped" else "NO_SIGNAL")

    def rabi_hw(self, scenario):
        n, sigma, stop = self.points(41, 201), self.lu(0.008, 0.05), self.lu(0.03, 0.9)
        periods = {"success": self.u(1.1, 6), "incorrect_fit": self.u(2.5, 6), "insufficient_amplitude_range": self.u(0.06, 0.4), "off_resonant_drive": self.u(1.3, 4)}[scenario]
        u = self.places(0, 1, n)
        y = np.sin(np.pi * periods * u) ** 2
        if scenario == "incorrect_fit":
            # An amplifier that compresses (tanh), or a readout that scatters.
            if self.pick(True, False):
                drive = np.tanh(self.u(1.6, 2.6) * u)
                y = np.sin(np.pi * periods * drive / drive.max()) ** 2
            else:
                sigma = self.u(0.42, 0.6)
        elif scenario == "off_resonant_drive":
            off = self.u(0.45, 0.9)
            y = u ** 2 / (u ** 2 + off ** 2) * np.sin(np.pi * periods * np.sqrt(u ** 2 + off ** 2)) ** 2
        self.column("amplitude", u * stop, ("1", "V", "mV"))
        self.emit(0.02 + 0.95 * y, sigma, ("population", "signal", "IQ") if sigma < 0.2 else ("population",))
        if scenario == "success":
            self.ends("SUCCESS", {"half_period": (0.5 * stop / periods, 0.06)})
        elif scenario == "insufficient_amplitude_range":
            self.ends("RANGE_TOO_NARROW", sweep=lambda a, b, p: b > 1.5 * stop)
        else:
            self.ends("FIT_POOR" if scenario == "incorrect_fit" else "OFF_RESONANCE")

    KINDS = ("population", "shots", "counts", "signal", "magnitude", "IQ", "polar")

    def two_tones(self, x, f, window, t):
        """Charge parity: the two tones stand at equal weight about the mean; or a coupled level with less."""
        ratio, gap = self.pick(1.0, self.u(0.5, 1.0)), self.u(1.7, 4.5) / window
        return 0.5 + 0.46 * np.exp(-x / t) * (np.cos(TAU * (f + gap / 2) * x) + ratio * np.cos(TAU * (f - gap / 2) * x)) / (1 + ratio)

    def ramsey_freq_cal(self, scenario):
        n, sigma, f = self.points(81 if scenario == "beating" else 41), self.lu(0.008, 0.05), self.lu(2e4, 2e7)
        periods = {"success": self.u(2.6, min(16, n / 8)), "beating": self.u(8, max(8, min(24, n / 7))), "too_few_osc": self.u(0.45, 1.6), "too_many_osc": n / self.u(2.4, 4.3)}[scenario]
        window = periods / f
        t = window * self.u(0.5, 6)
        x = self.places(0, window, n) if scenario != "too_many_osc" else np.linspace(0, window, n)
        y = 0.5 + self.pick(-1, 1) * self.u(0.35, 0.49) * np.exp(-x / t) * np.cos(TAU * f * x + self.u(-0.3, 0.3))
        if scenario == "beating":
            y = self.two_tones(x, f, window, window * self.u(0.7, 4))
        if scenario in ("success", "too_few_osc") and self.pick(True, False):
            self.meta[self.pick("virtual_detuning_Hz", "artificial_detuning_Hz")] = f * self.u(0.75, 1.3)
        self.column("delay", x, self.TIME)
        self.emit(y, sigma, self.KINDS)
        if scenario == "success":
            self.ends("SUCCESS", {"detuning_Hz": (f, ("abs", max(0.03 * f, 0.08 / window)))})
        elif scenario == "too_few_osc":
            self.ends("TOO_FEW_OSC", sweep=lambda a, b, p: b > 1.5 * window)
        elif scenario == "too_many_osc":
            self.ends("TOO_MANY_OSC", sweep=lambda a, b, p: b < 0.7 * window or p > 1.5 * n)
        else:
            self.ends("BEATING")

    def ramsey_t2star(self, scenario):
        n, sigma, f = self.points(71), self.lu(0.008, 0.05), self.lu(2e4, 2e7)
        periods = {"success": self.u(4, min(30, n / 7)), "beating": self.u(9, max(9, min(25, n / 7))), "sampling_too_coarse": n / self.u(2.15, 2.85), "window_too_short": self.u(3, min(12, n / 8)), "zero_detuning": 0.0}[scenario]
        window = max(periods, 3) / f
        t = window / {"success": self.u(1.9, 4.5), "beating": self.u(0.4, 2), "sampling_too_coarse": self.u(0.4, 2.5), "window_too_short": self.u(0.1, 0.9), "zero_detuning": self.u(2, 5)}[scenario]
        x = self.places(0, window, n) if scenario != "sampling_too_coarse" else np.linspace(0, window, n)
        y = 0.5 + self.u(0.38, 0.49) * np.exp(-x / t) * np.cos(TAU * periods / window * x + (self.u(-0.3, 0.3) if periods else 0))
        if scenario == "beating":
            y = self.two_tones(x, periods / window, window, t)
        self.column("delay", x, self.TIME)
        self.emit(y, sigma, self.KINDS)
        if scenario == "success":
            self.ends("SUCCESS", {"T2_star_s": (t, 0.25), "detuning_Hz": (periods / window, ("abs", max(0.03 * f, 0.1 / window)))})
        elif scenario == "sampling_too_coarse":
            self.ends("SAMPLING_TOO_COARSE", sweep=lambda a, b, p: (b - a) / (p - 1) < 0.8 * window / (n - 1))
        elif scenario == "window_too_short":
            self.ends("WINDOW_TOO_SHORT", sweep=lambda a, b, p: b > 1.4 * window)
        else:
            self.ends("NO_DETUNING" if scenario == "zero_detuning" else "BEATING")

    def zz(self, scenario):
        n, f, zeta = self.points(61, 201), self.lu(1e5, 2e6), None
        window = self.u(4, 10) / f
        zeta = self.pick(-1, 1) * self.u(0.7, 3) / window
        x = np.linspace(0, window, n)
        t = window * self.u(0.6, 3)
        wave = lambda g: 0.5 + 0.45 * np.exp(-x / t) * np.cos(TAU * g * x)
        self.column("delay", x, self.TIME)
        self.columns["population_0"] = wave(f) + self.dirt(n, 0.02)
        self.columns["population_1"] = wave(f + zeta) + self.dirt(n, 0.02)
        self.ends("SUCCESS", {"zz_abs_Hz": (abs(zeta), ("abs", 0.12 / window))})

    def rydberg_ramsey(self, scenario):
        f, t = self.lu(1e6, 2e7), None
        t = self.u(8, 40) / f
        shots = int(self.rng.integers(150, 800))
        if self.pick(True, False):
            windows, points = int(self.rng.integers(4, 9)), int(self.rng.integers(9, 18))
            width = (self.u(1.3, 2.5) if scenario == "success" else self.u(0.2, 0.6)) / f
            starts = np.linspace(0, self.u(0.9, 1.8) * t, windows) + np.append(0, self.rng.uniform(0, 0.05, windows - 1)) * t / windows
            x = np.concatenate([s + np.linspace(0, width, points) for s in starts])
        else:
            q = self.u(5.5, 10) if scenario == "success" else self.u(2.1, 2.7)
            window = self.u(1.2, 2.4) * t
            x = np.linspace(0, window, max(41, int(window * f * q)))
            if scenario != "success":
                x = np.linspace(0, window, max(24, int(window * f * q)))
        y = 0.5 + self.u(0.32, 0.46) * np.exp(-x / t) * np.cos(TAU * f * x + self.u(-0.4, 0.4))
        r = self.rng.binomial(shots, np.clip(y, 0, 1)) / shots
        self.column("delay", x, ("s", "us", "ns"))
        self.columns["retention"] = r
        if self.pick(True, False):
            self.columns["retention_stderr"] = np.sqrt(np.maximum(r * (1 - r), 1 / shots) / shots)
        self.ends("SUCCESS" if scenario == "success" else "UNDERSAMPLED", {"frequency_MHz": (f * 1e-6, 0.02), "T2_us": (t * 1e6, 0.4)} if scenario == "success" else {})

    def rydberg_spectroscopy(self, scenario):
        rabi = self.lu(0.5, 5) * 1e6
        t, f0, n = (self.rng.integers(0, 3) + 0.5) / rabi * self.u(0.95, 1.05), self.u(-0.3, 0.3) * rabi, self.points(41, 121)
        shots = int(self.rng.integers(300, 1500))
        x = np.linspace(-1, 1, n) * self.u(2.4, 3.6) * rabi
        contrast = self.u(0.6, 0.92) if scenario == "success" else self.u(0.08, 0.25)
        y = np.zeros(n)
        for doppler in self.rng.normal(0, 0.06 * rabi, 40):
            # Atoms move: each sees its own detuning.
            rate = np.hypot(rabi, x - f0 - doppler)
            y += (rabi / rate) ** 2 * np.sin(np.pi * rate * t) ** 2 / 40
        r = self.rng.binomial(shots, np.clip(self.u(0.93, 0.99) - contrast * y, 0, 1)) / shots
        self.column("frequency", x, ("Hz", "kHz", "MHz"))
        self.columns["retention"] = r
        if self.pick(True, False):
            self.columns["retention_stderr"] = np.sqrt(np.maximum(r * (1 - r), 1 / shots) / shots)
        self.ends("SUCCESS" if scenario == "success" else "LOW_CONTRAST", {"f0_kHz": (f0 * 1e-3, ("abs", 0.06 * rabi * 1e-3)), "f_Rabi_MHz": (rabi * 1e-6, 0.12)} if scenario == "success" else {},
                  outcome=None if scenario == "success" else "apparatus")

    def microwave_ramsey(self, scenario):
        n, shots = self.points(41, 121), int(self.rng.integers(150, 900))
        contrast = {"success": self.u(0.6, 0.95), "detuned": self.u(0.5, 0.9), "low_contrast": self.u(0.06, 0.2)}[scenario]
        period = self.u(12e3, 30e3)
        detuning = (self.u(1800, min(5000, 0.22 * period)) if scenario == "detuned" else self.u(20, 1000)) * self.pick(-1, 1)
        x = self.places(-1, 1, n) * self.u(0.5, 0.9) * period
        r = self.rng.binomial(shots, np.clip(0.49 - 0.5 * contrast * np.cos(TAU * (x - detuning) / period), 0, 1)) / shots
        self.column("frequency", x, ("Hz", "kHz"))
        self.columns["retention"] = r
        self.ends({"success": "SUCCESS", "detuned": "DETUNED", "low_contrast": "LOW_CONTRAST"}[scenario], {"detuning_Hz": (detuning, ("abs", 0.02 * period)), "contrast": (contrast, 0.15)} if scenario == "success" else {})

    def ramsey_charge_tomography(self, scenario):
        rows, n, period = int(self.rng.integers(20, 80)), int(self.rng.integers(21, 81)), self.lu(50, 2000)
        bias = self.u(-500, 500) + np.linspace(0, period * self.u(1.2, 3.5), n)
        amplitude, sigma = (self.u(0.2, 0.48), self.u(0.02, 0.1)) if scenario != "noisy" else (self.u(0, 0.08), self.u(0.7, 1.6))
        count = {"clean": 0, "few_bursts": int(self.rng.integers(1, 4)), "many_bursts": int(self.rng.integers(5, 9)), "noisy": 0}[scenario]
        places = set(int(p) for p in self.rng.choice(np.arange(3, rows - 3, 2), count, replace=False))
        offset, y = self.u(0, 1), []
        for row in range(rows):
            offset += (self.u(0.14, 0.46) * self.pick(-1, 1) if row in places else 0) + self.rng.normal(0, 0.005)
            y.append(0.5 + amplitude * np.cos(TAU * (bias / period - offset)) + self.rng.normal(0, sigma, n))
        b, r = np.meshgrid(bias, np.arange(rows))
        unit, factor = self.pick(("mV", 1), ("V", 1e3))
        self.columns = {f"bias_{unit}": b.ravel() / factor, self.pick("index", "time_s"): r.ravel() * 1.0, self.pick("population", "probability"): np.array(y).ravel()}
        order = self.rng.permutation(rows * n)
        self.columns = {k: v[order] for k, v in self.columns.items()}
        self.ends({"clean": "NO_EVENT", "noisy": "NO_COHERENCE"}.get(scenario, "EVENT"), {"jump_count": (count, ("abs", 0 if count < 4 else 1))} if scenario != "noisy" else {})

    # == Lines ==
    def qubit_spectroscopy(self, scenario):
        n, center, span = self.points(81), self.u(3e9, 7e9), self.lu(1e7, 1e9)
        x = self.places(center - span / 2, center + span / 2, n)
        width = span * self.lu(max(0.006, 1.2 / n), 0.06)
        sigma = self.lu(0.01, 0.07)
        # A saturated transition is a Lorentzian of the power-broadened width; inhomogeneous broadening makes it rather a Gaussian.
        line = (lambda f, w: 1 / (1 + ((x - f) / w) ** 2)) if self.pick(True, True, False) else (lambda f, w: np.exp(-math.log(2) * ((x - f) / w) ** 2))
        f0 = center + self.u(-0.38, 0.38) * span
        y = np.zeros(n)
        if scenario == "success":
            y = line(f0, width)
        elif scenario == "multiple_peaks":
            places = [center + k * span * self.u(0.2, 0.4) for k in (-1, 1)]
            if 35e6 < abs(places[1] - places[0]) < 260e6:
                places.append(center)
            width = min(width, 0.03 * span)
            for place in places:
                y = y + self.u(0.5, 1.0) * line(place, width)
        self.column("frequency", x, self.FREQUENCY)
        self.emit(0.05 + 0.8 * y, sigma, ("population", "signal", "magnitude", "IQ", "polar"))
        if scenario == "success":
            self.ends("SUCCESS", {"frequency_Hz": (f0, ("abs", 0.35 * width)), "num_resonances": (1, ("abs", 0))})
        elif scenario == "multiple_peaks":
            self.ends("MULTIPLE_PEAKS")
        else:
            self.ends("NO_SIGNAL", outcome="anomalous", sweep=lambda a, b, p: b - a > 1.5 * span)

    def notch(self, x, f, width, depth, tilt):
        return 1 - depth * np.exp(1j * tilt) / math.cos(tilt) / (1 + 1j * (x - f) / width)

    def res_spec(self, scenario):
        n, wide = self.points(101), "wide" in scenario
        center, span = self.u(4e9, 8.5e9), self.lu(1.5e8, 1.5e9) if wide else self.lu(2e6, 3e7)
        x = self.places(center - span / 2, center + span / 2, n)
        width = span * (self.u(max(0.004, 0.9 / n), 0.016) if wide else self.u(0.02, 0.1))
        places = [center + span * p for p in {"wide": [self.u(-0.4, 0.4)], "2qubit_wide": [self.u(-0.4, -0.1), self.u(0.1, 0.4)], "zoomed": [self.u(-0.25, 0.25)]}.get(scenario, [])]
        t = np.ones(n, complex) * (1 + self.u(-0.06, 0.06) * (x - center) / span + self.u(0, 0.03) * np.cos(TAU * self.u(0.3, 1.2) * (x - center) / span))
        transmission = self.pick(True, False, False) and scenario in ("zoomed", "zoomed_no_signal")
        if transmission and places:
            t = self.u(0.02, 0.06) + 1 / (1 + 1j * (x - places[0]) / width)
        else:
            for place in places:
                t = t * self.notch(x, place, width, self.u(0.55, 0.9), self.u(-0.3, 0.3))
        sigma = self.lu(0.004, 0.04)
        t = t * np.exp(-1j * (TAU * (x - center) * self.u(-1.5, 2.0) / span + self.u(0, TAU))) + self.dirt(n, sigma) + 1j * self.dirt(n, sigma)
        self.column("frequency", x, self.FREQUENCY)
        scale, kind = self.lu(1e-4, 30), self.pick("magnitude", "polar", "IQ")
        if kind == "IQ":
            self.columns.update({"I_V": scale * t.real, "Q_V": scale * t.imag})
        else:
            self.columns["magnitude_" + self.pick("V", "mV")] = scale * np.abs(t)
            if kind == "polar":
                self.columns.update({"phase_rad": np.angle(t)} if self.pick(True, False) else {"phase_deg": np.degrees(np.angle(t))})
        if places:
            self.ends("SUCCESS", {"resonance_freq_GHz": (places[0] * 1e-9 if len(places) == 1 else [p * 1e-9 for p in places], ("abs", 0.6 * width * 1e-9))})
        else:
            self.ends("NO_SIGNAL", outcome="anomalous")

    def dispersive_shift(self, scenario):
        n, center, width = self.points(61, 301), self.u(5e9, 8e9), self.lu(2e5, 2e6)
        chi = self.pick(-1, 1) * self.u(0.2, 1.5) * width
        x = np.linspace(center - 8 * width, center + 8 * width, n)
        self.column("frequency", x, self.FREQUENCY)
        for state, f in enumerate((center, center + 2 * chi)):
            self.columns[f"signal_{state}"] = np.abs(self.notch(x, f, width, self.u(0.6, 0.9), 0)) + self.dirt(n, 0.01)
        self.ends("SUCCESS", {"chi_Hz": (chi, ("abs", 0.15 * width))})

    # == Maps ==
    def arc(self, b, top, low, spot, period):
        """Asymmetric split transmon between `top` and `low`."""
        d = (low / top) ** 2
        phi = np.pi * (b - spot) / period
        return top * (np.cos(phi) ** 2 + d * d * np.sin(phi) ** 2) ** 0.25

    def map_of(self, b, f, y, bias_name, sigma):
        axes = {bias_name: b.ravel()}
        unit = self.pick(*self.FREQUENCY)
        axes[f"frequency_{unit}"] = f.ravel() / SI[unit]
        scale, base = self.lu(1e-5, 10), self.u(1.5, 6)
        noisy = y + self.rng.normal(0, sigma * self.louder, y.shape) * (1 if self.pick(True, False) else self.rng.uniform(0.8, 1.2, (y.shape[0], 1)))
        rows = base + noisy + self.rng.normal(0, 0.3 * sigma, (y.shape[0], 1))
        columns = {**axes, self.pick("signal", "magnitude_mV", "signal_V"): scale * rows.ravel()}
        order = self.rng.permutation(y.size) if self.pick(True, False) else np.arange(y.size)
        self.columns = {k: v[order] for k, v in columns.items()}

    def qubit_flux_spectroscopy(self, scenario):
        nb, nf = int(self.rng.integers(15, 61)), int(self.rng.integers(51, 161))
        top, period = self.u(4e9, 6.5e9), self.lu(0.2, 5)
        reach = self.u(0.12, 0.28) * period
        spot = self.u(-0.25, 0.25) * reach
        bias = np.linspace(-reach, reach, nb)
        least = self.arc(np.array([bias[0], bias[-1]]), top, 0.4 * top, spot, period).min()
        span = (top - least) * self.u(1.15, 1.6)
        frequency = np.linspace(top - 0.88 * span, top + 0.12 * span, nf)
        b, f = np.meshgrid(bias, frequency, indexing="ij")
        arc = self.arc(b, top, 0.4 * top, spot, period)
        width, sigma = span * self.u(max(0.012, 0.8 / nf), 0.04), self.u(0.03, 0.1)
        line = lambda c: 1 / (1 + ((f - c) / width) ** 2)
        y = line(arc)
        if scenario == "bad_fit":
            place, g = top - self.u(0.25, 0.5) * (top - least), span * self.u(0.06, 0.1)
            mean, half = (arc + place) / 2, np.hypot((arc - place) / 2, g)
            share = 0.5 * (1 + (arc - place) / (2 * half))
            y = share * line(mean + half) + (1 - share) * line(mean - half)
        elif scenario == "fit_failed":
            y = line(top - self.rng.uniform(0.05, 0.8, (nb, 1)) * span)
        elif scenario == "no_data":
            y = line(top + 0.1 * span - self.u(4, 8) * span * ((b - spot) / reach) ** 2)
        elif scenario == "no_response":
            y = 0 * y
        elif scenario == "not_tunable":
            y = line(top - self.u(0.2, 0.6) * span)
        self.map_of(b, f, self.pick(-1, 1) * y, self.pick("flux", "bias_V"), sigma)
        status = {"success": "SUCCESS", "bad_fit": "FIT_POOR", "fit_failed": "FIT_FAILED", "no_data": "RANGE_TOO_NARROW", "no_response": "NO_SIGNAL", "not_tunable": "NOT_TUNABLE"}[scenario]
        self.ends(status, {"resonance_freq_GHz": (top * 1e-9, ("abs", max(width, 0.04 * span) * 1e-9))} if scenario == "success" else {})

    def qubit_flux_map(self, scenario):
        nb, nf, top, period = int(self.rng.integers(15, 41)), int(self.rng.integers(61, 161)), self.u(4e9, 6.5e9), self.lu(0.3, 5)
        reach = self.u(0.08, 0.18) * period
        spot = self.u(-0.4, 0.4) * reach
        bias = np.linspace(-reach, reach, nb)
        least = self.arc(np.array([bias[0], bias[-1]]), top, 0.5 * top, spot, period).min()
        span = 1.4 * (top - least)
        b, f = np.meshgrid(bias, np.linspace(top - 0.88 * span, top + 0.12 * span, nf), indexing="ij")
        y = 1 / (1 + ((f - self.arc(b, top, 0.5 * top, spot, period)) / (span * self.u(0.012, 0.03))) ** 2)
        self.map_of(b, f, self.pick(-1, 1) * y, self.pick("flux", "bias_V"), self.u(0.03, 0.1))
        self.ends("SUCCESS", {"sweetspot": (spot, ("abs", 0.1 * reach)), "sweetspot_frequency_Hz": (top, ("abs", 0.05 * span))})

    def resonator_flux_map(self, scenario):
        nb, nf, bare = int(self.rng.integers(21, 61)), int(self.rng.integers(61, 161)), self.u(5e9, 8e9)
        period, g = self.lu(0.3, 5), self.u(4e7, 9e7)
        bias = np.linspace(-1, 1, nb) * period * self.u(0.7, 1.4)
        spot = self.u(-0.3, 0.3) * period
        qubit = self.arc(bias, bare - self.u(1.0e9, 1.8e9), 0.6 * bare, spot, period)
        dressed = bare + g * g / (bare - qubit)
        span = np.ptp(dressed) * self.u(1.6, 2.6)
        b, f = np.meshgrid(bias, np.linspace(dressed.mean() - span / 2, dressed.mean() + span / 2, nf), indexing="ij")
        depth = self.u(0.6, 0.9)
        y = -depth / (1 + ((f - dressed[:, None]) / (span * self.u(0.015, 0.03))) ** 2)
        self.map_of(b, f, y, self.pick("bias_V", "flux_V"), self.u(0.01, 0.05))
        self.ends("SUCCESS", {"sweetspot_V": (spot, ("abs", 0.04 * period)), "frequency_per_V": (1 / period, 0.06)})

    def coupler_flux(self, scenario):
        nb, nf = int(self.rng.integers(81, 181)), int(self.rng.integers(51, 101))
        bare, span, period, offset = self.u(4e9, 5.5e9), self.lu(4e7, 3e8), self.u(1.5, 2.6), self.u(-0.3, 0.3)
        b, f = np.meshgrid(np.linspace(-2, 2, nb), bare + np.linspace(-0.5, 0.5, nf) * span, indexing="ij")
        width, sigma, g = span * self.u(0.02, 0.04), self.u(0.03, 0.1), span * self.u(0.1, 0.17)
        swing = span * self.u(1.2, 2.5)
        # Coupler as a transmon arc of its own: above the qubit at its top, below at its bottom.
        shape = lambda v: np.sqrt(np.abs(np.cos(np.pi * (v - offset) / period)))
        level = self.u(0.5, 0.75)
        coupler = bare + swing * (shape(b) - level)
        line = lambda c: 1 / (1 + ((f - c) / width) ** 2)
        y = self.anticrossing(line, bare, coupler, g)
        angle = math.acos(level ** 2) / np.pi * period
        crossings = self.crossings(offset, period, angle, 1.9)
        if scenario == "bad_fit":
            if self.pick(True, False):
                y = line(bare + self.rng.uniform(-0.45, 0.45, (nb, 1)) * span)
            else:
                y, sigma = 0.12 * y, self.u(0.2, 0.4)
        self.map_of(b, f, self.pick(-1, 1) * y, self.pick("flux_V", "bias_V"), sigma)
        self.ends("SUCCESS" if scenario == "success" else "FIT_POOR", {"crossing_voltages_V": (crossings, ("abs", 0.15))} if scenario == "success" else {})

    def qubit_spectroscopy_power_frequency(self, scenario):
        na, nf, span, f01 = int(self.rng.integers(15, 46)), int(self.rng.integers(81, 201)), self.u(1.2e8, 5e8), self.u(3.8e9, 6.5e9)
        high = 1.0
        if scenario == "f01_low_amp_sharp":
            a = np.linspace(0.02, self.u(0.08, 0.15), na)
        elif "too_high" in scenario:
            a = np.linspace(self.u(0.5, 0.7), high, na)
        else:
            a = np.geomspace(0.03, high, na)
        amplitude, f = np.meshgrid(a, np.linspace(f01 - 0.65 * span, f01 + 0.35 * span, nf), indexing="ij")
        natural, rate = max(1.1 * span / nf, 0.004 * span), span * self.u(0.1, 0.16) * amplitude
        # Saturation: height s/(1+s), width sqrt(1+s).
        s = (rate / natural) ** 2
        y = s / (1 + s) / (1 + ((f - f01) / (natural * np.sqrt(1 + s))) ** 2)
        if "f02half" in scenario:
            two = (amplitude ** 2 / 0.12) ** 2
            w = natural * np.sqrt(1 + 0.1 * s)
            y = y + 0.9 * two / (1 + two) / (1 + ((f - f01 + self.u(0.35, 0.55) * span) / w) ** 2)
        if scenario == "no_signal":
            y = 0 * y
        self.map_of(20 * np.log10(amplitude) if scenario != "f01_low_amp_sharp" else amplitude, f, self.pick(-1, 1) * y, "power_dBm" if scenario != "f01_low_amp_sharp" else "amplitude", self.u(0.02, 0.06))
        status = "NO_SIGNAL" if scenario == "no_signal" else "AMP_TOO_HIGH" if "too_high" in scenario else "SUCCESS"
        self.ends(status, {"f01_MHz": (f01 * 1e-6, ("abs", max(0.02 * span, 2 * natural) * 1e-6))} if status == "SUCCESS" else {})

    # == Gates, readout, others ==
    def drag(self, scenario):
        n, sigma, scale = self.points(41, 101), self.lu(0.01, 0.04), self.lu(0.005, 5)
        place = {"success": self.u(0.3, 0.7), "no_signal": 0.5, "position_far_offset": self.pick(self.u(-1.0, -0.25), self.u(1.25, 2.0)), "first_quarter": self.u(0.04, 0.2), "last_quarter": self.u(0.8, 0.96)}[scenario]
        x = self.places(self.u(-2, 0.5), self.u(0.8, 3), n) * scale
        low, high = x.min(), x.max()
        optimum = low + place * (high - low)
        # The two sequences turn about y by opposite phase errors: sines rather than lines.
        theta = self.u(0.5, 1.1) * self.pick(-1, 1) * (x - optimum) / (high - low)
        a, b = 0.5 + 0.48 * np.sin(theta), 0.5 - 0.48 * np.sin(theta)
        if scenario == "no_signal":
            a = b = np.full(n, self.u(0.3, 0.7))
        names = self.pick(("signal_xy", "signal_yx"), ("population_xy", "population_yx"))
        self.columns = {self.pick("beta", "motzoi"): x, names[0]: a + self.dirt(n, sigma), names[1]: b + self.dirt(n, sigma)}
        if scenario == "success":
            self.ends("SUCCESS", {"beta": (optimum, ("abs", 0.06 * (high - low)))})
        elif scenario == "no_signal":
            self.ends("NO_SIGNAL")
        else:
            self.ends("OPTIMAL_NOT_CENTERED", {} if "far" in scenario else {"optimal_alpha_inv": (optimum, ("abs", 0.06 * (high - low)))}, sweep=lambda p, q, m: p < optimum < q or abs(0.5 * (p + q) - optimum) < abs(0.5 * (low + high) - optimum))

    def pingpong(self, scenario):
        step = self.pick(1, 2)
        n = np.arange(0, step * self.points(41, 101), step).astype(float)
        error = {"well_calibrated": self.u(0.0002, 0.0035), "moderate_error": self.u(0.015, 0.06), "large_error": self.u(0.1, 0.45), "no_excitation": 0}[scenario] * self.pick(-1, 1)
        # Decoherence pulls toward one half.
        y = 0.5 + 0.49 * np.sin(n * error) * np.exp(-n / self.u(100, 2000))
        if scenario == "no_excitation":
            y = np.full(len(n), self.pick(self.u(0.01, 0.15), self.u(0.85, 0.99)))
        self.columns = {"n_pulses": n}
        self.emit(y, self.lu(0.01, 0.035), ("population", "shots"))
        if scenario == "well_calibrated":
            self.ends("SUCCESS", {"error_per_gate": (error, ("abs", 0.0012))})
        else:
            self.ends({"moderate_error": "MODERATE_ERROR", "large_error": "LARGE_ERROR", "no_excitation": "NO_EXCITATION"}[scenario])

    def allxy(self, scenario):
        each = self.pick(1, 2)
        ideal = np.repeat(np.array([0.0] * 5 + [0.5] * 12 + [1.0] * 4), each)
        off = np.repeat(np.array([0, 0, 0, 0, 0] + [1, -1] * 6 + [0] * 4) * self.u(0, 0.12), each)
        y = np.clip(ideal + off, 0, 1) if scenario == "good" else np.full(len(ideal), 0.5)
        self.columns["index"] = np.arange(len(y)) * 1.0
        sigma = 0.012
        values = y + self.rng.normal(0, sigma, len(y))
        self.columns[self.pick("population", "signal_V")] = values
        self.ends("SUCCESS" if scenario == "good" else "NO_SIGNAL", {"deviation": (float(np.mean(np.abs(off))), ("abs", 0.02))} if scenario == "good" else {})

    def shots(self, apart, sigma, n, decay, thermal, states=2):
        """Shots whose excited states decay during integration: tails between the clouds."""
        angle = self.u(0, TAU)
        centers = [np.array([self.u(-5, 5), self.u(-5, 5)])]
        centers.append(centers[0] + apart * sigma * np.array([math.cos(angle), math.sin(angle)]))
        centers.append(centers[0] + apart * sigma * np.array([math.cos(angle + 1.3), math.sin(angle + 1.3)]))
        state = np.repeat(np.arange(states), n)
        actual = np.where((state == 0) & (self.rng.random(len(state)) < thermal), 1, state)
        until = np.minimum(1.0, self.rng.exponential(1 / max(decay, 1e-9), len(state)))
        point = np.array(centers)[actual]
        point = np.where((actual > 0)[:, None], until[:, None] * point + (1 - until[:, None]) * centers[0], point)
        return state.astype(float), point + self.rng.normal(0, sigma, point.shape), centers

    def iq(self, state, points):
        scale, suffix = self.lu(1e-4, 10), self.pick("", "_V")
        order = self.rng.permutation(len(state))
        self.columns = {"prepared_state": state[order], "I" + suffix: scale * points[order, 0], "Q" + suffix: scale * points[order, 1]}
        return scale

    def gmm(self, scenario):
        n, sigma = int(self.rng.integers(400, 4000)), self.u(0.1, 0.6)
        apart = self.u(4.2, 9)
        state, points, centers = self.shots(apart, sigma, n, self.u(0.01, 0.1), self.u(0, 0.04))
        if scenario == "no_excitation":
            state, points, centers = self.shots(apart, sigma, n, 0.02, self.u(0, 0.05))
            points = np.concatenate([points[:n], self.rng.permutation(points[:n]) + self.rng.normal(0, 1e-3 * sigma, (n, 2))])
        elif scenario == "high_power":
            leaks = self.rng.random(2 * n) < np.where(state == 1, self.u(0.3, 0.5), self.u(0.1, 0.25))
            third = centers[0] + apart * sigma * self.u(1.2, 2.0) * np.array([math.cos(self.u(0, TAU)), math.sin(self.u(0, TAU))])
            points = np.where(leaks[:, None], third + self.rng.normal(0, 1.8 * sigma, points.shape), points)
        elif scenario == "no_res_response":
            points = self.rng.normal(0, sigma, points.shape)
        elif scenario == "no_signal":
            points = np.full(points.shape, 0.3) if self.pick(True, False) else self.rng.uniform(-1, 1, points.shape)
        scale = self.iq(state, points)
        if scenario == "success":
            self.ends("SUCCESS", {"cluster0_I": (scale * centers[0][0], ("abs", 0.3 * apart * sigma * scale)), "cluster1_I": (scale * centers[1][0], ("abs", 0.3 * apart * sigma * scale))})
        else:
            self.ends({"high_power": "HIGH_POWER", "no_excitation": "NO_EXCITATION", "no_res_response": "NO_RES_RESPONSE", "no_signal": "NO_SIGNAL"}[scenario])

    def single_shot_readout(self, scenario):
        n, sigma = int(self.rng.integers(400, 4000)), self.u(0.1, 0.6)
        apart = self.u(2.2, 3.2) if scenario == "touching" else self.u(4, 8)
        states = 3 if scenario == "three_states" else 2
        state, points, _ = self.shots(apart, sigma, n, self.u(0.01, 0.08), self.u(0, 0.03), states)
        # Reference: nearest of the true class means, by brute force.
        means = np.array([points[state == s].mean(axis=0) for s in range(states)])
        guess = np.argmin(((points[:, None, :] - means[None]) ** 2).sum(axis=2), axis=1)
        fidelity = float(np.mean([np.mean(guess[state == s] == s) for s in range(states)]))
        self.iq(state, points)
        self.ends("SUCCESS", {"assignment_fidelity": (fidelity, ("abs", 0.01))})

    def pinchoff(self, scenario):
        n, sigma = self.points(41, 201), self.lu(0.005, 0.03)
        middle, width = self.u(0.25, 0.6) * n, self.u(0.02, 0.06) * n
        if scenario == "incomplete_transition":
            middle, width = self.u(0.87, 1.02) * n, self.u(0.06, 0.15) * n
        k = np.arange(n)
        y = 0.5 * (1 - np.tanh((k - middle) / (1.6 * width)))
        if scenario == "noisy_no_transition":
            y, sigma = np.full(n, self.u(0, 0.5)), self.u(0.1, 0.3)
        elif scenario == "stabilize_negative":
            y = y - self.u(0.15, 0.5)
        elif scenario == "stabilize_positive":
            y = y + self.u(0.15, 0.5)
        self.columns = {"bias_V" if self.pick(True, False) else "index": 1.0 * k, self.pick("signal", "signal_V"): self.lu(1e-4, 10) * (y + self.dirt(n, sigma))}
        self.ends({"success": "SUCCESS", "incomplete_transition": "INCOMPLETE", "noisy_no_transition": "NO_TRANSITION", "stabilize_negative": "NEGATIVE_OFFSET", "stabilize_positive": "POSITIVE_OFFSET"}[scenario],
                  {"transition_index": (middle, ("abs", max(2.0, 0.05 * n)))} if scenario == "success" else {})

    def time_of_flight(self, scenario):
        n, at = self.points(200, 1200), None
        t = np.arange(n) * 1e-9
        at = self.u(0.2, 0.6) * n * 1e-9
        envelope = np.where(t > at, 1 - np.exp(-(t - at) / self.u(4e-9, 15e-9)), 0) * (scenario == "good")
        turn = TAU * self.u(2e7, 1e8) * t
        sigma = self.u(0.02, 0.06)
        self.column("time", t, ("s", "ns"))
        self.columns["I_V"], self.columns["Q_V"] = 1e-3 * (envelope * np.cos(turn) + self.rng.normal(0, sigma, n)), 1e-3 * (envelope * np.sin(turn) + self.rng.normal(0, sigma, n))
        self.ends("SUCCESS" if scenario == "good" else "NO_SIGNAL", {"time_of_flight_s": (at, ("abs", 1.2e-8))} if scenario == "good" else {})

    def conditional_oscillation_cz(self, scenario):
        n = self.points(41, 101)
        phase = self.u(165, 195) if scenario == "good" else self.pick(self.u(60, 130), self.u(230, 300))
        degrees, turn = np.linspace(0, self.pick(360, 540, 720), n), self.u(0, 360)
        wave = lambda extra: 0.5 + 0.45 * np.cos(np.radians(degrees + turn + extra))
        self.columns.update({"phase_deg": degrees} if self.pick(True, False) else {"phase_rad": np.radians(degrees)})
        leak = self.u(0, 0.03)
        # The fitted curve is cos(x - phase): the extra phase of the gate enters with its sign.
        self.columns.update({"lf_off": wave(0) + self.dirt(n, 0.02), "lf_on": wave(-phase) + self.dirt(n, 0.02), "hf_off": 0.02 + self.dirt(n, 0.01), "hf_on": 0.02 + leak + self.dirt(n, 0.01)})
        self.ends("SUCCESS" if scenario == "good" else "MISCALIBRATED", {"cz_phase_deg": (phase, ("abs", 4))}, outcome=None if scenario == "good" else "suboptimal")


# == Real measurements, disturbed ==
def disturb(name, header, rows, family, meta, rng):
    """The same measurement as another laboratory might have taken it; None where the disturbance makes no sense."""
    cal = meta.get("cal_points", 0)
    cal = int(cal.split("last ")[1].split()[0]) if isinstance(cal, str) and "last " in cal else cal if isinstance(cal, int) else 0
    body, tail = (rows[:-cal], rows[-cal:]) if cal else (rows, rows[:0])
    signals = [k for k, h in enumerate(header) if k > 0 and not h.startswith(("prepared_state", "bias", "flux", "power", "frequency", "phase", "shots", "stderr")) and not h.endswith("stderr")]
    one_axis = family not in ("allxy", "resonator_flux_map", "qubit_flux_map", "single_shot_readout", "drag", "drag_tuning", "drag_motzoi") and not family.startswith("single_shot")
    if name == "half":
        return (header, np.concatenate([body[::2], tail])) if one_axis and len(body) >= 24 else None
    if name == "cropped":
        cut = max(1, len(body) // 20)
        return (header, np.concatenate([body[cut:-cut], tail])) if one_axis and len(body) >= 24 else None
    if name == "noisy":
        if family.startswith("single_shot"):
            return None
        out = rows.copy()
        for k in signals:
            column = rows[:, k]
            second = np.abs(column[:-2] - 2 * column[1:-1] + column[2:]) if len(column) > 4 else np.zeros(1)
            out[:, k] = column + rng.normal(0, 0.7 * 1.4826 * np.nanmedian(second) / math.sqrt(6), len(column))
        return header, out
    if name == "shuffled":
        return (header, np.concatenate([rng.permutation(body), tail])) if one_axis else None
    if name == "flipped":
        if family.startswith("cond") or any(h.startswith(("magnitude", "prob", "population", "survival", "counts")) for h in header) or not one_axis:
            return None
        out = rows.copy()
        out[:, signals] *= -1
        return header, out
    if name == "units":
        unit = header[0].rsplit("_", 1)[-1]
        other = {"s": "us", "Hz": "MHz", "us": "s", "ns": "us", "GHz": "Hz"}.get(unit)
        if other is None or "_" not in header[0]:
            return None
        out = rows.copy()
        out[:, 0] *= SI[unit] / SI[other]
        return [header[0][: -len(unit)] + other, *header[1:]], out
    if name == "louder":
        out = rows.copy()
        out[:, signals] *= 1e3 if not any(h.startswith(("prob", "population", "survival", "counts")) for h in header) else 1.0
        return header, out
    return None


def measurements(program, folder, failures):
    """Disturbed copies of real keyed measurements through the program: (kept, refused, wrong) by disturbance."""
    data = json.loads((folder / "answers.json").read_text())["datasets"]
    table, wrong = {}, []
    with tempfile.TemporaryDirectory() as temporary:
        out_folder, made = pathlib.Path(temporary), {}
        for entry in data:
            if not entry["answers"] or entry["family"].startswith("mixer"):
                continue
            lines = (folder / entry["file"]).read_text().split("\n")
            header = lines[0].split(",")
            rows = np.array([[float(v) if v else math.nan for v in line.split(",")] for line in lines[1:] if line])
            for name in ("as is", "half", "cropped", "noisy", "shuffled", "flipped", "units", "louder"):
                rng = np.random.default_rng([len(made), 5])
                done = (header, rows) if name == "as is" else disturb(name, header, rows, entry["family"], entry["meta"], rng)
                if done is None:
                    continue
                key = f"{entry['id']}-{name.replace(' ', '_')}"
                made[key] = (entry, name)
                (out_folder / f"{key}.csv").write_text(",".join(done[0]) + "\n" + "".join(",".join(map(repr, r)) + "\n" for r in done[1].tolist()))
                meta = {k: v for k, v in entry["meta"].items() if k != "upstream_constraints"}
                (out_folder / f"{key}.request.json").write_text(json.dumps({"family": entry["family"], "columns": done[0], "meta": meta}))
        subprocess.run([program, "calibrate", "--batch", out_folder, "--out", out_folder / "out.jsonl"], check=True)
        for line in (out_folder / "out.jsonl").read_text().splitlines():
            record = json.loads(line)
            entry, name = made[record["id"]]
            params = record["fit"]["params"]
            cells = table.setdefault(name, [0, 0, 0])
            for key, answer in entry["answers"].items():
                if name == "louder" and answer["unit"] in ("V", "1/V") and key not in ("pi_amplitude_V",):
                    continue
                if key not in params:
                    cells[1] += 1
                    continue
                # Fewer or noisier points widen what the data can say: three standard errors beside the key's own tolerance.
                allowed = answer.get("tol_abs", answer.get("tol_rel", 0) * abs(answer["value"]))
                allowed = max(allowed, answer.get("tol_nsigma", 0 if "tol_abs" in answer or "tol_rel" in answer else 3) * answer.get("stderr", params[key].get("stderr", 0)))
                if name in ("half", "cropped", "noisy"):
                    allowed = max(allowed, 3 * params[key].get("stderr", 0))
                off = params[key]["value"] - answer["value"]
                off = math.remainder(off, TAU) if key == "acq_rotation_rad" else off
                good = abs(off) <= allowed
                cells[0 if good else 2] += 1
                if not good:
                    wrong.append((record["id"], key, answer["value"], params[key], allowed, record["verdict"]["status"]))
    print("| disturbance | within tolerance | refused | wrong |\n|---|---|---|---|")
    for name, cells in table.items():
        print(f"| {name} | {cells[0]} | {cells[1]} | {cells[2]} |")
    for item in wrong[:failures]:
        print(*item, file=sys.stderr)
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--measurements", type=pathlib.Path)
    parser.add_argument("--failures", type=int, default=0)
    options, _ = parser.parse_known_args()
    if options.measurements:
        measurements(options.program, options.measurements, options.failures)
    else:
        twin.main(Second)
