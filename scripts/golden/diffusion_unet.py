"""Writes tiny random Stable Diffusion and SDXL pipelines, and what diffusers makes of them.

Four pipelines under crates/albumen-diffusion/tests/golden/{sd15,sd21,sdxl,sdxl_turbo}: the layout of
diffusers with weights in half precision (the reference computes in f32 on the rounded weights), and
golden.safetensors with token ids, text states, one step of the UNet, a decoded latent and the picture
after four steps from given noise. The autoencoder's encoder is left out: text-to-image needs none.

Seed 20261126. Made with Python 3.11, torch 2.15.0, transformers 5.24.0, diffusers 0.42.1:
    python scripts/golden/diffusion_unet.py
"""

import json
import shutil
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.schedulers import scheduling_euler_ancestral_discrete as ancestral
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

OUT = Path(__file__).parents[2] / "crates/albumen-diffusion/tests/golden"
SEED = 20261126
PROMPT = "Two children's dogs, running\u00e9 beside a LAKE in 2019!"
NEGATIVE = "blurry, text"
WIDTH, HEIGHT = 64, 48


def bytes_to_unicode():
    """GPT-2's table from bytes to printable characters."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table, extra = {b: chr(b) for b in printable}, 0
    for b in range(256):
        if b not in table:
            table[b] = chr(256 + extra)
            extra += 1
    return table


def write_tokenizer(folder, pad):
    """A vocabulary of bytes and a few merges, in CLIP's files."""
    folder.mkdir(parents=True)
    letters = list(bytes_to_unicode().values())
    merges = [
        "c h", "i l", "ch il", "d o", "do g", "dog s</w>", "l a", "k e</w>", "la ke</w>", "r u",
        "n n", "ru nn", "i n", "in g</w>", "b e", "t h", "i n</w>", "t w", "tw o</w>", "' s</w>",
        "t e", "x t</w>", "te xt</w>", "b l", "u r", "bl ur", "r y</w>", "blur ry</w>",
    ]  # fmt: skip
    words = letters + [c + "</w>" for c in letters] + [m.replace(" ", "") for m in merges]
    words += ["<|startoftext|>", "<|endoftext|>"]
    vocab = {word: i for i, word in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"model_max_length": 20, "pad_token": pad, "tokenizer_class": "CLIPTokenizer"})
    )
    return vocab


