"""Writes the photos and pixel values of crates/albumen-captioner/tests/golden:

  photo_{dog,mexico}.png   small copies of public-domain photos, one wide and one tall
  pixels.json              for each photo and image processor at its real size: the processor's
                           configuration, the SHA-256 of the resized and cropped bytes (RGB, row by
                           row), and every 997th of its floating-point values

The processors are transformers' own on Pillow, with the configurations of the published
checkpoints. Nothing is random. Made with transformers 5.24.0, Pillow 13.0.0, numpy 2.4.6.

Usage: python scripts/golden/captioner_pixels.py [PHOTO_DIR]
PHOTO_DIR is the folder photos/ of the asset gcompris-photos (Debian's gcompris-qt-data 3.1-2);
without it the copies already there are used. Sources, on commons.wikimedia.org:
File:German-shepherd-4040871920._(2).jpg (public domain) and
File:Wikipedia_10_Guadalajara_-_Mariachi.jpg (CC0).
"""

import hashlib
import json
import pathlib
import sys

import numpy as np
from PIL import Image
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

OUT = pathlib.Path(__file__).parents[2] / "crates/albumen-captioner/tests/golden"
# The asset's name, the box that is kept, as shares of the photo, and the copy's width.
BOXES = {
    "dog": ("farm-dog", (0.0, 0.1, 1.0, 0.85), 190),
    "mexico": ("music-mexico", (0.2, 0.0, 0.75, 1.0), 118),
}
CLIP = dict(image_mean=[0.48145466, 0.4578275, 0.40821073], image_std=[0.26862954, 0.26130258, 0.27577711])
HALF = dict(image_mean=[0.5] * 3, image_std=[0.5] * 3)
PROCESSORS = {
    "blip": (BlipImageProcessorPil, dict(size={"height": 384, "width": 384}, **CLIP)),
    "blip_small": (BlipImageProcessorPil, dict(size={"height": 60, "width": 44}, **CLIP)),
    "blip_bilinear": (BlipImageProcessorPil, dict(size={"height": 50, "width": 50}, resample=2, **CLIP)),
    "blip_lanczos": (BlipImageProcessorPil, dict(size={"height": 50, "width": 70}, resample=1, **CLIP)),
    "llava": (CLIPImageProcessorPil, dict(size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336}, **CLIP)),
    "clip_small": (CLIPImageProcessorPil, dict(size={"shortest_edge": 50}, crop_size={"height": 45, "width": 45}, **CLIP)),
    "paligemma": (SiglipImageProcessorPil, dict(size={"height": 224, "width": 224}, **HALF)),
    "qwen3_vl": (Qwen2VLImageProcessorPil, dict(
        size={"shortest_edge": 65536, "longest_edge": 16777216}, patch_size=16, temporal_patch_size=2, merge_size=2,
        **HALF)),
    "qwen3_vl_small": (Qwen2VLImageProcessorPil, dict(
        size={"shortest_edge": 1024, "longest_edge": 9000}, patch_size=16, temporal_patch_size=2, merge_size=2,
        **HALF)),
}

if len(sys.argv) > 1:
    for name, (asset, (left, top, right, bottom), width) in BOXES.items():
        photo = Image.open(pathlib.Path(sys.argv[1]) / f"{asset}.webp").convert("RGB")
        w, h = photo.size
        photo = photo.crop((int(left * w), int(top * h), int(right * w), int(bottom * h)))
        photo = photo.resize((width, round(width * photo.height / photo.width)), Image.LANCZOS)
        photo.quantize(128, dither=Image.Dither.NONE).save(OUT / f"photo_{name}.png", optimize=True)

cases = []
for name in BOXES:
    photo = Image.open(OUT / f"photo_{name}.png").convert("RGB")
    for processor, (kind, config) in PROCESSORS.items():
        # The bytes before they are rescaled: the same processor with the arithmetic left out.
        plain = kind(**config, do_rescale=False, do_normalize=False)(photo, return_tensors="np")
        made = kind(**config)(photo, return_tensors="np")
        values = np.asarray(made["pixel_values"], np.float32)
        values = values if processor.startswith("qwen") else values[0]
        raw = np.asarray(plain["pixel_values"])
        grid = made.get("image_grid_thw")
        if grid is None:
            pixels = raw[0].transpose(1, 2, 0)
        else:
            _, gh, gw = (int(v) for v in grid[0])
            p = config["patch_size"]
            # (gh, gw, mh, mw, C, T, p, p) back to rows of pixels
            pixels = raw.reshape(gh // 2, gw // 2, 2, 2, 3, 2, p, p)[:, :, :, :, :, 0]
            pixels = pixels.transpose(0, 2, 5, 1, 3, 6, 4).reshape(gh * p, gw * p, 3)
        cases.append({
            "photo": name, "processor": processor,
            "config": {"image_processor_type": kind.__name__.removesuffix("Pil"), "resample": 3} | config,
            "shape": list(values.shape), "size": list(pixels.shape[:2]),
            "sha256": hashlib.sha256(pixels.astype(np.uint8).tobytes()).hexdigest(),
            "values": [float(v) for v in values.flatten()[::997]],
        })
(OUT / "pixels.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
