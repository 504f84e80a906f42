"""Tiny parts of text-to-image pipelines, for diffusion_{sd3,flux,z_image}.py: tokenizers, encoders, a
VAE, and how they are saved. Not run by itself."""

import json
import pathlib
import shutil

import diffusers
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

SEED = 20251020
GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "crates/albumen-diffusion/tests/golden"
WIDTH, HEIGHT, STEPS = 32, 24, 4  # width and height differ, so that none passes for the other
PROMPT = "A small red boat, and two dogs' shadows on the lake at 7 o'clock."
NEGATIVE = "blurry"
CORPUS = [
    PROMPT,
    "two people walk a dog along the shore of a quiet lake in the evening light",
    "a red house behind old trees, seen from the boat",
    "children play with a ball on the beach; clouds over the sea",
    "<|im_start|>user\nassistant",
]


def bytes_bpe(tokens, suffix):
    """Vocabulary and merges of a byte-level BPE with `tokens` merges learnt from CORPUS."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    ending = {"end_of_word_suffix": suffix} if suffix else {}
    tokenizer = Tokenizer(models.BPE(**ending))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=len(alphabet) * (2 if suffix else 1) + tokens,
        initial_alphabet=alphabet,
        show_progress=False,
        **ending,
    )
    tokenizer.train_from_iterator([text.lower() for text in CORPUS], trainer)
    merges = [tuple(m) for m in json.loads(tokenizer.to_str())["model"]["merges"]][:tokens]
    vocab = alphabet + [letter + suffix for letter in alphabet if suffix]
    vocab += [a + b for a, b in merges]
    return {token: i for i, token in enumerate(dict.fromkeys(vocab))}, merges


def clip_tokenizer(pad):
    vocab, merges = bytes_bpe(24, "</w>")
    for token in ("<|startoftext|>", "<|endoftext|>"):
        vocab[token] = len(vocab)
    return transformers.CLIPTokenizer(
        vocab=vocab, merges=merges, pad_token=pad, model_max_length=77
    )


def t5_tokenizer():
    trained = Tokenizer(models.Unigram())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=90,
        special_tokens=["<pad>", "</s>", "<unk>"],
        unk_token="<unk>",
        show_progress=False,
    )
    trained.train_from_iterator(CORPUS, trainer)
    vocab = [tuple(piece) for piece in json.loads(trained.to_str())["model"]["vocab"]]
    return transformers.T5Tokenizer(vocab=vocab, extra_ids=2, model_max_length=512)


def clip(tokenizer, projection, width, eos, activation):
    config = transformers.CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=77,
        projection_dim=width,
        hidden_act=activation,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=eos,
        pad_token_id=tokenizer.pad_token_id,
    )
    kind = transformers.CLIPTextModelWithProjection if projection else transformers.CLIPTextModel
    return kind(config)


def t5(tokenizer, width):
    return transformers.T5EncoderModel(
        transformers.T5Config(
            vocab_size=len(tokenizer),
            d_model=width,
            d_kv=8,
            d_ff=36,
            num_layers=2,
            num_heads=3,
            feed_forward_proj="gated-gelu",
            tie_word_embeddings=False,
            is_encoder_decoder=False,
        )
    )


def vae(scaling, shift):
    return diffusers.AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        block_out_channels=[4, 8],
        layers_per_block=1,
        latent_channels=16,
        norm_num_groups=2,
        scaling_factor=scaling,
        shift_factor=shift,
        use_quant_conv=False,
        use_post_quant_conv=False,
        force_upcast=False,
    )


def shake(model):
    """Moves every weight that is constant at the start, so that none can be left out unseen."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.numel() > 1 and parameter.std() == 0:
                parameter.add_(0.2 * torch.randn_like(parameter))
            elif parameter.dim() == 1:
                parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def save(pipeline, name):
    """Saves in bf16, and gives back the pipeline of the stored weights in f32, with its directory."""
    directory = GOLDEN / name
    shutil.rmtree(directory, ignore_errors=True)
    for component in pipeline.components.values():
        if isinstance(component, torch.nn.Module):
            shake(component).to(torch.bfloat16).eval()
    pipeline.save_pretrained(directory)
    loaded = type(pipeline).from_pretrained(directory, torch_dtype=torch.float32)
    loaded.set_progress_bar_config(disable=True)
    return loaded, directory


def write(directory, tensors, **settings):
    """The reference tensors, and what they were made with. Drawing needs no encoder of pictures."""
    weights = directory / "vae/diffusion_pytorch_model.safetensors"
    kept = {n: t for n, t in load_file(weights).items() if not n.startswith("encoder.")}
    save_file(kept, weights, metadata={"format": "pt"})
    plain = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
    settings = dict(width=WIDTH, height=HEIGHT, steps=STEPS, prompt=PROMPT, **settings)
    (directory / "settings.json").write_text(json.dumps(settings, indent=1) + "\n")
    save_file(plain, directory / "reference.safetensors")
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            text = path.suffix in {".json", ".txt", ".jinja"}
            if text and not path.read_text().endswith("\n"):
                path.write_text(path.read_text() + "\n")
    size = sum(p.stat().st_size for p in directory.rglob("*") if p.is_file())
    print(f"{directory.name}: {size:,} bytes")


def trajectory(scheduler, latents, **timesteps):
    """Times, and states under a made-up velocity, of a scheduler without a model."""
    scheduler.set_timesteps(**timesteps)
    states = []
    for t in scheduler.timesteps:
        velocity = torch.sin(3 * latents) - latents * t / 1000
        latents = scheduler.step(velocity, t, latents).prev_sample
        states.append(latents)
    return scheduler.timesteps.clone(), torch.stack(states)
