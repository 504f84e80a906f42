"""Golden files of albumen-lm: one tiny random checkpoint a family, and what transformers makes of it.

    python scripts/golden/lm_families.py [FAMILY ...]

writes crates/albumen-lm/tests/golden/<family>/:
  config.json, model.safetensors   as transformers saves them (bf16, f16 or f32; llama3 in shards)
  reference.safetensors            inputs, adapter, logits, losses, gradients (see `reference`)

Seed 20251020. Written with torch 2.15.0, transformers 5.23.0, peft 0.21.2, safetensors 0.8.0.
Everything is computed in f32 on the CPU from the weights as stored, with eager attention.
"""

import json
import pathlib
import sys

import peft
import torch
import transformers
from safetensors.torch import save_file

SEED = 20251020
GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "crates/albumen-lm/tests/golden"
PROJECTIONS = {
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "o": "self_attn.o_proj",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}
LEARNING_RATE = 2e-3
TRAINING_STEPS = 10

# Widths are no multiples of a vector register, so that kernels meet their remainders.
SHAPE = dict(
    vocab_size=149,
    hidden_size=40,
    intermediate_size=52,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=12,
    max_position_embeddings=64,
    pad_token_id=0,
    bos_token_id=1,
    eos_token_id=2,
    attn_implementation="eager",
)
LLAMA3_SCALING = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
# Each entry: configuration class, what differs from SHAPE, dtype on disk, shard size, lengths.
FAMILIES = {
    "llama": (
        transformers.LlamaConfig,
        dict(
            vocab_size=256, hidden_size=48, intermediate_size=56, num_hidden_layers=3,
            rms_norm_eps=1e-5, tie_word_embeddings=True,
            rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
        ),
        torch.bfloat16, None, [17, 5, 2, 11],
    ),
    "llama3": (
        transformers.LlamaConfig,
        dict(tie_word_embeddings=False, attention_bias=True, mlp_bias=True, rope_parameters=LLAMA3_SCALING),
        torch.bfloat16, "20KB", [21, 8],
    ),
    "mistral": (
        transformers.MistralConfig,
        dict(
            tie_word_embeddings=False, sliding_window=5,
            rope_parameters={"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0},
        ),
        torch.float16, None, [15, 4],
    ),
    "qwen2": (
        transformers.Qwen2Config,
        dict(tie_word_embeddings=True, use_sliding_window=True, sliding_window=4, max_window_layers=1),
        torch.float32, None, [13, 6],
    ),
    "qwen3": (
        transformers.Qwen3Config,
        dict(tie_word_embeddings=True, use_sliding_window=False),
        torch.bfloat16, None, [13, 6],
    ),
    "gemma2": (
        transformers.Gemma2Config,
        dict(
            query_pre_attn_scalar=20, sliding_window=4, attn_logit_softcapping=3.0,
            final_logit_softcapping=5.0, hidden_activation="gelu_pytorch_tanh",
        ),
        torch.bfloat16, None, [13, 6],
    ),
    "gemma3": (
        transformers.Gemma3TextConfig,
        dict(
            query_pre_attn_scalar=20, sliding_window=4, hidden_activation="gelu_pytorch_tanh",
            layer_types=["sliding_attention", "full_attention"],
            rope_parameters={
                "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
                "full_attention": {"rope_type": "linear", "rope_theta": 1000000.0, "factor": 8.0},
            },
        ),
        torch.bfloat16, None, [13, 6],
    ),
}
RANKS = {"llama": 4}
DEFAULT_RANK = 2


def randomise(model, generator):
    """Weights large enough that attention, caps and norms bend the logits visibly."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if "norm" in name:
                centre = 0.0 if type(model).__name__.startswith("Gemma") else 1.0
                p.copy_(centre + 0.2 * noise)
            elif p.dim() == 1:
                p.copy_(0.3 * noise)
            elif "embed" in name or "lm_head" in name:
                p.copy_(0.5 * noise)
            else:
                p.copy_(1.5 * noise / p.shape[1] ** 0.5)


def add_adapter(model, rank, generator):
    """PEFT's LoRA with scale alpha / rank = 2, and a B that is not zero, so that A has gradients."""
    config = peft.LoraConfig(
        r=rank, lora_alpha=2 * rank, lora_dropout=0.0,
        target_modules=[name.split(".")[1] for name in PROJECTIONS.values()],
    )
    adapted = peft.get_peft_model(model, config)
    with torch.no_grad():
        for _, _, p in adapter_tensors(adapted):
            p.copy_(0.3 * torch.randn(p.shape, generator=generator) / p.shape[1] ** 0.5)
    return adapted


def adapter_tensors(adapted):
    """(golden name, PEFT module, parameter): `layers.0.q.a` is (rank, in), `.b` is (out, rank)."""
    for i, layer in enumerate(adapted.base_model.model.model.layers):
        for short, path in PROJECTIONS.items():
            module = layer.get_submodule(path)
            yield f"layers.{i}.{short}.a", module, module.lora_A["default"].weight
            yield f"layers.{i}.{short}.b", module, module.lora_B["default"].weight


def nll(adapted, tokens, loss_from):
    """Summed negative log-likelihood of tokens[t] for t >= loss_from, in nats."""
    logits = adapted(tokens[None]).logits[0]
    return torch.nn.functional.cross_entropy(logits[loss_from - 1 : -1], tokens[loss_from:], reduction="sum")


def gradients(adapted, loss, prefix):
    named = [(name, p) for name, _, p in adapter_tensors(adapted)]
    grads = torch.autograd.grad(loss, [p for _, p in named])
    return {f"{prefix}.grad.{name}": g.clone() for (name, _), g in zip(named, grads)}


def reference(adapted, sequences, tree):
    """seq<n>.tokens, .loss_from; .logits (without the adapter); with the adapter: .loss (the sum),
    .grad.* (of that sum), and .adapted_logits for the first sequence.
    tree.trunk, tree.branch<j>, tree.loss_from; .loss and .grad.* summed over the separate examples
    trunk + branch<j>, whose loss counts the branch's tokens from index loss_from[j] on.
    train.losses: AdamW on the mean over sequences of each one's mean loss; loss before each step."""
    out = {name: p.detach().clone() for name, p in (("adapter." + n, p) for n, _, p in adapter_tensors(adapted))}
    for n, (tokens, loss_from) in enumerate(sequences):
        key = f"seq{n}"
        out[f"{key}.tokens"] = tokens.to(torch.int32)
        out[f"{key}.loss_from"] = torch.tensor([loss_from], dtype=torch.int32)
        with torch.no_grad():
            with adapted.disable_adapter():
                out[f"{key}.logits"] = adapted(tokens[None]).logits[0]
            if n == 0:
                out[f"{key}.adapted_logits"] = adapted(tokens[None]).logits[0]
        loss = nll(adapted, tokens, loss_from)
        out[f"{key}.loss"] = loss.detach().reshape(1)
        out |= gradients(adapted, loss, key)

    trunk, branches = tree
    out["tree.trunk"] = trunk.to(torch.int32)
    out["tree.loss_from"] = torch.tensor([f for _, f in branches], dtype=torch.int32)
    total = torch.zeros(())
    for j, (branch, loss_from) in enumerate(branches):
        out[f"tree.branch{j}"] = branch.to(torch.int32)
        total = total + nll(adapted, torch.cat([trunk, branch]), len(trunk) + loss_from)
    out["tree.loss"] = total.detach().reshape(1)
    out |= gradients(adapted, total, "tree")

    optimiser = torch.optim.AdamW(
        [p for _, _, p in adapter_tensors(adapted)], lr=LEARNING_RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
    )
    losses = []
    for _ in range(TRAINING_STEPS):
        means = [nll(adapted, t, f) / (len(t) - f) for t, f in sequences]
        loss = torch.stack(means).mean()
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    out["train.losses"] = torch.tensor(losses, dtype=torch.float64)
    return out


def write(family):
    config_class, changes, dtype, shard, lengths = FAMILIES[family]
    generator = torch.Generator().manual_seed(SEED)
    config = config_class(**(SHAPE | changes))
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").float()
    randomise(model, generator)
    folder = GOLDEN / family
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.safetensors"):
        old.unlink()
    model.to(dtype).save_pretrained(folder, **({"max_shard_size": shard} if shard else {}))
    (folder / "generation_config.json").unlink(missing_ok=True)
    # Read back: the reference must see the rounded weights, but rotary frequencies (buffers) in f32.
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()

    vocab = config.vocab_size
    draw = lambda n: torch.randint(3, vocab, (n,), generator=generator)
    sequences = [(draw(n), max(1, n // 3)) for n in lengths]
    tree = (draw(7), [(draw(6), 2), (draw(4), 1), (draw(9), 3)])
    rank = RANKS.get(family, DEFAULT_RANK)
    adapted = add_adapter(model, rank, generator)
    tensors = {k: v.contiguous() for k, v in reference(adapted, sequences, tree).items()}
    metadata = dict(
        family=family, seed=SEED, rank=rank, alpha=2 * rank, learning_rate=LEARNING_RATE, branches=3,
        sequences=len(sequences), torch=torch.__version__, transformers=transformers.__version__, peft=peft.__version__,
    )
    save_file(tensors, folder / "reference.safetensors", {k: str(v) for k, v in metadata.items()})
    sizes = {f.name: f.stat().st_size for f in sorted(folder.iterdir())}
    logits = tensors["seq0.logits"]
    print(json.dumps(dict(family=family, sizes=sizes, logit_std=round(logits.std().item(), 3),
                          losses=[round(v, 4) for v in tensors["train.losses"].tolist()])))


if __name__ == "__main__":
    torch.use_deterministic_algorithms(True)
    for family in sys.argv[1:] or FAMILIES:
        write(family)
