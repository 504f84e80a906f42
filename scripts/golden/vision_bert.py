"""Writes crates/albumen-vision/tests/golden/tiny_bert/: a random BERT of another shape than MiniLM's, as
sentence-transformers lays one out, with expected embeddings under both kinds of pooling.

The reference is transformers' BertModel. Seed 6. Made with transformers 5.24.0, torch 2.15.0.

Usage: python scripts/golden/vision_bert.py
"""

import json
import pathlib

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

WORDS = "[PAD] [UNK] [CLS] [SEP] a the dog cat runs sleeps on beach ##es red ball .".split()
SENTENCES = ["a dog runs .", "The cat sleeps on the red beaches", "unknown", "ball ball ball ball ball ball"]
MAX_TOKENS = 7

out = pathlib.Path("crates/albumen-vision/tests/golden/tiny_bert")
(out / "1_Pooling").mkdir(parents=True, exist_ok=True)
torch.manual_seed(6)
config = BertConfig(
    vocab_size=len(WORDS), hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=20,
    max_position_embeddings=16, layer_norm_eps=1e-7,
)
model = BertModel(config, add_pooling_layer=False).eval()
with torch.no_grad():
    for parameter in model.parameters():
        parameter.copy_(torch.randn_like(parameter) * 0.4)
model.save_pretrained(out, safe_serialization=True)

tokenizer = Tokenizer(models.WordPiece({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
tokenizer.post_processor = processors.TemplateProcessing(
    single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
)
tokenizer.save(str(out / "tokenizer.json"))
(out / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": MAX_TOKENS}) + "\n")
(out / "1_Pooling" / "config.json").write_text(
    json.dumps({"word_embedding_dimension": 12, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False})
    + "\n"
)

tokenizer.enable_truncation(MAX_TOKENS)
expected = {"sentences": SENTENCES, "first": [], "mean": []}
for sentence in SENTENCES:
    ids = torch.tensor([tokenizer.encode(sentence).ids])
    with torch.no_grad():
        states = model(ids).last_hidden_state[0]
    for name, row in [("first", states[0]), ("mean", states.mean(0))]:
        expected[name].append((row / row.norm()).tolist())
(out / "expected.json").write_text(json.dumps(expected) + "\n")
