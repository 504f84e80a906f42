"""Counts parameters and floating-point operations of Stable Diffusion 3.5, Flux.1 and Z-Image by their
published shapes, at 1024 x 1024 pixels.

Networks are built on the meta device, which holds no weights and computes nothing; torch's counter adds
up products and attention (2 operations a multiply-add). Z-Image builds tensors of its own on the way, so
its operations are added up from its shape. Made with torch 2.15.0, diffusers 0.42.1, transformers 5.24.0:
    python bench/peers/diffusion_transformer_flops.py
"""

import diffusers
import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode

META = torch.device("meta")
CAPTION = 128  # tokens of Z-Image's caption


def count(run):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run()
    return counter.get_total_flops() / 1e12


def report(name, model, tera):
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{name}: {parameters / 1e9:.3f} G parameters, {tera:.2f} TFLOP")


def empty(*shape):
    return torch.empty(*shape, device=META)


def sd3(layers, heads, dual, grid):
    model = diffusers.SD3Transformer2DModel(
        sample_size=128,
        num_layers=layers,
        attention_head_dim=64,
        num_attention_heads=heads,
        joint_attention_dim=4096,
        caption_projection_dim=64 * heads,
        pooled_projection_dim=2048,
        pos_embed_max_size=grid,
        dual_attention_layers=tuple(range(dual)),
        qk_norm="rms_norm",
    )
    inputs = empty(1, 16, 128, 128), empty(1, 77 + 256, 4096), empty(1, 2048), empty(1)
    return model, count(lambda: model(*inputs))


def z_image():
    model = diffusers.ZImageTransformer2DModel(axes_lens=[1536, 512, 512])
    d, image = model.dim, 4096
    block = model.context_refiner[0]
    weights = sum(p.numel() for p in block.parameters() if p.dim() == 2)

    def blocks(layers, tokens):
        return layers * (2 * weights * tokens + 4 * tokens**2 * d) / 1e12

    return model, blocks(30, image + CAPTION) + blocks(2, image) + blocks(2, CAPTION)


with META:
    report("Stable Diffusion 3.5 medium", *sd3(24, 24, 13, 384))
    report("Stable Diffusion 3.5 large", *sd3(38, 38, 0, 192))
    flux = diffusers.FluxTransformer2DModel()
    ids = empty(4096, 3), empty(512, 3)
    inputs = empty(1, 4096, 64), empty(1, 512, 4096), empty(1, 768), empty(1), *ids
    report("Flux.1", flux, count(lambda: flux(*inputs)))
    report("Z-Image", *z_image())
    vae = diffusers.AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        block_out_channels=[128, 256, 512, 512],
        layers_per_block=2,
        latent_channels=16,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    report("decoder", vae.decoder, count(lambda: vae.decoder(empty(1, 16, 128, 128))))
    t5 = transformers.T5EncoderModel(
        transformers.T5Config(
            vocab_size=32128,
            d_model=4096,
            d_kv=64,
            d_ff=10240,
            num_layers=24,
            num_heads=64,
            feed_forward_proj="gated-gelu",
        )
    )
    tokens = torch.zeros(1, 512, dtype=torch.long, device=META)
    report("T5 XXL's encoder, 512 tokens", t5, count(lambda: t5(tokens)))
