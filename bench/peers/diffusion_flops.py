"""Counts the floating-point operations of Stable Diffusion 1.5 and SDXL by their published shapes.

Networks are built on the meta device, which holds no weights and computes nothing; torch's counter
adds up products and attention (2 operations a multiply-add). Made with torch 2.15.0, diffusers 0.42.1:
    python bench/peers/diffusion_flops.py
"""

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch.utils.flop_counter import FlopCounterMode

SD15 = dict(cross_attention_dim=768, attention_head_dim=8)
SDXL = dict(
    block_out_channels=(320, 640, 1280), cross_attention_dim=2048,
    attention_head_dim=[5, 10, 20], transformer_layers_per_block=[1, 2, 10],
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=256,
    projection_class_embeddings_input_dim=2816,
)  # fmt: skip
VAE = dict(
    block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4,
    down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
)  # fmt: skip


def count(run):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run()
    return counter.get_total_flops()


def parameters(model):
    return sum(p.numel() for p in model.parameters())


with torch.device("meta"):
    vae = AutoencoderKL(**VAE)
    for name, config, sides in [("SD 1.5", SD15, [512]), ("SDXL", SDXL, [512, 1024])]:
        unet = UNet2DConditionModel(**config)
        print(f"{name}: UNet of {parameters(unet) / 1e6:.0f} M parameters")
        for side in sides:
            sample = torch.empty(1, 4, side // 8, side // 8)
            text = torch.empty(1, 77, config["cross_attention_dim"])
            added = {"text_embeds": torch.empty(1, 1280), "time_ids": torch.empty(1, 6)}
            step = count(
                lambda: unet(sample, torch.tensor(1), text, added_cond_kwargs=added)
            )
            decode = count(lambda: vae.decode(sample))
            print(f"  {side} px: {step / 1e12:.3f} TFLOP a pass, {decode / 1e12:.3f} a decoding")
    decoder = parameters(vae.decoder)
    print(f"decoder of {decoder / 1e6:.0f} M parameters")
