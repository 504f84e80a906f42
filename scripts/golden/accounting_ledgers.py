"""Golden ledgers of albumen-accounting: one of every version of the format, with every mechanism.

    python scripts/golden/accounting_ledgers.py

writes crates/albumen-accounting/tests/golden/ledger-v*.jsonl. No randomness, no library.
The files of old versions never change: they are what must stay readable.
"""

import hashlib
import json
import pathlib

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/albumen-accounting/tests/golden"
HEADER = {
    "version": 1,
    "run": "golden",
    "unit": "owner",
    "adjacency": "add_remove",
    "declared_units": 600,
    "delta": 1e-5,
    "tool": "albumen 0.1.0",
    "insecure_seed": False,
}
EVENTS = [
    ("album-count", {"mechanism": "pure_dp", "epsilon": 0.1}),
    ("train-summary", {"mechanism": "poisson_gaussian", "noise_multiplier": 4.25,
                       "sampling_rate": 0.5, "steps": 12, "statistical_distance": 1e-30}),
    ("train-caption", {"mechanism": "poisson_gaussian", "noise_multiplier": 2.5,
                       "sampling_rate": 0.1, "steps": 10}),
    ("gaussian", {"mechanism": "gaussian", "noise_multiplier": 20.0}),
    ("laplace", {"mechanism": "laplace", "scale": 30.0}),
    ("discrete", {"mechanism": "discrete_gaussian", "noise_multiplier": 25.0, "sensitivity": 2}),
]


def ledger(header):
    lines = [json.dumps(header, separators=(",", ":"))]
    for index, (stage, event) in enumerate(EVENTS):
        entry = {
            "index": index,
            "stage": stage,
            "event": event,
            "artefact_sha256": hashlib.sha256(stage.encode()).hexdigest(),
            "prev": hashlib.sha256(lines[-1].encode()).hexdigest(),
        }
        lines.append(json.dumps(entry, separators=(",", ":")))
    return "\n".join(lines) + "\n"


(OUT / "ledger-v1.jsonl").write_text(ledger(HEADER))
tuned = {**HEADER, "version": 2, "tuning_runs": {"number": "fixed", "count": 3}}
(OUT / "ledger-v2.jsonl").write_text(ledger(tuned))
