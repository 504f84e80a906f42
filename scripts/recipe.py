"""Tries training settings on VIST albums and prints their held-out losses (docs/recipe.md).

    cargo build --release -p albumen-cli -p albumen-evaluate --example recipe --bins
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
SUMMARY = {"expected_batch": 400, "steps": 40, "learning_rate": 0.12, "warmup_steps": 3, "normalize": True}
CAPTION = {"expected_batch": 120, "steps": 10, "learning_rate": 0.1, "warmup_steps": 3, "normalize": True}

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
          freeze_a=True, **settings):
    """A line for the example; `epsilon=None` trains without privacy."""
    both = {"summary": dict(SUMMARY), "caption": dict(CAPTION)}
    both["summary" if model == "summary" else "caption"].update(settings)
    train = {"lora_rank": rank, "lora_alpha": 2.0 * rank, "lora_layers": layers, "freeze_a": freeze_a,
             "micro_batch_tokens": 512, **both}
    line = {"name": name, "model": model, "epsilon": epsilon, "share": share, "seed": seed,
            "preamble": preamble, "train": train}
    if save:
        line["save"] = str(save)
    return line


def sample(name, work, freeze_a=True, **adapters):
    """A line for the example that samples albums into WORK/sampled-NAME.jsonl."""
    how = {"temperature": 0.9, "top_p": 0.95}
    generate = {"albums": 500, "seed": 1, "tries": 4, "max_summary_tokens": 48, "max_caption_tokens": 40,
                "summary": how, "caption": how}
    saved = {model: str(work / f"{file}.safetensors") for model, file in adapters.items()}
    return {"sample": name, "train": trial(name, "summary", freeze_a=freeze_a)["train"], "generate": generate,
            "preamble": PREAMBLE, "out": str(work / f"sampled-{name}.jsonl"), **saved}


def groups(work):
    """The trials of docs/recipe.md."""
    free = {"freeze_a": False, "learning_rate": 0.003, "schedule": "cosine"}
    summary = {"expected_batch": 64, "steps": 50, "warmup_steps": 5, **free}
    caption = {"expected_batch": 32, "steps": 40, "warmup_steps": 4, **free}
    short = {"steps": 12}
    both = {"free": "free", "8": 8.0, "3": 3.0, "1": 1.0}
    return {
        "floor": [trial(f"floor, preamble {name}", model, preamble=value, steps=0)
                  for model in ("summary", "caption", "album")
                  for name, value in (("none", None), ("builtin", "builtin"), ("vist", PREAMBLE))],
        "free": [trial("not private", "summary", save=work / "summary-free.safetensors", **summary),
                 trial("not private", "caption", save=work / "caption-free.safetensors", **caption)],
        "summary": [trial(f"epsilon {e}", "summary", e, save=work / f"summary-{e:.0f}.safetensors",
                          learning_rate=SUMMARY["learning_rate"] if e > 1 else 0.08) for e in (8.0, 3.0, 1.0)],
        "caption": [trial(f"epsilon {e}", "caption", e, save=work / f"caption-{e:.0f}.safetensors",
                          learning_rate=CAPTION["learning_rate"] if e > 1 else 0.05) for e in (8.0, 3.0, 1.0)],
        "frozen": [trial("A and B, 12 steps, rate 0.04", "summary", 8.0, freeze_a=False, learning_rate=0.04, **short)]
                  + [trial(f"B alone, 12 steps, rate {r}", "summary", 8.0, learning_rate=r, **short)
                     for r in (0.04, 0.1, 0.2)]
                  + [trial("B alone, 24 steps, rate 0.15", "summary", 8.0, learning_rate=0.15, steps=24)],
        "shape": [trial("rank 2", "summary", 8.0, rank=2, learning_rate=0.4, **short),
                  trial("rank 32", "summary", 8.0, rank=32, learning_rate=0.1, **short),
                  trial("cosine", "summary", 8.0, schedule="cosine", learning_rate=0.2, **short)],
        "flat": [trial("epsilon 8", "album", 8.0, save=work / "album-8.safetensors")],
        "samples": [sample("floor", work),
                    *(sample(name, work, freeze_a=name != "free", summary=f"summary-{name}", caption=f"caption-{name}")
                      for name in both),
                    sample("flat", work, album="album-8")],
    }


def evaluate(name, work):
    """A line on sampled albums: MAUVE against all real ones, beside half of them against the other half."""
    real = work / "all.jsonl"
    if not real.exists():
        real.write_text("".join((work / f"{part}.jsonl").read_text() for part in ("held", "train")))
    done = subprocess.run([ROOT / "target/release/albumen", "evaluate", "--real", real, "--synthetic",
                           work / f"sampled-{name}.jsonl", "--show-private-metrics", "--json"],
                          text=True, stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    parts = []
    for kind in ("summaries", "captions"):
        for role in ("sampled", "held_out"):
            e = found[kind][role]["mauve"]
            parts.append(f"{kind} {role} {e['value']:.3f} ({e['low']:.3f} to {e['high']:.3f})")
    return ", ".join(parts)


def shown(line, work):
    """A result of the example as a line of text."""
    if "coherence" not in line:
        parts = line["parts"] and " ".join(f"{p:.3f}" for p in line["parts"])
        return f"{line['model']:<8} {line['name']:<28} {line['loss']:.3f} {parts or '':<12} {line['seconds']:.0f} s"
    within, across = line["coherence"]["albums"], line["coherence"]["shuffled"]
    return (f"{line['name']:<8} {line['whole']} of {line['sampled']} whole in {line['seconds']:.0f} s, coherence "
            f"{within[0]:.3f} ({within[1]:.3f} to {within[2]:.3f}), dealt at random {across[0]:.3f}; MAUVE "
            + evaluate(line["name"], work))


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
            print(f"{group:<9} {shown(line, work)}", flush=True)


if __name__ == "__main__":
    main()
