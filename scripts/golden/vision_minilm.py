"""Writes crates/albumen-vision/tests/golden/minilm.json.

The reference for `Embedder`: all-MiniLM-L6-v2 through transformers' BertModel, mean pooling under
the attention mask and L2 normalisation, which is what sentence-transformers does with this model.
All sentences go through one padded batch. Nothing is random, so there is no seed.
Made with transformers 5.23.0, torch 2.15.0.

Usage: python scripts/golden/vision_minilm.py [MODEL_DIR]
MODEL_DIR holds model.safetensors and tokenizer.json (default: $ALBUMEN_HOME/assets/all-minilm-l6-v2).
"""

import json
import os
import pathlib
import sys

import torch
import transformers
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

SENTENCES = [
    "",
    "dog",
    "A dog runs along the beach at dusk.",
    "A puppy plays by the sea in the evening.",
    "The church tower rises above the old town.",
    "Two people and a child ride bicycles past a lake.",
    "Quarterly revenue grew by 4.5% in 2019, the board said.",
    "Ein Café in Zürich, über den Dächern.",
    "photo photo photo, 123-456; e-mail@example.org!",
    "\u732b\u304c\u3044\u308b \U0001f431",
    "An album of eight photos from a family trip to the mountains, with snow, a lake, "
    "a wooden cabin, two brown cows, and a long walk back home through the dark forest.",
    "word " * 400,
]
MAX_TOKENS = 256

home = os.environ.get("ALBUMEN_HOME") or os.path.expanduser("~/.cache/albumen")
model_dir = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else f"{home}/assets/all-minilm-l6-v2")

config = BertConfig(
    vocab_size=30522, hidden_size=384, num_hidden_layers=6, num_attention_heads=12,
    intermediate_size=1536, layer_norm_eps=1e-12,
)
model = BertModel(config).eval()
state = load_file(model_dir / "model.safetensors")
state.pop("embeddings.position_ids", None)
model.load_state_dict(state, strict=True)

tokenizer = Tokenizer.from_file(str(model_dir / "tokenizer.json"))
tokenizer.enable_truncation(MAX_TOKENS)
tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
encoded = tokenizer.encode_batch(SENTENCES)
ids = torch.tensor([e.ids for e in encoded])
mask = torch.tensor([e.attention_mask for e in encoded])
with torch.no_grad():
    states = model(ids, attention_mask=mask).last_hidden_state
pooled = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
rows = torch.nn.functional.normalize(pooled, dim=1)

out = pathlib.Path(__file__).parents[2] / "crates/albumen-vision/tests/golden/minilm.json"
golden = {
    "made_with": f"transformers {transformers.__version__}, torch {torch.__version__}",
    "sentences": SENTENCES,
    "token_counts": mask.sum(1).tolist(),
    "embeddings": [[round(x, 6) for x in row] for row in rows.tolist()],
}
out.write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n")
