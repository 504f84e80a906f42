"""Writes crates/albumen-captioner/tests/golden/NAME/ for each architecture of captioner:

  config.json, generation_config.json, model.safetensors (llava: two shards), tokenizer.json,
  preprocessor_config.json   a tiny random checkpoint, as transformers saves it
  reference.safetensors      what transformers computes from it for each photo: the processor's
                             pixels, the vision tower's output, the projected image tokens, the
                             logits after the prompt, the tokens of a greedy caption and the scores they were chosen by, in f32

Weights are normal(0, 0.25 / sqrt(fan_in) * 2), norms 1 + normal(0, 0.2), so that outputs differ
between photos; torch.manual_seed(number of the architecture). The photos are photo_*.png beside
them (scripts/golden/captioner_pixels.py).
Made with torch 2.15.0, transformers 5.24.0, tokenizers 0.23.3, Pillow 13.0.0.

Usage: python scripts/golden/captioner_checkpoints.py
"""

import pathlib
import shutil
import sys

import torch
import transformers as tf
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT = pathlib.Path(__file__).parents[2] / "crates/albumen-captioner/tests/golden"
PHOTOS = {p.stem.removeprefix("photo_"): Image.open(p).convert("RGB") for p in sorted(OUT.glob("photo_*.png"))}
CLIP = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
TEXT = [
    "a photo of two people and a dog by the lake",
    "a horse stands on the green grass near a wooden fence",
    "the band plays music in the street, a man with a guitar sings",
    "Describe this photo in one short sentence.", "USER: ASSISTANT: caption en user assistant",
]
NEW_TOKENS = 12


def word_piece():
    words = sorted({w for line in TEXT for w in line.lower().replace(",", "").replace(".", "").replace(":", "").split()})
    letters = [c for c in "abcdefghijklmnopqrstuvwxyz"]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]"] + letters + ["##" + c for c in letters]
    vocab = {t: i for i, t in enumerate(dict.fromkeys(tokens + words))}
    t = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]"])
    t.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"])])
    t.decoder = decoders.WordPiece(prefix="##")
    return t


def sentence_piece(special, bos):
    """As Llama's and Gemma's: spaces are U+2581, bytes where a character is unknown."""
    t = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.train_from_iterator(TEXT, trainers.BpeTrainer(
        vocab_size=150, show_progress=False, initial_alphabet=["\n"], special_tokens=special))
    t.decoder = decoders.Sequence([
        decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    if bos:
        t.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, t.token_to_id(bos))])
    return t


def byte_level(special):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.train_from_iterator(TEXT, trainers.BpeTrainer(
        vocab_size=150, show_progress=False, initial_alphabet=["Ċ", "Ġ"], special_tokens=[]))
    t.add_special_tokens(special)
    t.decoder = decoders.ByteLevel()
    return t


def randomise(model, seed):
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, p in sorted(dict(model.named_parameters()).items()):
            norm = "norm" in name.lower() or "layrnorm" in name
            if p.ndim == 1:
                base = 1.0 if norm and name.endswith("weight") else 0.0
                if "gemma" in type(model).__name__.lower() and "language_model" in name:
                    base = 0.0  # Gemma's norms multiply by 1 + weight
                p.copy_(base + 0.2 * torch.randn(p.shape))
            else:
                p.copy_(torch.randn(p.shape) * (1.6 / p[0].numel() ** 0.5))
    return model.eval()


def save(name, model, tokenizer, image_processor, reference, shard=None):
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model.save_pretrained(folder, **({"max_shard_size": shard} if shard else {}))
    tokenizer.save(str(folder / "tokenizer.json"))
    image_processor.save_pretrained(folder)
    save_file({k: v.clone().contiguous() for k, v in reference.items()}, folder / "reference.safetensors")
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(name, size, "bytes;", sorted(f.name for f in folder.iterdir()), file=sys.stderr)


def margin(scores):
    """The smallest lead of a greedy choice: a tie would make the test depend on rounding."""
    top = torch.stack([s[0].topk(2).values for s in scores])
    return (top[:, 0] - top[:, 1]).min().item()


def generate(model, **kwargs):
    out = model.generate(do_sample=False, max_new_tokens=NEW_TOKENS, return_dict_in_generate=True,
                         output_scores=True, **kwargs)
    print("   ", out.sequences[0, -NEW_TOKENS:].tolist(), f"margin {margin(out.scores):.4f}", file=sys.stderr)
    return out.sequences[0, -len(out.scores):].to(torch.int64), torch.cat(out.scores)


