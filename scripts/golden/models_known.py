#!/usr/bin/env python3
"""Shapes of the published models that configs/ names: crates/albumen-models/src/known.json.

    python scripts/golden/models_known.py

Each configuration below has what the model's own config.json on the hub says where that differs from the
library's default. The networks are built on the meta device (no weights, no randomness) and their
parameters counted. Made with torch 2.15.0, transformers 5.24.0, diffusers 0.42.1.
"""

import json
import pathlib

import diffusers
import torch
import transformers as tf

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/albumen-models/src/known.json"

# Keys of no consequence for a shape.
DROP = {
    "transformers_version", "dtype", "torch_dtype", "id2label", "label2id", "_name_or_path",
    "chunk_size_feed_forward", "problem_type", "return_dict", "output_attentions",
    "output_hidden_states", "_attn_implementation_autoset", "is_encoder_decoder", "tokenizer_class",
    "initializer_range", "initializer_factor", "attention_dropout", "hidden_dropout_prob",
    "attention_probs_dropout_prob", "use_cache", "bos_token_id", "pad_token_id", "eos_token_id",
    "sep_token_id", "label_smoothing", "logit_scale_init_value",
}


def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if k not in DROP and not k.startswith("_diff")}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def count(build):
    with torch.device("meta"):
        model = build()
    return model, sum(p.numel() for p in model.parameters())


def whole(cls, config, repository, processor=None):
    """A model of transformers in one directory."""
    _, parameters = count(lambda: cls(config))
    files = {"config.json": {**plain(config.to_dict()), "architectures": [cls.__name__]}}
    if processor:
        files["preprocessor_config.json"] = processor
    return {"repository": repository, "class": cls.__name__, "parts": {"model": parameters},
            "files": files}


def pipeline(cls, repository, parts):
    """A diffusers directory: parts are (name, class, build)."""
    index = {"_class_name": cls, "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"]}
    counts, files = {}, {}
    for name, build in parts.items():
        model, counts[name] = count(build)
        library = "diffusers" if isinstance(model, diffusers.ModelMixin) else "transformers"
        index[name] = [library, type(model).__name__]
        config = model.config if isinstance(model.config, dict) else model.config.to_dict()
        files[f"{name}/config.json"] = plain(dict(config))
        kind = type(model).__name__
        named = {"_class_name": kind} if library == "diffusers" else {"architectures": [kind]}
        files[f"{name}/config.json"].update(named)
    return {"repository": repository, "class": cls, "parts": counts,
            "files": {"model_index.json": index, **files}}


def clip(width, layers, cls=tf.CLIPTextModel, act="quick_gelu"):
    config = tf.CLIPTextConfig(hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers,
                               num_attention_heads=width // 64, hidden_act=act,
                               projection_dim=1280 if width == 1280 else 768)
    return lambda: cls(config)


def t5():
    return tf.T5EncoderModel(tf.T5Config(d_model=4096, d_ff=10240, num_layers=24, num_heads=64, d_kv=64,
                                         feed_forward_proj="gated-gelu", vocab_size=32128))


def vae(channels, sample, **more):
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    return lambda: diffusers.AutoencoderKL(block_out_channels=(128, 256, 512, 512), layers_per_block=2,
                                           latent_channels=channels, sample_size=sample, **blocks, **more)


def sdxl_unet():
    return diffusers.UNet2DConditionModel(
        sample_size=128, block_out_channels=(320, 640, 1280), layers_per_block=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=2048, transformer_layers_per_block=(1, 2, 10), attention_head_dim=(5, 10, 20),
        use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816)


def sdxl(repository):
    return pipeline("StableDiffusionXLPipeline", repository, {
        "text_encoder": clip(768, 12),
        "text_encoder_2": clip(1280, 32, tf.CLIPTextModelWithProjection, "gelu"),
        "unet": sdxl_unet,
        "vae": vae(4, 1024, scaling_factor=0.13025, force_upcast=True),
    })


