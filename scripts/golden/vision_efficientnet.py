"""Writes the EfficientNet-Lite0 golden files of crates/albumen-vision/tests/golden:

  efficientnet_{gradient,disc,stripes}.png  generated pictures of 128 x 128, integer arithmetic only
  efficientnet_photo.png                    a 128 x 128 thumbnail of a public-domain photo
  tiny_legacy.pth                           a small state dict in the legacy file format
  efficientnet.json                         logits and the first pooled features of each picture,
                                            and samples of Pillow's bicubic crop of one of them

The reference network is written here in PyTorch over the checkpoint's tensors, with batch
normalisation unfolded and TensorFlow's SAME padding. Both sides double every pixel, which gives
256 x 256, and crop the middle 224 without interpolation, so that the logits test the network
alone. Nothing is random. Made with torch 2.15.0, Pillow 13.0.0, numpy 2.4.6.

Usage: python scripts/golden/vision_efficientnet.py CHECKPOINT.pth [PHOTO]
PHOTO is explore_farm_animals/resource/animals/dog.webp inside Debian's gcompris-qt-data 3.1-2
(public domain, commons.wikimedia.org/wiki/File:German-shepherd-4040871920._(2).jpg). Without it
the thumbnail already there is used.
"""

import json
import math
import pathlib
import sys

import numpy as np
import PIL
import torch
import torch.nn.functional as F
from PIL import Image

OUT = pathlib.Path(__file__).parents[2] / "crates/albumen-vision/tests/golden"
# layers, kernel, stride, expansion, channels
STAGES = [
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
]
state = torch.load(sys.argv[1], weights_only=True)


def conv(x, name, stride=1, groups=1):
    w = state[f"{name}.weight"]
    k, n = w.shape[-1], x.shape[-1]
    total = max((math.ceil(n / stride) - 1) * stride + k - n, 0)
    before, after = total // 2, total - total // 2
    return F.conv2d(F.pad(x, (before, after, before, after)), w, None, stride, 0, 1, groups)


def norm(x, name):
    mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    return F.batch_norm(x, mean, var, state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-3)


def network(x):
    x = F.relu6(norm(conv(x, "_conv_stem", 2), "_bn0"))
    block, c_in = 0, 32
    for layers, k, stride, expansion, c_out in STAGES:
        for layer in range(layers):
            p, s, y = f"_blocks.{block}.", stride if layer == 0 else 1, x
            if expansion != 1:
                y = F.relu6(norm(conv(y, p + "_expand_conv"), p + "_bn0"))
            assert state[p + "_depthwise_conv.weight"].shape[-1] == k
            y = F.relu6(norm(conv(y, p + "_depthwise_conv", s, y.shape[1]), p + "_bn1"))
            y = norm(conv(y, p + "_project_conv"), p + "_bn2")
            x = x + y if s == 1 and c_in == c_out else y
            c_in, block = c_out, block + 1
    features = F.relu6(norm(conv(x, "_conv_head"), "_bn1")).mean((2, 3))
    return features, features @ state["_fc.weight"].T + state["_fc.bias"]


def generated(name):
    y, x = np.mgrid[0:128, 0:128]
    if name == "gradient":
        return np.stack([2 * x, 2 * y, 255 - x - y], -1)
    if name == "disc":
        inside = ((x - 60) ** 2 + (y - 70) ** 2 < 40**2)[..., None]
        return np.where(inside, [230, 120, 20], [40, 90, 160])
    return np.where(((x + 2 * y) // 9 % 2 == 0)[..., None], [250, 250, 240], [20, 60, 30])


tiny = {
    "a": torch.arange(6.0).reshape(2, 3),
    "b": torch.tensor([[1.0, 2.0], [3.0, 4.0]]).T,
    "steps": torch.tensor(7),
}
torch.save(tiny, OUT / "tiny_legacy.pth", _use_new_zipfile_serialization=False)

if len(sys.argv) > 2:
    photo = Image.open(sys.argv[2]).convert("RGB")
    side = min(photo.size)
    left, top = (photo.width - side) // 2, (photo.height - side) // 2
    photo.resize((128, 128), Image.LANCZOS, (left, top, left + side, top + side)).save(
        OUT / "efficientnet_photo.png", optimize=True
    )

golden = {"made_with": f"torch {torch.__version__}, Pillow {PIL.__version__}", "pictures": []}
for name in ["gradient", "disc", "stripes", "photo"]:
    path = OUT / f"efficientnet_{name}.png"
    if name != "photo":
        Image.fromarray(generated(name).astype(np.uint8)).save(path, optimize=True)
    pixels = np.asarray(Image.open(path).convert("RGB")).repeat(2, 0).repeat(2, 1)[16:240, 16:240]
    x = torch.tensor((pixels.astype(np.float32) - 127) / 128).permute(2, 0, 1)[None]
    with torch.no_grad():
        features, logits = network(x)
    golden["pictures"].append({
        "name": name,
        "logits": [round(v, 5) for v in logits[0].tolist()],
        "features": [round(v, 5) for v in features[0, :64].tolist()],
    })

# 128 -> the middle 112 -> 60 (shrinking) and 224 (enlarging), every 7th pixel of every 7th row.
photo = Image.open(OUT / "efficientnet_photo.png").convert("RGB").crop((8, 8, 120, 120))
golden["bicubic"] = {
    str(side): np.asarray(photo.resize((side, side), Image.BICUBIC))[::7, ::7].flatten().tolist()
    for side in (60, 224)
}
(OUT / "efficientnet.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