def blip():
    tokenizer = word_piece()
    vocab = tokenizer.get_vocab_size()
    config = tf.BlipConfig(
        text_config=dict(
            vocab_size=vocab, hidden_size=32, encoder_hidden_size=24, intermediate_size=48, num_hidden_layers=2,
            num_attention_heads=4, max_position_embeddings=40, bos_token_id=5, pad_token_id=0, sep_token_id=3,
            eos_token_id=2),
        vision_config=dict(
            hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3, image_size=32,
            patch_size=8))
    model = randomise(tf.BlipForConditionalGeneration(config), 10)
    model.text_decoder.cls.predictions.bias[:6] = -9.0  # words, not special tokens
    images = tf.models.blip.image_processing_pil_blip.BlipImageProcessorPil(size={"height": 32, "width": 32}, **CLIP)
    prompt = torch.tensor([tokenizer.encode("a photo of").ids])
    reference = {}
    for name, photo in PHOTOS.items():
        pixels = images(photo, return_tensors="pt")["pixel_values"]
        vision = model.vision_model(pixels)[0]
        ids = prompt.clone()
        ids[:, 0] = config.text_config.bos_token_id
        ids = ids[:, :-1]
        logits = model.text_decoder(ids, encoder_hidden_states=vision).logits
        reference |= {f"{name}.pixels": pixels[0], f"{name}.vision": vision[0], f"{name}.prompt": ids[0],
                      f"{name}.logits": logits[0, -1]}
        reference[f"{name}.caption"], reference[f"{name}.steps"] = generate(model, pixel_values=pixels, input_ids=prompt.clone())
        reference[f"{name}.bare"], _ = generate(model, pixel_values=pixels)
        reference[f"{name}.penalised"], _ = generate(
            model, pixel_values=pixels, input_ids=prompt.clone(), repetition_penalty=1.5)
    save("blip", model, tokenizer, images, reference)


def paligemma(name, text, seed):
    tokenizer = sentence_piece(["<pad>", "<eos>", "<bos>", "<unk>", "<image>"], None)
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    vocab = tokenizer.get_vocab_size()
    config = tf.PaliGemmaConfig(
        text_config=dict(
            hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4, head_dim=8,
            vocab_size=vocab, bos_token_id=2, eos_token_id=1, pad_token_id=0, **text),
        vision_config=dict(
            model_type="siglip_vision_model", hidden_size=24, intermediate_size=40, num_hidden_layers=2,
            num_attention_heads=3, image_size=32, patch_size=8, projection_dim=32, vision_use_head=False),
        image_token_index=4, projection_dim=32, hidden_size=32)
    model = randomise(tf.PaliGemmaForConditionalGeneration(config), seed)
    images = tf.models.siglip.image_processing_pil_siglip.SiglipImageProcessorPil(
        size={"height": 32, "width": 32}, image_seq_length=16, **HALF)
    # PaliGemmaProcessor: image tokens, <bos>, the prompt, a newline; no other special tokens.
    ids = torch.tensor([tokenizer.encode("<image>" * 16 + "<bos>caption en\n", add_special_tokens=False).ids])
    reference = {}
    for photo_name, photo in PHOTOS.items():
        pixels = images(photo, return_tensors="pt")["pixel_values"]
        vision = model.model.get_image_features(pixels)
        inputs = dict(input_ids=ids, pixel_values=pixels, attention_mask=torch.ones_like(ids),
                      token_type_ids=torch.zeros_like(ids))
        reference |= {f"{photo_name}.pixels": pixels[0], f"{photo_name}.vision": vision.last_hidden_state[0],
                      f"{photo_name}.projected": vision.pooler_output[0], f"{photo_name}.prompt": ids[0],
                      f"{photo_name}.logits": model(**inputs).logits[0, -1]}
        reference[f"{photo_name}.caption"], reference[f"{photo_name}.steps"] = generate(model, **inputs)
    save(name, model, tokenizer, images, reference)


