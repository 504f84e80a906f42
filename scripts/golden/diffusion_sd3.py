"""Golden files of albumen-diffusion: a tiny random Stable Diffusion 3.5 pipeline, and what diffusers
makes of it.

    python scripts/golden/diffusion_sd3.py

writes crates/albumen-diffusion/tests/golden/sd3/: the pipeline as diffusers saves it (weights in bf16;
two layers, one with MMDiT-X's second attention), plain/, a transformer as Stable Diffusion 3.0 has it, and
reference.safetensors, settings.json.

Seed 20251020. Written with torch 2.15.0, diffusers 0.42.1, transformers 5.24.0. Everything is computed
in f32 on the CPU from the weights as stored.
"""

import diffusers
import torch

import diffusion_parts as parts

GUIDANCE = 4.5
ROWS = slice(None, None, 9)  # of the text states, to keep the file small


def build():
    first, second = parts.clip_tokenizer("<|endoftext|>"), parts.clip_tokenizer("!")
    third = parts.t5_tokenizer()
    return diffusers.StableDiffusion3Pipeline(
        # 2 stands for the highest id in CLIP's older configurations
        text_encoder=parts.clip(first, True, 16, 2, "quick_gelu"),
        text_encoder_2=parts.clip(second, True, 12, second.eos_token_id, "gelu"),
        text_encoder_3=parts.t5(third, 32),
        tokenizer=first,
        tokenizer_2=second,
        tokenizer_3=third,
        transformer=diffusers.SD3Transformer2DModel(
            sample_size=16,
            patch_size=2,
            in_channels=16,
            out_channels=16,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=3,
            joint_attention_dim=32,
            caption_projection_dim=24,
            pooled_projection_dim=28,
            pos_embed_max_size=12,
            dual_attention_layers=[0],
            qk_norm="rms_norm",
        ),
        vae=parts.vae(1.5305, 0.0609),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


def plain():
    """Stable Diffusion 3.0's: queries and keys as they are, no second attention."""
    return diffusers.SD3Transformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=16,
        out_channels=16,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=32,
        caption_projection_dim=16,
        pooled_projection_dim=28,
        pos_embed_max_size=9,
    )


@torch.no_grad()
def reference(pipeline, without_t5, plain):
    embeds, negative, pooled, negative_pooled = pipeline.encode_prompt(
        parts.PROMPT, None, None, negative_prompt=parts.NEGATIVE
    )
    noise = torch.randn(2, 16, parts.HEIGHT // 2, parts.WIDTH // 2)
    arguments = dict(
        height=parts.HEIGHT,
        width=parts.WIDTH,
        num_inference_steps=parts.STEPS,
        output_type="pt",
    )

    def draw(pipeline, noise, guidance):
        prompts = dict(prompt=parts.PROMPT, negative_prompt=parts.NEGATIVE)
        return pipeline(**prompts, latents=noise, guidance_scale=guidance, **arguments).images

    tensors = {
        "noise": noise,
        "text": embeds[:, ROWS],
        "negative_text": negative[:, ROWS],
        "pooled": pooled,
        "negative_pooled": negative_pooled,
        "transformer": pipeline.transformer(
            noise[:1], embeds, pooled, torch.tensor([601.5]), return_dict=False
        )[0],
        "transformer_plain": plain(
            noise[:1], embeds, pooled, torch.tensor([601.5]), return_dict=False
        )[0],
        "vae": pipeline.vae.decode(noise[:1]).sample,
        "image": torch.cat([draw(pipeline, noise[i : i + 1], GUIDANCE) for i in range(2)]),
        "image_unguided": draw(pipeline, noise[:1], 1.0),
        "image_without_t5": draw(without_t5, noise[:1], GUIDANCE),
    }
    for i, tokenizer in enumerate([pipeline.tokenizer, pipeline.tokenizer_2, pipeline.tokenizer_3]):
        length = 77 if i < 2 else 256
        ids = tokenizer(parts.PROMPT, padding="max_length", max_length=length, truncation=True)
        tensors[f"ids_{i + 1}"] = torch.tensor(ids.input_ids)
    schedulers = {
        "static": dict(shift=3.0),
        "dynamic": dict(use_dynamic_shifting=True),
        "linear": dict(use_dynamic_shifting=True, time_shift_type="linear"),
        "terminal": dict(shift=2.0, shift_terminal=0.1),
    }
    for name, config in schedulers.items():
        scheduler = diffusers.FlowMatchEulerDiscreteScheduler(**config)
        mu = {"mu": 0.83} if "use_dynamic_shifting" in config else {}
        made = parts.trajectory(scheduler, noise[0, 0], num_inference_steps=7, **mu)
        tensors[f"times_{name}"], tensors[f"states_{name}"] = made
    return tensors


def main():
    torch.manual_seed(parts.SEED)
    pipeline, directory = parts.save(build(), "sd3")
    without_t5 = diffusers.StableDiffusion3Pipeline.from_pretrained(
        directory, text_encoder_3=None, tokenizer_3=None, torch_dtype=torch.float32
    )
    without_t5.set_progress_bar_config(disable=True)
    parts.shake(plain()).to(torch.bfloat16).save_pretrained(directory / "plain")
    older = diffusers.SD3Transformer2DModel.from_pretrained(
        directory / "plain", torch_dtype=torch.float32
    )
    tensors = reference(pipeline, without_t5, older)
    parts.write(directory, tensors, negative=parts.NEGATIVE, guidance=GUIDANCE)


if __name__ == "__main__":
    main()