def blip(repository, width, layers):
    config = tf.BlipConfig(
        vision_config=dict(hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers,
                           num_attention_heads=width // 64, image_size=384, patch_size=16),
        text_config=dict(hidden_size=768, encoder_hidden_size=width, vocab_size=30524,
                         intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
                         max_position_embeddings=512),
        image_text_hidden_size=256)
    processor = {"image_processor_type": "BlipImageProcessor", "size": {"height": 384, "width": 384},
                 "image_mean": [0.48145466, 0.4578275, 0.40821073],
                 "image_std": [0.26862954, 0.26130258, 0.27577711]}
    return whole(tf.BlipForConditionalGeneration, config, repository, processor)


KNOWN = [
    whole(tf.LlamaForCausalLM,
          tf.LlamaConfig(hidden_size=960, intermediate_size=2560, num_hidden_layers=32,
                         num_attention_heads=15, num_key_value_heads=5, vocab_size=49152,
                         max_position_embeddings=8192, rope_theta=100000.0, rms_norm_eps=1e-5,
                         tie_word_embeddings=True),
          "HuggingFaceTB/SmolLM2-360M-Instruct"),
    whole(tf.Qwen2ForCausalLM,
          tf.Qwen2Config(hidden_size=1536, intermediate_size=8960, num_hidden_layers=28,
                         num_attention_heads=12, num_key_value_heads=2, vocab_size=151936,
                         max_position_embeddings=32768, rope_theta=1000000.0, tie_word_embeddings=True),
          "Qwen/Qwen2.5-1.5B-Instruct"),
    whole(tf.Gemma3ForConditionalGeneration,
          tf.Gemma3Config(
              text_config=dict(hidden_size=2560, intermediate_size=10240, num_hidden_layers=34,
                               num_attention_heads=8, num_key_value_heads=4, head_dim=256,
                               vocab_size=262208, sliding_window=1024, max_position_embeddings=131072,
                               rope_scaling={"factor": 8.0, "rope_type": "linear"}),
              vision_config=dict(hidden_size=1152, intermediate_size=4304, num_attention_heads=16,
                                 num_hidden_layers=27, image_size=896, patch_size=14,
                                 vision_use_head=False)),
          "google/gemma-3-4b-it"),
    blip("Salesforce/blip-image-captioning-base", 768, 12),
    blip("Salesforce/blip-image-captioning-large", 1024, 24),
    whole(tf.Qwen3VLForConditionalGeneration,
          tf.Qwen3VLConfig(
              text_config=dict(hidden_size=4096, intermediate_size=12288, num_hidden_layers=36,
                               num_attention_heads=32, num_key_value_heads=8, head_dim=128,
                               vocab_size=151936, max_position_embeddings=262144),
              vision_config=dict(depth=27, hidden_size=1152, intermediate_size=4304, num_heads=16,
                                 out_hidden_size=4096, patch_size=16, spatial_merge_size=2,
                                 temporal_patch_size=2, deepstack_visual_indexes=[8, 16, 24],
                                 num_position_embeddings=2304),
              tie_word_embeddings=False),
          "Qwen/Qwen3-VL-8B-Instruct",
          {"image_processor_type": "Qwen2VLImageProcessorFast", "patch_size": 16, "merge_size": 2,
           "temporal_patch_size": 2, "size": {"shortest_edge": 65536, "longest_edge": 16777216},
           "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}),
    sdxl("stabilityai/sdxl-turbo"),
    sdxl("stabilityai/stable-diffusion-xl-base-1.0"),
    pipeline("FluxPipeline", "black-forest-labs/FLUX.1-schnell", {
        "text_encoder": clip(768, 12),
        "text_encoder_2": t5,
        "transformer": lambda: diffusers.FluxTransformer2DModel(guidance_embeds=False),
        "vae": vae(16, 1024, scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False,
                   use_post_quant_conv=False),
    }),
]

lines = [json.dumps(known, sort_keys=True) for known in KNOWN]
OUT.write_text("[\n" + ",\n".join(lines) + "\n]\n")
for known in KNOWN:
    print(known["repository"], sum(known["parts"].values()))
