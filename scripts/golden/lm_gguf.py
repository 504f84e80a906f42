"""Golden GGUF files of albumen-lm: the tiny checkpoints of lm_families.py as llama.cpp stores them,
and one tensor of every quantised type.

    python scripts/golden/lm_gguf.py

writes crates/albumen-lm/tests/golden/<family>/model.gguf for some families, and quantised.gguf with
quantised.json. Names, permutation and norm offsets follow llama.cpp's converter. Each file is read
back by transformers; the logits must equal those of the safetensors checkpoint.
Seed 20251020. Written with gguf 0.19.0, numpy 2.4.6, torch 2.15.0, transformers 5.23.0, safetensors 0.8.0.
"""

import json
import pathlib

import gguf
import numpy as np
import torch
import transformers
from safetensors.torch import load_file

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "crates/albumen-lm/tests/golden"
SEED = 20251020
FAMILIES = ["llama", "gemma2", "gemma3"]
NAMES = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
    "input_layernorm": "attn_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def rename(name, gemma):
    if name in NAMES:
        return NAMES[name]
    _, _, layer, rest = name.split(".", 3)
    stem, kind = rest.rsplit(".", 1)
    own = {"post_attention_layernorm": "post_attention_norm" if gemma else "ffn_norm"}.get(stem) or NAMES[stem]
    return f"blk.{layer}.{own}.{kind}"


def permute(rows, heads):
    """Pairs the two halves of a head: row j + half * d/2 becomes row 2 j + half."""
    shape = rows.shape
    return rows.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


def write(family):
    folder = GOLDEN / family
    config = json.loads((folder / "config.json").read_text())
    gemma = family.startswith("gemma")
    out = gguf.GGUFWriter(folder / "model.gguf", family)
    out.add_block_count(config["num_hidden_layers"])
    out.add_context_length(config["max_position_embeddings"])
    out.add_embedding_length(config["hidden_size"])
    out.add_feed_forward_length(config["intermediate_size"])
    out.add_head_count(config["num_attention_heads"])
    out.add_head_count_kv(config["num_key_value_heads"])
    out.add_key_length(config["head_dim"])
    out.add_value_length(config["head_dim"])
    out.add_layer_norm_rms_eps(config["rms_norm_eps"])
    rope = config["rope_parameters"]
    out.add_rope_freq_base(rope.get("full_attention", rope)["rope_theta"])
    if family == "gemma3":
        out.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        out.add_rope_scaling_factor(rope["full_attention"]["factor"])
        out.add_sliding_window_pattern(2)
    if gemma:
        out.add_sliding_window(config["sliding_window"])
    if family == "gemma2":
        out.add_attn_logit_softcapping(config["attn_logit_softcapping"])
        out.add_final_logit_softcapping(config["final_logit_softcapping"])
    weights = {}
    for file in sorted(folder.glob("model*.safetensors")):
        weights |= load_file(file)
    for name, tensor in weights.items():
        values = tensor.float().numpy()
        if gemma and "norm" in name:
            values = values + 1
        if family == "llama" and "q_proj" in name:
            values = permute(values, config["num_attention_heads"])
        if family == "llama" and "k_proj" in name:
            values = permute(values, config["num_key_value_heads"])
        # Half precision is exact for these weights only where they were bf16: keep those as bf16.
        if tensor.dtype == torch.bfloat16 and values.ndim == 2:
            packed = gguf.quants.quantize(np.ascontiguousarray(values), gguf.GGMLQuantizationType.BF16)
            out.add_tensor(rename(name, gemma), packed, raw_dtype=gguf.GGMLQuantizationType.BF16)
        else:
            out.add_tensor(rename(name, gemma), np.ascontiguousarray(values))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


