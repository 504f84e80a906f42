"""A finished run directory of a tiny configuration, for tests that later versions can go on with it.

    python3 scripts/golden/run_directory.py path/to/albumen out.tar.gz

Writes a text corpus of 40 owners and a random Llama of two layers, runs the given albumen binary on them,
and packs the folder. A random model writes no album that curation keeps, so the run ends before export. Names are relative and times fixed, since fingerprints are of names, sizes and times.
Needs NumPy; the tests need no Python.
"""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np

CONFIG = """\
name = "tiny"

[corpus]
path = "albums.jsonl"

[privacy]
unit = "owner"
epsilon = 12.0
delta = 1e-3
declared_units = 40
max_albums_per_owner = 2

[release]
album_count_epsilon = 0.5
album_sizes_epsilon = 0.5
album_size_bins = [1, 2, 3]

[summarize]
model = "path:model"
max_tokens = 8

[train]
model = "path:model"
lora_rank = 2
lora_layers = 1

[train.summary]
expected_batch = 40
steps = 12
learning_rate = 0.01

[train.caption]
expected_batch = 20
steps = 12
learning_rate = 0.01

[generate]
albums = 6
tries = 2
max_summary_tokens = 24
max_caption_tokens = 24
max_photos = 3
"""
INPUTS = ["albums.jsonl", "model/config.json", "model/tokenizer.json", "model/model.safetensors"]
TIME = 1_700_000_000


def corpus() -> str:
    lines = []
    for owner in range(40):
        for album in range(3):
            photos = [{"caption": f"A dog {owner} by the sea {i}."} for i in range(album + 1)]
            lines.append({"album_id": f"{owner:02}-{album}", "owner_id": f"owner {owner}", "photos": photos})
    return "".join(json.dumps(line) + "\n" for line in lines)


def tokenizer() -> dict:
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(256, 512))
    spelt = [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    end = {"id": 256, "content": "<|end|>", "single_word": False, "lstrip": False, "rstrip": False,
           "normalized": False, "special": True}
    bpe = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
           "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
           "vocab": {s: i for i, s in enumerate(spelt)}, "merges": []}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [end], "normalizer": None,
            "pre_tokenizer": level, "post_processor": None, "decoder": level, "model": bpe}


def write_model(folder: Path) -> None:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "hidden_size": 16, "intermediate_size": 32,
        "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8,
        "max_position_embeddings": 8192, "vocab_size": 257, "eos_token_id": 256, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": True}))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer()))
    shapes = {"model.embed_tokens.weight": (257, 16), "model.norm.weight": (16,)}
    for layer in range(2):
        for name, shape in [("input_layernorm", (16,)), ("post_attention_layernorm", (16,)),
                            ("self_attn.q_proj", (16, 16)), ("self_attn.k_proj", (8, 16)),
                            ("self_attn.v_proj", (8, 16)), ("self_attn.o_proj", (16, 16)),
                            ("mlp.gate_proj", (32, 16)), ("mlp.up_proj", (32, 16)), ("mlp.down_proj", (16, 32))]:
            shapes[f"model.layers.{layer}.{name}.weight"] = shape
    random = np.random.default_rng(0)
    header, data = {}, b""
    for name, shape in shapes.items():
        values = np.ones(shape) if len(shape) == 1 else random.normal(0, 0.3, shape)
        start, data = len(data), data + values.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, len(data)]}
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)


def main() -> None:
    binary, out = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("tiny.toml").write_text(CONFIG)
        Path("albums.jsonl").write_text(corpus())
        write_model(Path("model"))
        for name in INPUTS:
            os.utime(name, (TIME, TIME))
        subprocess.run([binary, "run", "tiny.toml", "--until", "render"], check=True)
        with tarfile.open(out, "w:gz") as archive:
            for name in ["tiny.toml", *INPUTS, "runs"]:
                archive.add(name)


if __name__ == "__main__":
    main()
