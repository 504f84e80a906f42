"""Open every form of a release with its own ecosystem's reader, and compare each with the imagefolder.

Usage: python scripts/check_exports.py RELEASE
Needs: pip install -r scripts/requirements-exports.txt

Forms that the release does not hold are skipped and named. Exits with 1 at the first difference.
"""

import contextlib
import io
import json
import logging
import os
import pathlib
import sys
import tempfile

# Nothing may be fetched, and no older cache may answer.
CACHE = tempfile.TemporaryDirectory()
os.environ.update(HF_HOME=CACHE.name, HF_HUB_OFFLINE="1", HF_DATASETS_DISABLE_PROGRESS_BARS="1")

import datasets  # noqa: E402
import mlcroissant  # noqa: E402
import webdataset  # noqa: E402
from PIL import Image  # noqa: E402
from pycocotools.coco import COCO  # noqa: E402


def same(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: found {found!r}, expected {expected!r}")


class Release:
    """The release as metadata.jsonl and the picture files have it."""

    def __init__(self, root):
        self.root = root
        lines = (root / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
        self.rows = [json.loads(line) for line in lines]
        self.photos = [
            (row, i, name, caption)
            for row in self.rows
            for i, (name, caption) in enumerate(zip(row["file_names"], row["captions"], strict=True))
        ]

    def picture(self, name):
        with Image.open(self.root / name) as image:
            return image.convert("RGB").tobytes()


def check_datasets(release, loaded):
    """Rows of `datasets` with decoded pictures."""
    same("rows", len(loaded), len(release.rows))
    for found, row in zip(loaded, release.rows, strict=True):
        for key in ("id", "summary", "n_photos", "captions"):
            same(key, found[key], row[key])
        pictures = [image.convert("RGB").tobytes() for image in found["images"]]
        same("pictures of " + row["id"], pictures, [release.picture(n) for n in row["file_names"]])
    return f"{len(loaded)} albums, pictures decoded"


def imagefolder(release):
    path = str(release.root)
    return check_datasets(release, datasets.load_dataset("imagefolder", data_dir=path, split="train"))


def card(release):
    """The default configuration of the data card's front matter, and the texts alone."""
    path = str(release.root)
    words = check_datasets(release, datasets.load_dataset(path, split="train"))
    if not (release.root / "parquet").is_dir():
        return words
    texts = datasets.load_dataset(path, "texts", split="train")
    same("texts", texts["id"][:], [row["id"] for row in release.rows])
    return f"{words}; `texts`: {len(texts)} rows"


def parquet(release):
    if not (release.root / "parquet").is_dir():
        return None
    files = str(release.root / "parquet" / "*.parquet")
    loaded = datasets.load_dataset("parquet", data_files=files, split="train")
    same("feature", loaded.features["images"].feature, datasets.Image())
    shards = len(list((release.root / "parquet").iterdir()))
    return f"{check_datasets(release, loaded)}, {shards} shards"


def wds(release):
    shards = sorted(str(p) for p in release.root.glob("webdataset/*.tar"))
    if not shards:
        return None
    samples = list(webdataset.WebDataset(shards, shardshuffle=False).decode("pil"))
    same("samples", len(samples), len(release.photos))
    for sample, (row, i, name, caption) in zip(samples, release.photos, strict=True):
        same("key", sample["__key__"], f"{row['id']}-{i + 1:02}")
        same("caption", (sample["txt"], sample["json"]["caption"]), (caption, caption))
        same("album", (sample["json"]["album"], sample["json"]["summary"]), (row["id"], row["summary"]))
        same("picture " + name, sample["jpg"].convert("RGB").tobytes(), release.picture(name))
    loaded = datasets.load_dataset("webdataset", data_files=shards, split="train")
    same("rows in datasets", len(loaded), len(samples))
    return f"{len(samples)} samples in {len(shards)} shards, also by datasets"


def coco(release):
    path = release.root / "coco" / "captions.json"
    if not path.is_file():
        return None
    with contextlib.redirect_stdout(io.StringIO()):
        captions = COCO(str(path))
    images = captions.loadImgs(captions.getImgIds())
    same("images", len(images), len(release.photos))
    for image, (_, _, name, caption) in zip(images, release.photos, strict=True):
        same("file", image["file_name"], name)
        found = captions.loadAnns(captions.getAnnIds(imgIds=[image["id"]]))
        same("caption of " + name, [a["caption"] for a in found], [caption])
        with Image.open(release.root / name) as picture:
            same("size of " + name, (image["width"], image["height"]), picture.size)
    return f"{len(images)} images with a caption each"


def croissant(release):
    path = release.root / "croissant.json"
    if not path.is_file():
        return None
    dataset = mlcroissant.Dataset(jsonld=str(path))
    issues = dataset.metadata.ctx.issues
    same("errors", sorted(issues.errors), [])
    text = lambda value: value.decode() if isinstance(value, bytes) else value  # noqa: E731
    albums = list(dataset.records("albums"))
    same("albums", len(albums), len(release.rows))
    for found, row in zip(albums, release.rows, strict=True):
        same("id", text(found["albums/id"]), row["id"])
        same("summary", text(found["albums/summary"]), row["summary"])
        same("captions", [text(c) for c in found["albums/captions"]], row["captions"])
        same("images", [text(c) for c in found["albums/images"]], row["file_names"])
    photos = {text(p["photos/path"]): p for p in dataset.records("photos")}
    same("photos", sorted(photos), sorted(name for _, _, name, _ in release.photos))
    for row, _, name, _ in release.photos:
        same("album of " + name, text(photos[name]["photos/album"]), row["id"])
        picture = photos[name]["photos/image"].convert("RGB").tobytes()
        same("picture " + name, picture, release.picture(name))
    hints = len(issues.warnings)
    return f"valid ({hints} recommendations open), {len(albums)} albums and {len(photos)} photos"


def main():
    logging.disable(logging.WARNING)
    datasets.disable_progress_bars()
    release = Release(pathlib.Path(sys.argv[1]).resolve())
    for name, check in [
        ("imagefolder", imagefolder),
        ("data card", card),
        ("parquet", parquet),
        ("webdataset", wds),
        ("coco", coco),
        ("croissant", croissant),
    ]:
        print(f"{name:12} {check(release) or 'not in this release'}", flush=True)


if __name__ == "__main__":
    main()
