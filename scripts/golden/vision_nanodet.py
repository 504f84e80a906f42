"""Writes the NanoDet golden files of crates/albumen-vision/tests/golden:

  nanodet_{dog,horses,people}.png  208 x 208 thumbnails in 64 colours of free photos
  nanodet.json                     the boxes that TensorFlow.js finds in each, in pixels of 416

The graph runs in TensorFlow.js (vision_nanodet.mjs beside this file); boxes are decoded here in
numpy. Both sides double every pixel, so nothing is interpolated. Nothing is random.
Made with @tensorflow/tfjs-core 4.22.0, node 20.20.2, numpy 2.4.6, Pillow 13.0.0.

Usage: python scripts/golden/vision_nanodet.py MODEL_DIR NODE_DIR [PHOTO_DIR]
NODE_DIR is a folder whose node_modules holds the TensorFlow.js packages. PHOTO_DIR holds dog.webp
and horse.webp (explore_farm_animals) and mexico.webp (explore_world_music) of Debian's
gcompris-qt-data 3.1-2; without it the thumbnails already there are used. Sources, on
commons.wikimedia.org: File:German-shepherd-4040871920._(2).jpg (public domain),
File:Nokota_Horse_Stud_Band.jpg (CC0), File:Wikipedia_10_Guadalajara_-_Mariachi.jpg (CC0).
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

HERE = pathlib.Path(__file__).parent
OUT = HERE.parents[1] / "crates/albumen-vision/tests/golden"
PHOTOS = {"dog": "dog.webp", "horses": "horse.webp", "people": "mexico.webp"}
THRESHOLD = 0.15
MEAN_BGR, DEVIATION_BGR = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)
model_dir, node_dir = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])

if len(sys.argv) > 3:
    for name, file in PHOTOS.items():
        photo = Image.open(pathlib.Path(sys.argv[3]) / file).convert("RGB")
        side = min(photo.size)
        left, top = (photo.width - side) // 2, (photo.height - side) // 2
        box = (left, top, left + side, top + side)
        small = photo.resize((208, 208), Image.LANCZOS, box)
        small.quantize(64, dither=Image.Dither.NONE).save(OUT / f"nanodet_{name}.png", optimize=True)


def run(pixels):
    bgr = pixels[..., ::-1].astype(np.float32)
    x = (bgr - np.float32(MEAN_BGR)) / np.float32(DEVIATION_BGR)
    with tempfile.TemporaryDirectory(dir=node_dir) as folder:
        folder = pathlib.Path(folder).resolve()
        # A module finds node_modules beside itself.
        script = shutil.copy(HERE / "vision_nanodet.mjs", folder)
        x.transpose(2, 0, 1).astype("<f4").tofile(folder / "in.f32")
        subprocess.run(
            ["node", script, model_dir, folder / "in.f32", folder / "out.f32"], check=True
        )
        flat = np.fromfile(folder / "out.f32", "<f4")
    levels, at = [], 0
    for side in (52, 26, 13):
        n = side * side
        scores = flat[at : at + n * 80].reshape(n, 80)
        logits = flat[at + n * 80 : at + n * 124].reshape(n, 4, 11)
        at += n * 124
        levels.append((side, scores, logits))
    return levels


def boxes(levels):
    found = []
    for side, scores, logits in levels:
        stride = 416 / side
        p = np.exp(logits - logits.max(-1, keepdims=True))
        distance = (p / p.sum(-1, keepdims=True)) @ np.arange(11) * stride
        for cell, label in zip(*np.nonzero(scores >= THRESHOLD)):
            x, y = (cell % side + 0.5) * stride, (cell // side + 0.5) * stride
            left, top, right, bottom = distance[cell]
            box = np.clip([x - left, y - top, x + right, y + bottom], 0, 416)
            found.append((float(scores[cell, label]), int(label), box))
    found.sort(key=lambda f: (-f[0], f[1]))
    kept = []
    for score, label, box in found:
        def repeats(other):
            iou = overlap(other[2], box)
            return iou > 0.75 or (iou > 0.6 and other[1] == label)
        if not any(repeats(k) for k in kept):
            kept.append((score, label, box))
    return kept


def overlap(a, b):
    w = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    h = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    area = lambda r: (r[2] - r[0]) * (r[3] - r[1])
    return w * h / (area(a) + area(b) - w * h)


golden = {"made_with": "@tensorflow/tfjs-core 4.22.0 (cpu)", "threshold": THRESHOLD, "pictures": []}
for name in PHOTOS:
    picture = np.asarray(Image.open(OUT / f"nanodet_{name}.png").convert("RGB"))
    found = boxes(run(picture.repeat(2, 0).repeat(2, 1)))
    golden["pictures"].append({
        "name": name,
        "boxes": [
            {"class": label, "score": round(score, 5), "bounds": [round(float(v), 3) for v in box]}
            for score, label, box in found
        ],
    })
(OUT / "nanodet.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
