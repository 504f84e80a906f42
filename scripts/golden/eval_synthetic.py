"""Writes crates/albumen-report/tests/golden/synthetic.json.

The reference for `albumen_report::synthetic`: the Vendi score by the authors' package, pairwise cosines,
near-duplicates and distinct-n spelt out in numpy. Features are unit rows around a few centres, rounded to
f32, with seed 6. Made with numpy 2.4.6, vendi-score 0.0.3.

Usage: python scripts/golden/eval_synthetic.py
"""

import itertools
import json
import pathlib

import numpy as np
from vendi_score import vendi

SEED = 6
THRESHOLD = 0.95
TEXTS = [
    "A dog runs along the beach.",
    "A dog runs along the quay!",
    "Two friends -- at dusk -- look at the sea.",
    "the SEA, the sea",
    "Boats.",
    "",
]


def features(random, rows, width, centres, spread):
    """Unit rows (rows, width) around `centres` random directions."""
    middle = random.normal(size=(centres, width))
    x = middle[random.integers(centres, size=rows)] + spread * random.normal(size=(rows, width))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def measures(x):
    cosines = x.astype(np.float64) @ x.astype(np.float64).T
    np.fill_diagonal(cosines, -1)
    pairs = [cosines[i, j] for i, j in itertools.combinations(range(len(x)), 2)]
    near = cosines.max(axis=1)
    assert np.abs(near - THRESHOLD).min() > 1e-4, "a pair lies on the threshold"
    return {
        "rows": [[float(v) for v in row] for row in x],
        "vendi_score": float(vendi.score_K(x.astype(np.float64) @ x.astype(np.float64).T)),
        "mean_pairwise_cosine": float(np.mean(pairs)),
        "near_duplicate_rate": float(np.mean(near >= THRESHOLD)),
    }


def words(text):
    stripped = ("".join(t) for t in text.split())
    kept = []
    for token in stripped:
        while token and not token[0].isalnum():
            token = token[1:]
        while token and not token[-1].isalnum():
            token = token[:-1]
        if token:
            kept.append(token.lower())
    return kept


def distinct(n):
    grams = []
    for text in TEXTS:
        w = words(text)
        grams += [tuple(w[i : i + n]) for i in range(len(w) - n + 1)]
    return len(set(grams)) / len(grams)


def main():
    random = np.random.default_rng(SEED)
    golden = {
        "threshold": THRESHOLD,
        "many_rows": measures(features(random, 24, 8, 6, 0.25)),
        "few_rows": measures(features(random, 5, 8, 2, 0.4)),
        "texts": TEXTS,
        "distinct": [distinct(n) for n in (1, 2, 3)],
    }
    out = pathlib.Path("crates/albumen-report/tests/golden/synthetic.json")
    out.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
