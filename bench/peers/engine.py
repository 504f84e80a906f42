#!/usr/bin/env python3
"""Times the private training step against Opacus, in one run, step by step in turn.

    cargo build --release -p albumen-train --example private_step
    python bench/peers/engine.py target/release/examples/private_step [rounds] [CASE ...]

A CASE is UNITSxTOKENS:PRECISION, such as 8x64:f32. Both sides do the whole private step of LoRA
(rank 8 on q, k, v and o of all layers) on random weights of SmolLM2-135M's shape with a loss at every
position: per-unit gradients, flat clipping, noise, one step of gradient descent. The peer is PyTorch
with PEFT and Opacus' GradSampleModule and DPOptimizer; for bf16 its whole model is in bf16. Ours keeps
f32 everywhere but in the operands of products with frozen weights, and its noise is exact and
cryptographic.

Each side is a process of its own with 2 threads (or THREADS of them; with 1, processor seconds are
free of waiting). Rounds alternate between them; a round's figures are
one step of each. Prints a Markdown table of medians: seconds, the median of the rounds' ratios on the
wall and in processor seconds (steadier on a shared machine), and each process's peak memory.
Needs torch, transformers, peft, opacus.
"""

import os
import resource
import statistics
import subprocess
import sys
import time

THREADS = int(os.environ.get("THREADS", "2"))
CASES = ["8x64:f32", "8x64:bf16", "8x128:f32", "4x256:f32", "16x64:f32",
         "8x128:bf16", "4x256:bf16", "16x64:bf16"]


def serve_peer(units, tokens, precision):
    """One Opacus step for each line of standard input."""
    import warnings

    warnings.filterwarnings("ignore")
    import torch
    from opacus import GradSampleModule
    from opacus.optimizers import DPOptimizer
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
        num_attention_heads=9, num_key_value_heads=3, tie_word_embeddings=True,
        max_position_embeddings=8192, rope_theta=100000.0, use_cache=False,
    )
    lora = LoraConfig(
        r=8, lora_alpha=16, lora_dropout=0.0, bias="none",
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj"],
    )
    model = get_peft_model(LlamaForCausalLM(shape), lora)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.02)
    if precision == "bf16":
        model = model.to(torch.bfloat16)
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    sampled = GradSampleModule(model, strict=False)
    optimizer = DPOptimizer(
        torch.optim.SGD(trained, lr=1e-3), noise_multiplier=1.0, max_grad_norm=1.0,
        expected_batch_size=units,
    )
    text = torch.randint(0, 49152, (units, tokens))
    # Opacus takes the first dimension of every input for the batch.
    positions = torch.arange(tokens).expand(units, tokens)

    def step():
        optimizer.zero_grad()
        logits = sampled(input_ids=text, position_ids=positions).logits[:, :-1]
        losses = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), text[:, 1:].flatten(), reduction="none")
        losses.view(units, tokens - 1).mean(1).mean().backward()
        optimizer.step()

    step()
    for _ in sys.stdin:
        wall, processor = time.perf_counter(), time.process_time()
        step()
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(wall, processor, peak, flush=True)


class Side:
    """A process that does a step for each line and says its seconds, processor seconds, MiB."""

    def __init__(self, command):
        environment = {**os.environ, "RAYON_NUM_THREADS": str(THREADS),
                       "OMP_NUM_THREADS": str(THREADS)}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.times = []

    def step(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.times.append([float(x) for x in self.process.stdout.readline().split()])

    def column(self, i):
        return [row[i] for row in self.times]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def main():
    if sys.argv[1] == "--peer":
        serve_peer(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
        return
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    print("| case | ours, s | Opacus, s | times | by processor time | ours, MiB | Opacus, MiB |")
    print("|---|---|---|---|---|---|---|")
    for case in sys.argv[3:] or CASES:
        shape, precision = case.split(":")
        units, tokens = shape.split("x")
        ours = Side([sys.argv[1], "serve", f"precision={precision}", f"units={units}",
                     f"tokens={tokens}"])
        peer = Side([sys.executable, __file__, "--peer", units, tokens, precision])
        for _ in range(rounds):
            ours.step()
            peer.step()
        ours.close()
        peer.close()
        median = statistics.median
        ratios = [median(b / a for a, b in zip(ours.column(i), peer.column(i))) for i in (0, 1)]
        print(f"| {shape} {precision} | {median(ours.column(0)):.3f} | {median(peer.column(0)):.3f}"
              f" | {ratios[0]:.2f} | {ratios[1]:.2f} | {max(ours.column(2)):.0f}"
              f" | {max(peer.column(2)):.0f} |", flush=True)


if __name__ == "__main__":
    main()
