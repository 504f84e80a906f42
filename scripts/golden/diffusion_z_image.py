"""Golden files of albumen-diffusion: a tiny random Z-Image pipeline, and what diffusers makes of it.

    python scripts/golden/diffusion_z_image.py

writes crates/albumen-diffusion/tests/golden/z_image/: the pipeline as diffusers saves it (weights in
bf16) and reference.safetensors, settings.json. The class fixes the time embedder's width at 1024:
three quarters of the weights, so most of its columns are zero, which compresses.

Seed 20251020. Written with torch 2.15.0, diffusers 0.42.1, transformers 5.24.0. Everything is computed
in f32 on the CPU from the weights as stored.
"""

import diffusers
import torch
import transformers

import diffusion_parts as parts

GUIDANCE = 3.0
# What Qwen3's template makes of one message of a user, thinking allowed (it is only forbidden by words).
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tokenizer():
    vocab, merges = parts.bytes_bpe(24, "")
    for token in ("<|endoftext|>", "<|im_start|>", "<|im_end|>"):
        vocab[token] = len(vocab)
    made = transformers.Qwen2Tokenizer(
        vocab=vocab,
        merges=merges,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
        model_max_length=512,
    )
    made.chat_template = TEMPLATE
    return made


def build():
    words = tokenizer()
    text_encoder = transformers.Qwen3Model(
        transformers.Qwen3Config(
            vocab_size=len(words),
            hidden_size=24,
            intermediate_size=40,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=8,
            initializer_range=0.25,
            max_position_embeddings=512,
            rope_parameters={"rope_type": "default", "rope_theta": 5000.0},
        )
    )
    transformer = diffusers.ZImageTransformer2DModel(
        in_channels=16,
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=24,
        axes_dims=[4, 6, 6],
        axes_lens=[256, 32, 32],
    )
    keep = torch.arange(1024) % 16 == 5
    with torch.no_grad():
        transformer.t_embedder.mlp[0].weight[~keep] = 0
        transformer.t_embedder.mlp[2].weight[:, ~keep] = 0
    return diffusers.ZImagePipeline(
        text_encoder=text_encoder,
        tokenizer=words,
        transformer=transformer,
        vae=parts.vae(0.3611, 0.1159),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


@torch.no_grad()
def reference(pipeline):
    text, negative = pipeline.encode_prompt([parts.PROMPT], negative_prompt=[parts.NEGATIVE])
    noise = torch.randn(2, 16, parts.HEIGHT // 2, parts.WIDTH // 2)
    chat = pipeline.tokenizer.apply_chat_template(
        [{"role": "user", "content": parts.PROMPT}], tokenize=False, add_generation_prompt=True
    )

    def draw(noise, guidance):
        return pipeline(
            [parts.PROMPT],  # the pipeline writes into a list of prompts
            negative_prompt=[parts.NEGATIVE],
            height=parts.HEIGHT,
            width=parts.WIDTH,
            num_inference_steps=parts.STEPS,
            guidance_scale=guidance,
            latents=noise,
            output_type="pt",
        ).images

    velocity = pipeline.transformer([noise[0].unsqueeze(1)], torch.tensor([0.3985]), text)
    return {
        "noise": noise,
        "ids": torch.tensor(pipeline.tokenizer(chat).input_ids),
        "text": text[0],
        "negative_text": negative[0],
        "transformer": torch.stack(velocity.sample).squeeze(2),
        "vae": pipeline.vae.decode(noise[:1]).sample,
        "image": torch.cat([draw(noise[i : i + 1], 0.0) for i in range(2)]),
        "image_guided": draw(noise[:1], GUIDANCE),
    }


def main():
    torch.manual_seed(parts.SEED)
    pipeline, directory = parts.save(build(), "z_image")
    parts.write(directory, reference(pipeline), negative=parts.NEGATIVE, guidance=GUIDANCE)


if __name__ == "__main__":
    main()