def randomise(model, generator):
    """Weights that matter everywhere: norms and biases are not ones and zeros."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if p.ndim == 1:
                p.copy_(noise * 0.1 + (1.0 if "norm" in name and name.endswith("weight") else 0.0))
            else:
                p.copy_(noise * 1.2 / (p[0].numel() ** 0.5))


def text_config(vocab, act, projection, **more):
    return CLIPTextConfig(
        vocab_size=len(vocab), hidden_size=16, intermediate_size=32, num_hidden_layers=3,
        num_attention_heads=2, max_position_embeddings=20, hidden_act=act,
        projection_dim=projection, bos_token_id=vocab["<|startoftext|>"], **more,
    )  # fmt: skip


def vae(**more):
    return AutoencoderKL(
        block_out_channels=(8, 8, 8, 16), latent_channels=4, norm_num_groups=4, layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        sample_size=32, **more,
    )  # fmt: skip


BETAS = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")


def sd15(vocab):
    text = CLIPTextModel(text_config(vocab, "quick_gelu", 16, eos_token_id=2))
    unet = UNet2DConditionModel(
        block_out_channels=(8, 8, 16), norm_num_groups=4, layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=16, attention_head_dim=2,
    )  # fmt: skip
    scheduler = PNDMScheduler(skip_prk_steps=True, steps_offset=1, set_alpha_to_one=False, **BETAS)
    return [text], unet, vae(), scheduler


def sd21(vocab):
    end = vocab["<|endoftext|>"]
    text = CLIPTextModel(text_config(vocab, "gelu", 8, eos_token_id=end))
    unet = UNet2DConditionModel(
        block_out_channels=(8, 16), norm_num_groups=4, layers_per_block=2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=16, attention_head_dim=[2, 4], use_linear_projection=True,
        upcast_attention=True,
    )  # fmt: skip
    scheduler = DDIMScheduler(
        prediction_type="v_prediction", clip_sample=False, set_alpha_to_one=False, steps_offset=1,
        **BETAS,
    )  # fmt: skip
    return [text], unet, vae(), scheduler


def sdxl_parts(vocab, scheduler):
    end = vocab["<|endoftext|>"]
    texts = [
        CLIPTextModel(text_config(vocab, "quick_gelu", 16, eos_token_id=2)),
        CLIPTextModelWithProjection(text_config(vocab, "gelu", 12, eos_token_id=end)),
    ]
    unet = UNet2DConditionModel(
        block_out_channels=(8, 16), norm_num_groups=4, layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32, attention_head_dim=[2, 4], transformer_layers_per_block=[1, 2],
        use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=12 + 6 * 8,
    )  # fmt: skip
    return texts, unet, vae(scaling_factor=0.13025, force_upcast=True), scheduler


def sdxl(vocab):
    return sdxl_parts(vocab, EulerDiscreteScheduler(timestep_spacing="leading", steps_offset=1, **BETAS))


def sdxl_turbo(vocab):
    return sdxl_parts(vocab, EulerAncestralDiscreteScheduler(timestep_spacing="trailing", **BETAS))


def build(name, make, generator):
    """Saves the pipeline and gives it back as Python reads it, in f32."""
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    vocab = write_tokenizer(folder / "tokenizer", "<|endoftext|>" if name == "sd15" else "!")
    texts, unet, autoencoder, scheduler = make(vocab)
    models = {"unet": unet, "vae": autoencoder}
    for i, text in enumerate(texts):
        models["text_encoder" + ("_2" if i else "")] = text
    for part, model in models.items():
        randomise(model, generator)
        variant = "fp16" if name == "sdxl_turbo" else None
        model.to(torch.float16).save_pretrained(folder / part, variant=variant)
    scheduler.save_pretrained(folder / "scheduler")
    xl = len(texts) == 2
    if xl:
        write_tokenizer(folder / "tokenizer_2", "!")
    library = {"unet": "diffusers", "vae": "diffusers", "scheduler": "diffusers"}
    index = {"_class_name": "StableDiffusionXLPipeline" if xl else "StableDiffusionPipeline"}
    for part in [*models, "scheduler", "tokenizer"] + (["tokenizer_2"] if xl else []):
        kind = models.get(part, scheduler if part == "scheduler" else None)
        kind = type(kind).__name__ if kind is not None else "CLIPTokenizer"
        index[part] = [library.get(part, "transformers"), kind]
    if not xl:
        index["safety_checker"] = [None, None]
    else:
        index["force_zeros_for_empty_prompt"] = True
    (folder / "model_index.json").write_text(json.dumps(index, indent=2))

    tokenizers = [
        CLIPTokenizer.from_pretrained(folder / t) for t in ["tokenizer", "tokenizer_2"][: len(texts)]
    ]
    for model in models.values():
        model.to(torch.float32).eval()
    common = dict(unet=unet, vae=autoencoder, scheduler=scheduler)
    if xl:
        pipe = StableDiffusionXLPipeline(
            text_encoder=texts[0], text_encoder_2=texts[1], tokenizer=tokenizers[0],
            tokenizer_2=tokenizers[1], add_watermarker=False, **common,
        )  # fmt: skip
    else:
        pipe = StableDiffusionPipeline(
            text_encoder=texts[0], tokenizer=tokenizers[0], safety_checker=None,
            feature_extractor=None, requires_safety_checker=False, **common,
        )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    for file in (folder / "vae").glob("*.safetensors"):
        tensors = load_file(file)
        kept = {k: v for k, v in tensors.items() if k.startswith(("decoder.", "post_quant_conv."))}
        save_file(kept, file, metadata={"format": "pt"})
    return pipe


def golden(name, pipe, generator):
    xl = isinstance(pipe, StableDiffusionXLPipeline)
    shape = (4, HEIGHT // 8, WIDTH // 8)
    random = lambda *s: torch.randn(s, generator=generator)  # noqa: E731
    out = {}
    encoders = [(pipe.tokenizer, pipe.text_encoder)]
    if xl:
        encoders.append((pipe.tokenizer_2, pipe.text_encoder_2))
    states, pooled = [], None
    for i, (tokenizer, encoder) in enumerate(encoders):
        ids = tokenizer(
            [PROMPT, NEGATIVE], padding="max_length", max_length=tokenizer.model_max_length,
            truncation=True, return_tensors="pt",
        ).input_ids  # fmt: skip
        encoded = encoder(ids, output_hidden_states=True)
        out[f"ids_{i}"] = ids.to(torch.int64)
        out[f"last_{i}"] = encoded.last_hidden_state
        out[f"penultimate_{i}"] = encoded.hidden_states[-2]
        pooled = encoded.text_embeds if i == 1 else encoded.pooler_output
        out[f"pooled_{i}"] = pooled
        states.append(encoded.hidden_states[-2] if xl else encoded.last_hidden_state)

    sample = random(2, *shape)
    added = None
    if xl:
        sizes = torch.tensor([[48.0, 64, 0, 0, 48, 64]] * 2)
        added = {"text_embeds": pooled, "time_ids": sizes}
    out["unet_sample"] = sample
    out["unet_output"] = pipe.unet(
        sample, 621, encoder_hidden_states=torch.cat(states, -1), added_cond_kwargs=added
    ).sample
    out["vae_latents"] = random(1, *shape)
    out["vae_pixels"] = pipe.vae.decode(out["vae_latents"] / pipe.vae.config.scaling_factor).sample
    if name == "sd15":
        pipe.vae.enable_tiling()
        out["vae_tiled"] = pipe.vae.decode(
            out["vae_latents"] / pipe.vae.config.scaling_factor
        ).sample
        pipe.vae.disable_tiling()

    turbo = name == "sdxl_turbo"
    noise, steps = random(1, *shape), random(4, *shape)
    out["noise"], out["step_noise"] = noise[0], steps
    fresh = iter(steps)
    ancestral.randn_tensor = lambda *_, **__: next(fresh)[None]
    call = dict(
        prompt=PROMPT, num_inference_steps=4, width=WIDTH, height=HEIGHT, output_type="latent",
        guidance_scale=0.0 if turbo else 5.0,
    )  # fmt: skip
    scale = {"latents": noise.clone()}
    negatives = [None] if turbo else [NEGATIVE, None]
    for negative in negatives:
        key = "empty" if negative is None and not turbo else "final"
        latents = pipe(negative_prompt=negative, **scale, **call).images
        out[f"{key}_latents"] = latents[0]
        if key == "final":
            pixels = pipe.vae.decode(latents / pipe.vae.config.scaling_factor).sample
            out["final_pixels"] = pixels[0]
    return {k: v.detach().contiguous() for k, v in out.items()}


def main():
    torch.set_grad_enabled(False)
    for i, make in enumerate([sd15, sd21, sdxl, sdxl_turbo]):
        generator = torch.Generator().manual_seed(SEED + i)
        name = make.__name__
        with torch.enable_grad():
            pipe = build(name, make, generator)
        for model in [pipe.unet, pipe.vae]:
            model.requires_grad_(False)
        save_file(golden(name, pipe, generator), OUT / name / "golden.safetensors")
        size = sum(f.stat().st_size for f in (OUT / name).rglob("*") if f.is_file())
        print(name, size)


main()
