"""Tries training settings on VIST albums and prints their held-out losses (docs/recipe.md).

    cargo build --release -p albumen-cli -p albumen-eval --example recipe --bins
    RAYON_NUM_THREADS=1 python scripts/recipe.py --work /tmp/recipe [--only GROUP ...]

Needs pyarrow and the VIST albums as JSON lines (`--data`), which have research terms: nothing of them may
enter the repository, so `--work` must lie outside it. Without the data it says so and does nothing.
800 albums are trained on and 198 held out, split with seed 0; a photo's caption is its first one, and
summaries are written by the summarise stage. Private randomness comes from seeds: these runs guarantee
nothing, and the albums are public research data.
"""

import argparse
import json
import random
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TRAINED = 800
PREAMBLE = str(ROOT / "configs/vist-preamble.jsonl")

SUMMARIZE = """name = "vist"
[corpus]
path = "{corpus}"
format = "jsonl"
[privacy]
unit = "album"
epsilon = 8.0
delta = 1e-5
declared_units = 800
[train.summary]
expected_batch = 400
steps = 12
learning_rate = 0.02
[train.caption]
expected_batch = 400
steps = 12
learning_rate = 0.02
[generate]
albums = 1
"""


def prepare(data, work):
    """Writes train.jsonl and held.jsonl in the form of [train.public]'s albums."""
    if (work / "train.jsonl").exists():
        return
    import pyarrow.parquet

    albums = [json.loads(line) for line in data.open()]

    def photos(album):
        return [{"id": p["id"], "caption": " ".join(p["captions"][0].split())} for p in album["photos"]]

    with (work / "corpus.jsonl").open("w") as out:
        for a in albums:
            line = {"album_id": a["album_id"], "owner_id": a["album_id"], "photos": photos(a)}
            out.write(json.dumps(line) + "\n")
    (work / "vist.toml").write_text(SUMMARIZE.format(corpus=work / "corpus.jsonl"))
    run = work / "run"
    albumen = ROOT / "target/release/albumen"
    subprocess.run([albumen, "run", work / "vist.toml", "--out", run, "--until", "summarize"], check=True)
    table = pyarrow.parquet.read_table(run / "private/summarize/summaries.parquet").to_pydict()
    summaries = dict(zip(table["album_id"], table["summary"]))
    random.Random(0).shuffle(albums)
    for name, part in ("held", albums[TRAINED:]), ("train", albums[:TRAINED]):
        with (work / f"{name}.jsonl").open("w") as out:
            for a in part:
                captions = [{"caption": p["caption"]} for p in photos(a)]
                line = {"album_id": a["album_id"], "summary": summaries[a["album_id"]], "photos": captions}
                out.write(json.dumps(line) + "\n")


def trial(name, model, epsilon=None, preamble=PREAMBLE, seed=1, save=None, layers=8, rank=8, share=0.5,
          other=None, **settings):
    """A line for the example; `epsilon=None` trains without privacy."""
    training = {"expected_batch": 400, "steps": 12, "learning_rate": 0.02, "warmup_steps": 3, "normalize": True}
    training.update(settings)
    both = {m: training if m == model else other or training for m in ("summary", "caption")}
    if model == "album":
        both["caption"] = training
    train = {"lora_rank": rank, "lora_layers": layers, "micro_batch_tokens": 512, **both}
    line = {"name": name, "model": model, "epsilon": epsilon, "share": share, "seed": seed,
            "preamble": preamble, "train": train}
    if save:
        line["save"] = str(save)
    return line


def groups(work):
    """The trials of docs/recipe.md."""
    free = {"expected_batch": 64, "steps": 50, "learning_rate": 0.003, "schedule": "cosine", "warmup_steps": 5}
    free_caption = {"expected_batch": 32, "steps": 40, "learning_rate": 0.003, "schedule": "cosine",
                    "warmup_steps": 4}
    caption = {"expected_batch": 120, "steps": 10}
    floors = [trial(f"floor, preamble {name}", model, preamble=value, steps=0)
              for model in ("summary", "caption", "album")
              for name, value in (("none", None), ("builtin", "builtin"), ("vist", PREAMBLE))]
    return {
        "floor": floors,
        "preamble": [trial("without preamble", "summary", 8.0, preamble=None),
                     trial("with preamble", "summary", 8.0)],
        "rate": [trial(f"rate {r}", "summary", 8.0, learning_rate=r) for r in (0.005, 0.01, 0.04)],
        "shape": [trial("4 layers", "summary", 8.0, layers=4, learning_rate=0.04),
                  trial("batch 800, 16 steps", "summary", 8.0, expected_batch=800, steps=16, learning_rate=0.03)],
        "free": [trial("not private", "summary", save=work / "summary-free.safetensors", **free),
                 trial("not private", "caption", save=work / "caption-free.safetensors", **free_caption)],
        "caption": [trial(f"epsilon {e}", "caption", e, save=work / f"caption-{e}.safetensors", **caption)
                    for e in (8.0, 3.0, 1.0)],
        "summary": [trial(f"epsilon {e}", "summary", e, save=work / f"summary-{e}.safetensors", learning_rate=0.04)
                    for e in (8.0, 3.0, 1.0)],
        "flat": [trial("epsilon 8", "album", 8.0, save=work / "album-8.0.safetensors", **caption)],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data/vist_val_albums.jsonl")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", nargs="*")
    args = parser.parse_args()
    if not args.data.exists():
        print(f"skipped: the VIST albums are not at {args.data}; name them with --data", file=sys.stderr)
        return
    work = args.work.resolve()
    if work.is_relative_to(ROOT):
        sys.exit("--work lies inside the repository; research data must stay outside it")
    work.mkdir(parents=True, exist_ok=True)
    prepare(args.data, work)
    known = groups(work)
    for group in args.only or known:
        lines = "\n".join(map(json.dumps, known[group]))
        example = ROOT / "target/release/examples/recipe"
        done = subprocess.run([example, work / "train.jsonl", work / "held.jsonl"], input=lines, text=True,
                              stdout=subprocess.PIPE, check=True)
        for line in map(json.loads, done.stdout.splitlines()):
            parts = line["parts"] and " ".join(f"{p:.3f}" for p in line["parts"])
            print(f"{group:<9} {line['model']:<8} {line['name']:<24} {line['loss']:.3f} {parts or '':<12}"
                  f" {line['seconds']:.0f} s", flush=True)


if __name__ == "__main__":
    main()
