# SPDX-License-Identifier: Apache-2.0
"""The confidence of a decision: a logistic function of its facts, fitted on traces of the numeric twin (calibrate_twin.py) under noise from
half of the usual to eight times as much, and its reliability curve on other seeds.

A decision is right when its status is the scenario's and, where parameters are given, they get at least three quarters of the credit.

usage: calibrate_confidence.py PROGRAM [--fit] [--check]
  --fit    prints the coefficients for include/spinel/calib/confidence.hpp (seeds 20000 to 20039)
  --check  prints the reliability table of the program's own confidence (seeds 30000 to 30039)
"""
import argparse
import math

import numpy as np

import calibrate_twin as twin

NAMES = ["constant", "usable", "snr", "snr if usable", "dbic", "dbic if usable", "stderr", "stderr if usable", "residual", "residual if usable", "second if usable", "rules"]


def features(record):
    """The same numbers as in confidence.hpp."""
    facts = record["facts"]
    usable = 1.0 if record["verdict"]["usable"] else 0.0

    def decade(name, low, high, absent, sign=1):
        value = facts.get(name)
        return absent if value is None else min(max(sign * math.log10(max(value, 1e-9)), low), high)

    snr, dbic, stderr = decade("snr", 0, 2, 1), decade("dbic", 0, 3, 2), decade("relative_stderr", 0, 3, 1.5, -1)
    residual = min(max(facts.get("residual_fraction", 0.1), 0), 1)
    second = min(max(facts.get("dbic_second", 0) / 20, 0), 1)
    rules = min(len(record["verdict"]["rules_fired"]) - 1, 3)
    return [1, usable, snr, snr * usable, dbic, dbic * usable, stderr, stderr * usable, residual, residual * usable, second * usable, rules]


def louder(seed):
    return float(math.exp(np.random.default_rng([77, seed]).uniform(math.log(0.5), math.log(8))))


def sample(program, first, seeds=40):
    x, y, p = [], [], []
    for case, _, record, scores in twin.run(program, seeds, first, louder=louder):
        x.append(features(record))
        y.append(float(record["verdict"]["status"] == case.status and (not case.params or scores[2] >= 0.75)))
        p.append(record["confidence"])
    return np.array(x), np.array(y), np.array(p)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.fit:
        x, y, _ = sample(options.program, 20000)
        w = np.zeros(x.shape[1])
        for _ in range(50):
            p = 1 / (1 + np.exp(-x @ w))
            gradient = x.T @ (y - p) - 1.0 * w
            hessian = (x * (p * (1 - p))[:, None]).T @ x + 1.0 * np.eye(len(w))
            w += np.linalg.solve(hessian, gradient)
        for name, value in zip(NAMES, w):
            print(f"    {value:.3f},  // {name}")
    if options.check:
        x, y, p = sample(options.program, 30000)
        usable = x[:, 1] > 0.5
        print("| confidence | all: decisions | mean confidence | share right | usable: decisions | mean confidence | share right |\n|---|---|---|---|---|---|---|")
        errors = [0.0, 0.0]
        for low in np.arange(0, 1, 0.1):
            cells = []
            for k, who in enumerate((np.ones(len(y), bool), usable)):
                inside = who & (p >= low) & ((p < low + 0.1) | (low > 0.85))
                if inside.any():
                    errors[k] += inside.sum() / who.sum() * abs(p[inside].mean() - y[inside].mean())
                    cells.append(f"{inside.sum()} | {p[inside].mean():.3f} | {y[inside].mean():.3f}")
                else:
                    cells.append("0 | - | -")
            print(f"| {low:.1f} to {low + 0.1:.1f} | " + " | ".join(cells) + " |")
        for name, who, error in (("all decisions", np.ones(len(y), bool), errors[0]), ("usable decisions", usable, errors[1])):
            brier, base = np.mean((p[who] - y[who]) ** 2), y[who].mean()
            print(f"\n{name}: {who.sum()}, right {base:.3f}; Brier score {brier:.4f} (a constant would have {base * (1 - base):.4f}), expected calibration error {error:.4f}")
        acted = usable & (p >= 0.8)
        print(f"\nusable at confidence 0.8 or more: {acted.sum()}, right {y[acted].mean():.4f}; usable and right but below 0.8: {(usable & (y > 0.5) & (p < 0.8)).sum()} of {(usable & (y > 0.5)).sum()}")


if __name__ == "__main__":
    main()