# Layer, name: type. Rows of `down` and `o` are too short for K-quants.
QUANTISED = {
    "token_embd": "Q8_0", "output": "F16",
    "blk.0.attn_q": "Q2_K", "blk.0.attn_k": "Q3_K", "blk.0.attn_v": "Q4_K", "blk.0.ffn_gate": "Q5_K",
    "blk.0.ffn_up": "Q6_K", "blk.0.ffn_down": "Q4_0", "blk.0.attn_output": "F16",
    "blk.1.attn_q": "Q4_1", "blk.1.attn_k": "Q5_0", "blk.1.attn_v": "Q5_1", "blk.1.ffn_gate": "Q8_0",
    "blk.1.ffn_up": "BF16", "blk.1.ffn_down": "Q5_1", "blk.1.attn_output": "F32",
}
# Bytes of a K-quant block and where its half-precision scales are.
K_BLOCKS = {"Q2_K": (84, [80, 82]), "Q3_K": (110, [108]), "Q4_K": (144, [0, 2]), "Q5_K": (176, [0, 2]), "Q6_K": (210, [208])}


def quantised():
    """A model of family qwen3 whose matrices have every type. gguf cannot write K-quants: their
    blocks are random bytes with sane scales. The reference is gguf's own dequantisation."""
    rng = np.random.default_rng(SEED)
    hidden, inner, head_dim, vocab = 256, 32, 16, 24
    out = gguf.GGUFWriter(GOLDEN / "quantised.gguf", "qwen3")
    out.add_block_count(2)
    out.add_context_length(64)
    out.add_embedding_length(hidden)
    out.add_feed_forward_length(inner)
    out.add_head_count(1)
    out.add_head_count_kv(1)
    out.add_key_length(head_dim)
    out.add_layer_norm_rms_eps(1e-6)
    out.add_rope_freq_base(1e4)
    out.add_tensor("output_norm.weight", np.ones(hidden, np.float32))
    for b in range(2):
        for name, width in dict(attn_norm=hidden, ffn_norm=hidden, attn_q_norm=head_dim, attn_k_norm=head_dim).items():
            out.add_tensor(f"blk.{b}.{name}.weight", np.ones(width, np.float32))
    shapes = dict(
        token_embd=(vocab, hidden), output=(vocab, hidden), attn_q=(head_dim, hidden), attn_k=(head_dim, hidden),
        attn_v=(head_dim, hidden), attn_output=(hidden, head_dim), ffn_gate=(inner, hidden), ffn_up=(inner, hidden),
        ffn_down=(hidden, inner),
    )
    facts = {}
    for name, kind in QUANTISED.items():
        rows, width = shapes[name.split(".")[-1]]
        ggml_type = gguf.GGMLQuantizationType[kind]
        if kind in K_BLOCKS:
            size, scales = K_BLOCKS[kind]
            packed = rng.integers(0, 256, (rows * width // 256, size), dtype=np.uint8)
            for at in scales:
                packed[:, at : at + 2] = rng.uniform(0.001, 0.01, len(packed)).astype(np.float16).view(np.uint8).reshape(-1, 2)
            packed = packed.reshape(rows, -1)
        else:
            packed = gguf.quants.quantize(rng.normal(size=(rows, width)).astype(np.float32), ggml_type)
        values = gguf.quants.dequantize(packed, ggml_type).astype(np.float64).ravel()
        out.add_tensor(f"{name}.weight", packed, raw_dtype=ggml_type)
        weighted = values * np.cos(np.arange(len(values)))
        facts[name] = dict(type=kind, head=values[:4].tolist(), tail=values[-4:].tolist(), squares=float((values**2).sum()), weighted=float(weighted.sum()))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    (GOLDEN / "quantised.json").write_text(json.dumps(facts, indent=1) + "\n")


def logits(folder, **how):
    config = transformers.AutoConfig.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, config=config, dtype=torch.float32, attn_implementation="eager", **how
    ).eval()
    with torch.no_grad():
        return model(torch.arange(3, 20)[None]).logits


if __name__ == "__main__":
    for family in FAMILIES:
        write(family)
        folder = GOLDEN / family
        apart = (logits(folder) - logits(folder, gguf_file="model.gguf")).abs().max().item()
        assert apart < 1e-6, (family, apart)
        print(family, (folder / "model.gguf").stat().st_size, "bytes; logits apart by", apart)
    quantised()
    print("quantised", (GOLDEN / "quantised.gguf").stat().st_size, "bytes")
