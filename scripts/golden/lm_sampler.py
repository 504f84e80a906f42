"""Golden file of albumen-lm's sampler: distributions left by transformers' logits processors.

    python scripts/golden/lm_sampler.py

writes crates/albumen-lm/tests/golden/sampler.json. Seed 20251020.
Written with torch 2.15.0, transformers 5.23.0.
"""

import json
import pathlib

import torch
from transformers.generation import logits_process as lp

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/albumen-lm/tests/golden/sampler.json"
SEED = 20251020
VOCAB = 120
DEFAULTS = dict(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, repetition_penalty=1.0)
SETTINGS = [
    {},
    dict(temperature=0.3),
    dict(temperature=1.7),
    dict(top_k=1),
    dict(top_k=7),
    dict(top_k=500),
    dict(top_p=0.9),
    dict(top_p=0.5, temperature=1.5),
    dict(top_p=0.01),
    dict(min_p=0.05),
    dict(min_p=1.0),
    dict(repetition_penalty=1.3),
    dict(repetition_penalty=0.8),
    dict(temperature=0.8, top_k=40, top_p=0.95, min_p=0.02, repetition_penalty=1.1),
    dict(temperature=1.3, top_k=25, top_p=0.7),
]


def distribution(logits, history, settings):
    """The processors in the order of `GenerationMixin._get_logits_processor`."""
    s = DEFAULTS | settings
    chain = []
    if s["repetition_penalty"] != 1.0:
        chain.append(lp.RepetitionPenaltyLogitsProcessor(s["repetition_penalty"]))
    if s["temperature"] != 1.0:
        chain.append(lp.TemperatureLogitsWarper(s["temperature"]))
    if s["top_k"] > 0:
        chain.append(lp.TopKLogitsWarper(s["top_k"]))
    if s["top_p"] < 1.0:
        chain.append(lp.TopPLogitsWarper(s["top_p"]))
    if s["min_p"] > 0.0:
        chain.append(lp.MinPLogitsWarper(s["min_p"]))
    scores = logits[None].clone()
    for processor in chain:
        scores = processor(torch.tensor([history]), scores)
    return scores.softmax(-1)[0]


def main():
    generator = torch.Generator().manual_seed(SEED)
    peaked = 4 * torch.randn(VOCAB, generator=generator)
    flat = 0.2 * torch.randn(VOCAB, generator=generator)
    # Half-integers: many equal logits, so that top-k cuts between equals.
    tied = (2 * torch.randn(VOCAB, generator=generator)).round() / 2
    history = torch.randint(0, VOCAB, (30,), generator=generator).tolist()
    cases = []
    for name, logits in dict(peaked=peaked, flat=flat, tied=tied).items():
        # The order of equals under top-p is left open by transformers.
        for settings in (s for s in SETTINGS if name != "tied" or s.get("top_p", 1.0) == 1.0):
            p = distribution(logits, history, settings)
            kept = {str(i): float(f"{v:.7g}") for i, v in enumerate(p.tolist()) if v > 0}
            cases.append(dict(logits=name, params=DEFAULTS | settings, kept=kept))
    golden = dict(
        logits={"peaked": peaked.tolist(), "flat": flat.tolist(), "tied": tied.tolist()}, history=history, cases=cases
    )
    OUT.write_text(json.dumps(golden) + "\n")
    print(OUT.stat().st_size, "bytes,", len(cases), "cases")


if __name__ == "__main__":
    main()
