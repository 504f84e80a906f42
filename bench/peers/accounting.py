#!/usr/bin/env python3
"""Times epsilon(delta) against Python's accountants, on the reference cases, in one run.

    cargo build --release -p albumen-accounting --example accounting_cases
    python bench/peers/accounting.py target/release/examples/accounting_cases

Peers: dp-accounting's PLD accountant at its default grid of 1e-4 (the one that made the reference
values) and, where installed, prv_accountant with an error of 0.5% of epsilon (at least 0.002), which
is no tighter than what ours certifies. Every tool answers each case cold except for imports; ours is
the median of nine. Prints a Markdown table and the median ratios.
"""

import json
import statistics
import subprocess
import sys
import time
import warnings

import dp_accounting
from dp_accounting import pld

try:
    from prv_accountant import PoissonSubsampledGaussianMechanism, PRVAccountant
except ImportError:
    PRVAccountant = None


def timed(function):
    start = time.perf_counter()
    value = function()
    return value, 1e3 * (time.perf_counter() - start)


def google(case):
    accountant = pld.PLDAccountant()
    for sigma, q, steps in case["parts"]:
        event = dp_accounting.GaussianDpEvent(sigma)
        if q < 1:
            event = dp_accounting.PoissonSampledDpEvent(q, event)
        accountant.compose(event, steps)
    return accountant.get_epsilon(case["delta"])


def prv(case):
    error = max(0.005 * case["epsilon"], 0.002)
    mechanisms = [
        PoissonSubsampledGaussianMechanism(noise_multiplier=sigma, sampling_probability=q)
        for sigma, q, _ in case["parts"]
    ]
    steps = [steps for _, _, steps in case["parts"]]
    accountant = PRVAccountant(
        prvs=mechanisms,
        max_self_compositions=steps,
        eps_error=error,
        delta_error=case["delta"] / 1000,
    )
    return accountant.compute_epsilon(case["delta"], steps)[2]


def main():
    warnings.filterwarnings("ignore")
    lines = subprocess.run(sys.argv[1:], check=True, capture_output=True, text=True).stdout
    cases = [json.loads(line) for line in lines.splitlines()]
    ratios = {"dp-accounting": [], "prv_accountant": []}
    print("| case (sigma, q, steps) | delta | ours: lower, upper | ms | dp-accounting | ms | prv | ms |")
    print("|---|---|---|---|---|---|---|---|")
    for case in cases:
        parts = "; ".join(f"{s:g}, {q:g}, {t}" for s, q, t in case["parts"])
        row = [parts, f"{case['delta']:g}", f"{case['epsilon_lower']:.4f}, {case['epsilon']:.4f}"]
        row.append(f"{case['median_ms']:.2f}")
        for name, peer in [("dp-accounting", google), ("prv_accountant", prv)]:
            if peer is prv and PRVAccountant is None:
                row += ["-", "-"]
                continue
            try:
                epsilon, ms = timed(lambda: peer(case))
            except Exception as error:  # a peer's failure is a result, not ours to hide
                row += [type(error).__name__, "-"]
                continue
            ratios[name].append(ms / case["median_ms"])
            row += [f"{epsilon:.4f}", f"{ms:.0f}"]
        print("| " + " | ".join(row) + " |", flush=True)
    for name, values in ratios.items():
        if values:
            print(
                f"\n{name} / ours, over {len(values)} cases: median {statistics.median(values):.1f}, "
                f"least {min(values):.1f}"
            )


if __name__ == "__main__":
    main()
