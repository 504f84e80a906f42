#!/usr/bin/env python3
"""Times generation against llama.cpp and Hugging Face transformers, in one run, in turn.

    cargo build --release -p albumen-lm --example decode_speed
    python bench/peers/generation.py target/release/examples/decode_speed MODEL.gguf [rounds]

MODEL.gguf is SmolLM2-135M in Q8_0; bench/peers/requantise.py makes it from the asset. Every side reads
prompts of 16 random tokens and writes 64 more, greedily, with 2 threads:

- batch 1, 8 bits: ours against llama.cpp (PyPI llama-cpp-python), the same weights;
- batch 16, bf16: ours against transformers' `generate` in bf16 on weights of the same shape.

Each side is a process of its own. Rounds alternate; prints a Markdown table of medians: seconds, the
median of the rounds' ratios on the wall and in processor seconds (steadier on a shared machine).
Needs llama-cpp-python, torch, transformers.
"""

import os
import statistics
import subprocess
import sys
import time

THREADS, PROMPT, NEW, VOCABULARY = 2, 16, 64, 49152
TICKS = os.sysconf("SC_CLK_TCK")


def serve_llama_cpp(model):
    import llama_cpp
    import numpy

    llama = llama_cpp.Llama(model, n_ctx=256, n_threads=THREADS, n_threads_batch=THREADS,
                            verbose=False)
    prompt = numpy.random.default_rng(0).integers(0, VOCABULARY, PROMPT).tolist()

    def generate():
        # The library's own loop, without the wrapper's copies of every row of logits.
        memory = llama_cpp.llama_get_memory(llama.ctx)
        llama_cpp.llama_memory_clear(memory, True)
        tokens = prompt
        for _ in range(NEW):
            buffer = (llama_cpp.llama_token * len(tokens))(*tokens)
            batch = llama_cpp.llama_batch_get_one(buffer, len(tokens))
            assert llama_cpp.llama_decode(llama.ctx, batch) == 0
            logits = llama_cpp.llama_get_logits_ith(llama.ctx, -1)
            tokens = [int(numpy.ctypeslib.as_array(logits, (VOCABULARY,)).argmax())]

    return generate


def serve_transformers(batch):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
        num_attention_heads=9, num_key_value_heads=3, tie_word_embeddings=True,
        max_position_embeddings=8192, rope_theta=100000.0,
    )
    model = LlamaForCausalLM(shape).to(torch.bfloat16).eval()
    prompt = torch.randint(0, VOCABULARY, (batch, PROMPT))

    def generate():
        with torch.inference_mode():
            out = model.generate(
                prompt, attention_mask=torch.ones_like(prompt), do_sample=False,
                max_new_tokens=NEW, min_new_tokens=NEW, pad_token_id=0, eos_token_id=None)
        assert out.shape == (batch, PROMPT + NEW)

    return generate


def serve(generate):
    for _ in sys.stdin:
        start = time.perf_counter()
        generate()
        print(time.perf_counter() - start, flush=True)


class Side:
    """A process that generates once for each line and prints the seconds."""

    def __init__(self, command):
        environment = {**os.environ, "RAYON_NUM_THREADS": str(THREADS),
                       "OMP_NUM_THREADS": str(THREADS)}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.wall, self.processor = [], []
        self.round()
        self.wall, self.processor = [], []

    def used(self):
        with open(f"/proc/{self.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def round(self):
        before = self.used()
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.wall.append(float(self.process.stdout.readline()))
        self.processor.append(self.used() - before)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def compare(name, ours, peer, rounds, tokens):
    ours, peer = Side(ours), Side(peer)
    for _ in range(rounds):
        ours.round()
        peer.round()
    ours.close()
    peer.close()
    median = statistics.median
    ratios = [median(b / a for a, b in zip(x, y))
              for x, y in [(ours.wall, peer.wall), (ours.processor, peer.processor)]]
    print(f"| {name} | {tokens / median(ours.wall):.0f} | {tokens / median(peer.wall):.0f}"
          f" | {ratios[0]:.2f} | {ratios[1]:.2f} |", flush=True)


def main():
    if sys.argv[1] == "--llama.cpp":
        serve(serve_llama_cpp(sys.argv[2]))
        return
    if sys.argv[1] == "--transformers":
        serve(serve_transformers(int(sys.argv[2])))
        return
    binary, model = sys.argv[1:3]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 7
    us = [binary, model, f"prompt={PROMPT}", f"new={NEW}"]
    them = [sys.executable, __file__]
    print("| generation | ours, new tokens/s | peer | times | by processor time |")
    print("|---|---|---|---|---|")
    for precision in ["int8", "bf16"]:
        compare(f"batch 1, ours {precision}, llama.cpp Q8_0",
                [*us, "batch=1", f"precision={precision}"], [*them, "--llama.cpp", model], rounds, NEW)
    for precision in ["bf16", "int8"]:
        compare(f"batch 16, ours {precision}, transformers bf16",
                [*us, "batch=16", f"precision={precision}"], [*them, "--transformers", "16"], rounds,
                16 * NEW)


if __name__ == "__main__":
    main()
