"""Writes crates/albumen-evaluate/tests/golden/compare.json.

The reference for `albumen_evaluate::compare`, on fixed features of seed 6 (rounded, so that the file holds the
very numbers): MAUVE by the authors' package, once for the histograms that it made and ten times from other
seeds of its k-means; precision, recall, density and coverage by prdc; the Frechet distance with scipy's
matrix square root, as pytorch-fid spells it; Jensen-Shannon divergence, closest records and logistic
regression by scipy and scikit-learn; longest common runs of words by trying all of them.

Made with numpy 2.4.6, scipy 1.17.1, scikit-learn 1.9.1, mauve-text 0.4.0 (faiss-cpu 1.15.1), prdc 0.2.

Usage: python scripts/golden/eval_compare.py
"""

import json
import pathlib

import numpy as np
import scipy.linalg
from mauve.compute_mauve import compute_mauve
from prdc import compute_prdc
from scipy.spatial.distance import cdist, jensenshannon
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

SEED = 6
RECORDS = [
    "A dog runs along the beach at dusk.",
    "Two friends look at the sea, and the dog sleeps.",
    "The sea is calm.",
]
TEXTS = [
    "the dog runs along the beach",
    "Friends look at the SEA!",
    "calm. a dog",
    "nothing",
    "",
    "is calm the sea is calm",
]


def features(random, rows, centres, spread, shift):
    """Points (rows, d) around `centres`, moved by `shift`."""
    x = centres[random.integers(len(centres), size=rows)] + shift
    return np.round(x + spread * random.normal(size=x.shape), 3)


def frechet(p, q):
    s1, s2 = np.cov(p, rowvar=False), np.cov(q, rowvar=False)
    root = scipy.linalg.sqrtm(s1 @ s2).real
    shift = p.mean(axis=0) - q.mean(axis=0)
    return float(shift @ shift + np.trace(s1) + np.trace(s2) - 2 * np.trace(root))


def words(text):
    return ["".join(c for c in w.lower() if c.isalnum()) for w in text.split()]


def longest_run(text):
    w = words(text)
    for length in range(len(w), 0, -1):
        for start in range(len(w) - length + 1):
            run = w[start : start + length]
            for record in map(words, RECORDS):
                if any(record[i : i + length] == run for i in range(len(record))):
                    return length
    return 0


def main():
    random = np.random.default_rng(SEED)
    centres = random.normal(size=(14, 10))
    p = features(random, 220, centres, 0.4, 0.0)
    q = features(random, 180, centres[3:], 0.45, 0.15)
    both = normalize(np.vstack([q, p]))
    reduced = PCA().fit(both)
    held = np.cumsum(reduced.explained_variance_ratio_)
    kept = int(np.argmax(held >= 0.9)) + 1
    assert np.abs(held - 0.9).min() > 1e-4, "a share of variance lies on the threshold"
    projected = reduced.transform(both)[:, :kept]
    # Two points' distance there: the signs of the components are arbitrary.
    projected = [float(np.linalg.norm(projected[0] - projected[i])) for i in range(1, 40)]

    runs = [compute_mauve(p, q, seed=seed) for seed in range(10)]
    balls = compute_prdc(p, q, nearest_k=5)
    gaps = np.abs(cdist(p, q)[..., None] - np.sort(cdist(p, p))[:, 5][:, None, None])
    assert gaps.min() > 1e-9, "a distance lies on a radius"

    a, b = random.dirichlet(np.ones(9)), random.dirichlet(np.ones(9))
    a[2] = 0.0
    labels = (p[:, 0] > 0.2).astype(int) + (p[:, 1] > 0) + 2 * (p[:, 2] > 1)
    classifier = LogisticRegression(C=1.0, tol=1e-12, max_iter=100_000).fit(p, labels)
    closest = cdist(q, p)
    golden = {
        "p": p.tolist(),
        "q": q.tolist(),
        "components": kept,
        "projected_distances": projected,
        "mauve": {
            "p_histogram": runs[0].p_hist.tolist(),
            "q_histogram": runs[0].q_hist.tolist(),
            "value": float(runs[0].mauve),
            "seeds": [float(run.mauve) for run in runs],
        },
        "manifolds": {name: float(value) for name, value in balls.items()},
        "frechet": frechet(p, q),
        "divergence": {
            "p": a.tolist(),
            "q": b.tolist(),
            "value": float(jensenshannon(a, b, base=2) ** 2),
        },
        "closest": [[int(row.argmin()), float(row.min())] for row in closest[:20]],
        "classifier": {
            "labels": labels.tolist(),
            "probabilities": classifier.predict_proba(q[:20]).tolist(),
            "accuracy": float(classifier.score(p, labels)),
        },
        "copying": {
            "records": RECORDS,
            "texts": TEXTS,
            "longest": [longest_run(text) for text in TEXTS],
        },
    }
    out = pathlib.Path("crates/albumen-evaluate/tests/golden/compare.json")
    out.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(out.stat().st_size, "bytes; MAUVE", golden["mauve"]["seeds"])


if __name__ == "__main__":
    main()
