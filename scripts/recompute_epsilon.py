"""Recompute a release's epsilon with Google's dp-accounting, an independent implementation.

Usage: python scripts/recompute_epsilon.py runs/quickstart/release
Needs: pip install dp-accounting (0.6.0 was used).

Recomputes, from the events and the declaration of tuning runs in privacy.json:
1. the composition of one run's events, as a connect-the-dots privacy loss distribution;
2. the total: the same where no tuning is declared; that of all runs for a fixed number; for a secret
   random number the theorems of Papernot and Steinke (2022) on Renyi divergences summed up here
   (theorem 6 with its privacy loss distribution's delta).
The ledger's hashes, and the noise's distance from the ideal, are `albumen verify`'s business.

Fails where dp-accounting's value lies more than 0.5% (2% for a secret number, whose Renyi orders differ)
above Albumen's upper bound, then ours would be an underestimate, or below its lower bound.
"""

import json
import math
import pathlib
import sys

import numpy as np
from dp_accounting.pld import common
from dp_accounting.pld import privacy_loss_distribution as pld
from dp_accounting.rdp.rdp_privacy_accountant import compute_epsilon

GRID = 1e-4


def distribution_of(entry):
    """The privacy loss distribution of one line of privacy.json's `events`."""
    scale, grid = entry["noise_multiplier"], {"value_discretization_interval": GRID}
    mechanism = entry["mechanism"]
    if mechanism == "poisson_gaussian":
        step = pld.from_gaussian_mechanism(scale, sampling_prob=entry["sampling_rate"], **grid)
        return step.self_compose(entry["steps"])
    if mechanism == "gaussian":
        return pld.from_gaussian_mechanism(scale, **grid)
    if mechanism == "laplace":
        return pld.from_laplace_mechanism(entry["scale"], **grid)
    if mechanism == "discrete_gaussian":
        shift = entry["sensitivity"]
        return pld.from_discrete_gaussian_mechanism(scale * shift, sensitivity=shift, **grid)
    if mechanism == "pure_dp":
        pure = common.DifferentialPrivacyParameters(entry["epsilon"], 0)
        return pld.from_privacy_parameters(pure, **grid)
    sys.exit(f"no dp-accounting mechanism for {mechanism}")


def renyi_of(entry, orders):
    """Renyi divergences of one line at these orders, by their definitions."""
    mechanism, a = entry["mechanism"], np.asarray(orders, float)
    if mechanism == "pure_dp":
        high, low = -np.logaddexp(0, -entry["epsilon"]), -np.logaddexp(0, entry["epsilon"])
        return np.logaddexp(a * high + (1 - a) * low, a * low + (1 - a) * high) / (a - 1)
    if mechanism == "laplace":
        b = entry["scale"]
        up, down = np.log(a / (2 * a - 1)) + (a - 1) / b, np.log((a - 1) / (2 * a - 1)) - a / b
        return np.logaddexp(up, down) / (a - 1)
    sigma = entry["noise_multiplier"]
    if mechanism != "poisson_gaussian" or entry["sampling_rate"] == 1:
        # A discrete Gaussian is no worse than the continuous one at any order.
        return entry["steps"] * a / (2 * sigma**2)
    # E over N(0, 1) of (1 - q + q e^loss)^a by a fine sum (Mironov, Talwar and Zhang 2019).
    q, h = entry["sampling_rate"], min(0.02, sigma / 10)
    values = []
    for order in a:
        z = np.arange(-14, order / sigma + 14, h)
        loss = np.logaddexp(math.log1p(-q), math.log(q) + (z - 0.5 / sigma) / sigma)
        log_sum = np.logaddexp.reduce(order * loss - z * z / 2)
        values.append(max(log_sum + math.log(h / math.sqrt(2 * math.pi)), 0) / (order - 1))
    return entry["steps"] * np.array(values)


def total_of(privacy, one_run):
    """(epsilon, tolerance, words) of the whole, the declared tuning runs included."""
    delta = privacy["delta"]
    runs = privacy.get("tuning", {}).get("runs")
    if runs is None:
        return one_run.get_epsilon_for_delta(delta), 1.005, "composition of the events"
    if runs["number"] == "fixed":
        words = f"composition of {runs['count']} runs"
        every = one_run if runs["count"] == 1 else one_run.self_compose(runs["count"])
        return every.get_epsilon_for_delta(delta), 1.005, words
    orders = [1 + x / 10 for x in range(1, 100)] + list(range(11, 64)) + [64, 96, 128, 256, 512]
    rdp = sum(renyi_of(entry, orders) for entry in privacy["events"])
    if runs["number"] == "secret_poisson":
        mean = runs["mean"]
        tuned = [
            r
            + mean * one_run.get_delta_for_epsilon(math.log1p(1 / (a - 1)))
            + math.log(mean) / (a - 1)
            for a, r in zip(orders, rdp)
        ]
        words = f"best of Poisson({mean}) runs: theorem 6 of Papernot and Steinke"
    else:
        eta, gamma = runs["eta"], runs["gamma"]
        if eta == 0:
            mean = (1 / gamma - 1) / math.log(1 / gamma)
        else:
            mean = eta * (1 - gamma) / (gamma * (1 - gamma**eta))
        second = min((1 - 1 / a) * r - math.log(gamma) / a for a, r in zip(orders, rdp))
        tuned = [
            r + (1 + eta) * second + math.log(mean) / (a - 1) for a, r in zip(orders, rdp)
        ]
        words = "best of a negative binomial number of runs: theorem 2 of Papernot and Steinke"
    return compute_epsilon(orders, tuned, delta)[0], 1.02, words


def main():
    release = pathlib.Path(sys.argv[1])
    privacy = json.loads((release / "privacy.json").read_text())
    one_run = pld.identity(GRID)
    for entry in privacy["events"]:
        one_run = one_run.compose(distribution_of(entry))
    print(f"one run, dp-accounting   {one_run.get_epsilon_for_delta(privacy['delta']):.6f}")
    if "tuning" in privacy:
        print(f"one run, albumen         {privacy['tuning']['epsilon_one_run']:.6f}")
    theirs, tolerance, words = total_of(privacy, one_run)
    upper, lower = privacy["epsilon"], privacy["epsilon_lower"]
    print(f"total, dp-accounting     {theirs:.6f}   ({words})")
    print(f"total, albumen           upper {upper:.6f}  lower {lower:.6f}")
    if not lower <= theirs <= upper * tolerance:
        sys.exit("the two disagree")


if __name__ == "__main__":
    main()
