#!/usr/bin/env python3
"""Writes crates/albumen-accounting/tests/golden/tuning.json: epsilon of the best of a secret random
number of runs, by dp-accounting 0.6.0's Renyi accountant (RepeatAndSelectDpEvent, which cites the same
theorems of Papernot and Steinke 2022). For a Poisson number also by theorem 6 with the delta of
dp-accounting's privacy loss distribution in place of the Renyi one. No randomness.

    python scripts/golden/accounting_tuning.py > crates/albumen-accounting/tests/golden/tuning.json
"""

import json
import math

from dp_accounting import dp_event
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant
from dp_accounting.rdp.rdp_privacy_accountant import compute_epsilon

RUNS = [((2.0, 0.02, 500),), ((1.0, 0.01, 1000), (3.0, 0.2, 20)), ((4.0, 1.0, 3),)]


def event(parts):
    composed = [
        dp_event.SelfComposedDpEvent(
            dp_event.PoissonSampledDpEvent(q, dp_event.GaussianDpEvent(sigma)), steps
        )
        for sigma, q, steps in parts
    ]
    return dp_event.ComposedDpEvent(composed)


def poisson_by_loss_distribution(parts, mean, delta):
    accountant, base = PLDAccountant(), RdpAccountant()
    accountant.compose(event(parts))
    base.compose(event(parts))
    orders = [a for a in base._orders if a > 1]
    rdp = [r for a, r in zip(base._orders, base._rdp) if a > 1]
    hats = [math.log1p(1 / (a - 1)) for a in orders]
    tuned = [
        r + mean * accountant.get_delta(hat) + math.log(mean) / (a - 1)
        for a, r, hat in zip(orders, rdp, hats)
    ]
    return compute_epsilon(orders, tuned, delta)[0]


def main():
    cases = []
    for parts in RUNS:
        for shape in (0.0, 0.5, 1.0, math.inf):
            for mean in (3.0, 30.0):
                for delta in (1e-5, 1e-8):
                    accountant = RdpAccountant()
                    accountant.compose(
                        dp_event.RepeatAndSelectDpEvent(event(parts), mean, shape)
                    )
                    cases.append(
                        {
                            "parts": parts,
                            "shape": None if shape == math.inf else shape,
                            "mean": mean,
                            "delta": delta,
                            "epsilon": accountant.get_epsilon(delta),
                        }
                    )
                    if shape == math.inf:
                        epsilon = poisson_by_loss_distribution(parts, mean, delta)
                        cases[-1]["epsilon_by_loss_distribution"] = epsilon
    print(json.dumps({"about": "see scripts/golden/accounting_tuning.py", "cases": cases}, indent=1))


if __name__ == "__main__":
    main()
