"""Recompute a release's epsilon with Google's dp-accounting, an independent implementation.

Usage: python scripts/recompute_epsilon.py runs/quickstart/release
Needs: pip install dp-accounting (0.6.0 was used).

Prints Albumen's bounds and dp-accounting's connect-the-dots value, and fails where the latter lies
more than 0.5% above Albumen's upper bound (then ours would be an underestimate) or below its lower
bound.
"""

import json
import pathlib
import sys

from dp_accounting import dp_event
from dp_accounting.pld import pld_privacy_accountant

GRID = 1e-4


def event_of(entry):
    """The dp-accounting event of one line of privacy.json's `events`."""
    sigma = entry["noise_multiplier"]
    if entry["mechanism"] == "gaussian":
        return dp_event.GaussianDpEvent(sigma)
    if entry["mechanism"] == "laplace":
        return dp_event.LaplaceDpEvent(sigma)
    if entry["mechanism"] != "poisson_gaussian":
        sys.exit(f"no dp-accounting event for {entry['mechanism']}")
    step = dp_event.PoissonSampledDpEvent(entry["sampling_rate"], dp_event.GaussianDpEvent(sigma))
    return dp_event.SelfComposedDpEvent(step, entry["steps"])


def main():
    release = pathlib.Path(sys.argv[1])
    privacy = json.loads((release / "privacy.json").read_text())
    accountant = pld_privacy_accountant.PLDAccountant(value_discretization_interval=GRID)
    for entry in privacy["events"]:
        accountant.compose(event_of(entry))
    theirs = accountant.get_epsilon(privacy["delta"])
    upper, lower = privacy["epsilon"], privacy["epsilon_lower"]
    print(f"albumen       upper {upper:.6f}  lower {lower:.6f}")
    print(f"dp-accounting       {theirs:.6f}")
    if not lower <= theirs <= upper * 1.005:
        sys.exit("the two disagree")


if __name__ == "__main__":
    main()
