"""Golden files of albumen-diffusion: a tiny random Flux.1 pipeline, dev and schnell, and what diffusers
makes of it.

    python scripts/golden/diffusion_flux.py

writes crates/albumen-diffusion/tests/golden/flux/: the pipeline of dev as diffusers saves it (weights
in bf16), schnell/transformer and schnell/scheduler to put in the place of its own, and
reference.safetensors, settings.json.

Seed 20251020. Written with torch 2.15.0, diffusers 0.42.1, transformers 5.24.0. Everything is computed
in f32 on the CPU from the weights as stored.
"""

import diffusers
import torch

import diffusion_parts as parts

GUIDANCE = 3.5
ROWS = slice(None, None, 16)  # of the text states, to keep the file small


def transformer(guided):
    return diffusers.FluxTransformer2DModel(
        in_channels=64,
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=16,
        guidance_embeds=guided,
        axes_dims_rope=[2, 2, 4],
    )


def build():
    first, second = parts.clip_tokenizer("<|endoftext|>"), parts.t5_tokenizer()
    return diffusers.FluxPipeline(
        text_encoder=parts.clip(first, False, 16, 2, "quick_gelu"),
        text_encoder_2=parts.t5(second, 32),
        tokenizer=first,
        tokenizer_2=second,
        transformer=transformer(True),
        vae=parts.vae(0.3611, 0.1159),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
    )


@torch.no_grad()
def reference(dev, schnell):
    embeds, pooled, text_ids = dev.encode_prompt(parts.PROMPT)
    height, width = parts.HEIGHT // 2, parts.WIDTH // 2
    noise = torch.randn(2, 16, height, width)
    packed = dev._pack_latents(noise, 2, 16, height, width)
    image_ids = dev._prepare_latent_image_ids(2, height // 2, width // 2, "cpu", torch.float32)

    def step(pipeline, guidance):
        velocity = pipeline.transformer(
            packed[:1],
            timestep=torch.tensor([0.6015]),
            guidance=guidance,
            pooled_projections=pooled,
            encoder_hidden_states=embeds,
            txt_ids=text_ids,
            img_ids=image_ids,
            return_dict=False,
        )[0]
        return pipeline._unpack_latents(velocity, parts.HEIGHT, parts.WIDTH, 2)

    def draw(pipeline, noise):
        return pipeline(
            parts.PROMPT,
            height=parts.HEIGHT,
            width=parts.WIDTH,
            num_inference_steps=parts.STEPS,
            guidance_scale=GUIDANCE,
            latents=noise,
            output_type="pt",
        ).images

    tensors = {
        "noise": noise,
        "text": embeds[:, ROWS],
        "pooled": pooled,
        "transformer": step(dev, torch.tensor([GUIDANCE])),
        "transformer_schnell": step(schnell, None),
        "vae": dev.vae.decode(noise[:1]).sample,
        "image": torch.cat([draw(dev, packed[i : i + 1]) for i in range(2)]),
        "image_schnell": draw(schnell, packed[:1]),
    }
    for i, (tokenizer, length) in enumerate([(dev.tokenizer, 77), (dev.tokenizer_2, 512)]):
        ids = tokenizer(parts.PROMPT, padding="max_length", max_length=length, truncation=True)
        tensors[f"ids_{i + 1}"] = torch.tensor(ids.input_ids)
    return tensors


def main():
    torch.manual_seed(parts.SEED)
    dev, directory = parts.save(build(), "flux")
    schnell = directory / "schnell"
    parts.shake(transformer(False)).to(torch.bfloat16).save_pretrained(schnell / "transformer")
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=1.0)
    scheduler.save_pretrained(schnell / "scheduler")
    loaded = diffusers.FluxTransformer2DModel.from_pretrained(
        schnell / "transformer", torch_dtype=torch.float32
    )
    components = dict(dev.components, transformer=loaded, scheduler=scheduler)
    pipeline = diffusers.FluxPipeline(**components)
    pipeline.set_progress_bar_config(disable=True)
    parts.write(directory, reference(dev, pipeline), guidance=GUIDANCE)


if __name__ == "__main__":
    main()