def llava():
    tokenizer = sentence_piece(["<unk>", "<s>", "</s>", "<image>", "<pad>"], "<s>")
    vocab = tokenizer.get_vocab_size()
    config = tf.LlavaConfig(
        text_config=dict(
            model_type="llama", hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, vocab_size=vocab, max_position_embeddings=256, rms_norm_eps=1e-5,
            bos_token_id=1, eos_token_id=2, pad_token_id=4),
        vision_config=dict(
            model_type="clip_vision_model", hidden_size=24, intermediate_size=40, num_hidden_layers=3,
            num_attention_heads=3, image_size=28, patch_size=7, projection_dim=16),
        image_token_index=3, vision_feature_layer=-2, vision_feature_select_strategy="default")
    model = randomise(tf.LlavaForConditionalGeneration(config), 4)
    images = tf.models.clip.image_processing_pil_clip.CLIPImageProcessorPil(
        size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}, **CLIP)
    # LlavaProcessor: <image> stands once for each of the 4 x 4 patches.
    text = "USER: " + "<image>" * 16 + "\nDescribe this photo in one short sentence. ASSISTANT:"
    ids = torch.tensor([tokenizer.encode(text).ids])
    reference = {}
    for name, photo in PHOTOS.items():
        pixels = images(photo, return_tensors="pt")["pixel_values"]
        vision = model.model.get_image_features(pixels)
        tower = model.model.vision_tower(pixels, output_hidden_states=True).hidden_states[-2][:, 1:]
        inputs = dict(input_ids=ids, pixel_values=pixels, attention_mask=torch.ones_like(ids))
        reference |= {f"{name}.pixels": pixels[0], f"{name}.vision": tower[0],
                      f"{name}.projected": vision.pooler_output[0], f"{name}.prompt": ids[0],
                      f"{name}.logits": model(**inputs).logits[0, -1]}
        reference[f"{name}.caption"], reference[f"{name}.steps"] = generate(model, **inputs)
    save("llava", model, tokenizer, images, reference, shard="60KB")


def qwen3_vl():
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
               "<|image_pad|>", "<|video_pad|>"]
    tokenizer = byte_level(special)
    token = tokenizer.token_to_id
    config = tf.Qwen3VLConfig(
        text_config=dict(
            hidden_size=32, intermediate_size=40, num_hidden_layers=3, num_attention_heads=4,
            num_key_value_heads=2, head_dim=16, vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=512,
            rope_parameters={"rope_type": "default", "rope_theta": 1000.0, "mrope_section": [4, 2, 2],
                             "mrope_interleaved": True},
            eos_token_id=token("<|im_end|>"), bos_token_id=token("<|endoftext|>")),
        vision_config=dict(
            depth=3, hidden_size=16, intermediate_size=24, num_heads=2, patch_size=4, spatial_merge_size=2,
            temporal_patch_size=2, out_hidden_size=32, num_position_embeddings=36,
            deepstack_visual_indexes=[0, 2]),
        image_token_id=token("<|image_pad|>"), video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"), vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=True)
    model = randomise(tf.Qwen3VLForConditionalGeneration(config), 6)
    images = tf.models.qwen2_vl.image_processing_pil_qwen2_vl.Qwen2VLImageProcessorPil(
        size={"shortest_edge": 256, "longest_edge": 1100}, patch_size=4, temporal_patch_size=2, merge_size=2, **HALF)
    reference = {}
    for name, photo in PHOTOS.items():
        processed = images(photo, return_tensors="pt")
        grid = processed["image_grid_thw"]
        tokens = int(grid.prod()) // 4
        text = ("<|im_start|>user\n<|vision_start|>" + "<|image_pad|>" * tokens
                + "<|vision_end|>Describe this photo in one short sentence.<|im_end|>\n<|im_start|>assistant\n")
        ids = torch.tensor([tokenizer.encode(text).ids])
        vision = model.model.visual(processed["pixel_values"], grid_thw=grid)
        inputs = dict(input_ids=ids, pixel_values=processed["pixel_values"], image_grid_thw=grid,
                      attention_mask=torch.ones_like(ids),
                      mm_token_type_ids=(ids == config.image_token_id).int())
        reference |= {f"{name}.pixels": processed["pixel_values"], f"{name}.grid": grid[0],
                      f"{name}.vision": vision.last_hidden_state, f"{name}.projected": vision.pooler_output,
                      f"{name}.deepstack": torch.stack(vision.deepstack_features), f"{name}.prompt": ids[0],
                      f"{name}.logits": model(**inputs).logits[0, -1]}
        model.model.rope_deltas = None
        reference[f"{name}.caption"], reference[f"{name}.steps"] = generate(model, **inputs)
        model.model.rope_deltas = None
    save("qwen3_vl", model, tokenizer, images, reference)


with torch.no_grad():
    blip()
    paligemma("paligemma", dict(model_type="gemma", num_key_value_heads=1), 2)
    paligemma("paligemma2", dict(
        model_type="gemma2", num_key_value_heads=2, query_pre_attn_scalar=8, sliding_window=24,
        attn_logit_softcapping=50.0, final_logit_softcapping=30.0), 3)
    llava()
    qwen3_vl()
