"""Golden file of albumen-lm: SmolLM2's tokenizer, chat prompt and greedy text, by transformers from the GGUF.

    python scripts/golden/lm_smollm2.py PATH/TO/SmolLM2-135M-Instruct.Q4_1.gguf

writes crates/albumen-lm/tests/golden/smollm2.json. No randomness. Weights dequantised to f32.
Written with torch 2.15.0, transformers 5.23.0, tokenizers 0.23.3, gguf 0.19.0.

With llama-cpp-python installed, its tokenizer must give the same ids (a second opinion); the script
stops where one differs.
"""

import hashlib
import json
import pathlib
import sys

import torch
import transformers
from tokenizers import pre_tokenizers

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/albumen-lm/tests/golden/smollm2.json"
NEW_TOKENS = 24

TEXTS = [
    "", " ", "  ", "   x", "\n", "\n\n", "\n \n", "\r\n", "\t", "\t\ttabs", "a", " a", "a ", "A man on a beach.",
    "Album of 5 photos: a day at the zoo.\n", "Photo 3 of 12:", "Photo 3 of 12: two dogs run in the snow",
    "0", "7", "42", "2025-10-20", "3.14159", "1,234,567", "v2.0b1", "a  7 b   12", "\n3", "٣٤٥", "१२३", "½ cup", "x² + y³", "Ⅷ",
    "It's we're they've I'm you'll he'd don't", "IT'S WE'RE", "‘curly’ “quotes”", "e\u0301 vs \u00e9", "naïve café",
    "Größe, Übermut, Straße", "ça va ? Où ça ?", "Привет, мир", "γειά σου κόσμε", "שלום עולם", "مرحبا بالعالم",
    "你好，世界", "こんにちは世界", "안녕하세요", "สวัสดีชาวโลก", "नमस्ते दुनिया", "🙂", "👩‍👩‍👧‍👦 family", "🇩🇪🏳️‍🌈", "a🙂b 🎂🎉",
    "zero\u200bwidth", "no\u00a0break", "bell\x07null\x00end", "C:\\path\\file.txt", "https://example.org/a?b=c&d=%20",
    "def f(x):\n    return x + 1\n", "<b>bold</b> & &amp;", "{'a': [1, 2.5, null]}", "!!!???...---___***", "$5.00 €10 £7 ¥100",
    "<|im_start|>user\nHi<|im_end|>\n", "<|endoftext|>", "text<|im_end|>more", "<|im_start", "<|im_end|> <|im_end|>",
    "trailing spaces   ", "   \n   mixed \n\n\n lines", "supercalifragilisticexpialidocious", "aaaaaaaaaaaaaaaaaaaa",
    "The quick brown fox jumps over the lazy dog. " * 3,
]
PLAIN = [
    "Album of 5 photos: a family spends a day at the beach.\nPhoto 1 of 5:",
    "The three largest cities of France are",
    "1, 2, 3, 4, 5,",
]
CHATS = [
    (None, "Write one sentence about a birthday party."),
    ("You write short summaries of photo albums.", "Photos: a dog on a lawn; a boy with a ball; a picnic blanket."),
]


def chat(tokenizer, system, user):
    turns = [{"role": "system", "content": system}] if system else []
    turns.append({"role": "user", "content": user})
    return tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)


def greedy(model, ids):
    """New tokens, stopping before end of text, and the least lead of the best logit over the second."""
    tokens, lead = list(ids), float("inf")
    with torch.no_grad():
        while len(tokens) < len(ids) + NEW_TOKENS:
            logits = model(torch.tensor([tokens])).logits[0, -1]
            best = logits.topk(2)
            lead = min(lead, (best.values[0] - best.values[1]).item())
            tokens.append(best.indices[0].item())
    return tokens[len(ids) :], lead


def check_llama_cpp(path, cases):
    try:
        import llama_cpp
    except ImportError:
        return "not installed"
    model = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    for case in cases:
        ids = model.tokenize(case["text"].encode(), add_bos=False, special=True)
        assert ids == case["ids"], (case, ids)
    return f"llama-cpp-python {llama_cpp.__version__} agrees"


def main(path):
    path = pathlib.Path(path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    # transformers ignores the GGUF's pre-tokeniser ("smollm") and cuts as GPT-2. SmolLM2's own
    # tokenizer.json, and llama.cpp, set every digit apart first.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False),
    ])
    model = transformers.AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
    cases = [{"text": t, "ids": tokenizer.encode(t, add_special_tokens=False)} for t in TEXTS]
    prompts = [{"text": t} for t in PLAIN]
    prompts += [{"system": s, "user": u, "text": chat(tokenizer, s, u)} for s, u in CHATS]
    for prompt in prompts:
        prompt["ids"] = tokenizer.encode(prompt["text"], add_special_tokens=False)
        prompt["new_ids"], prompt["least_lead"] = greedy(model, prompt["ids"])
        prompt["new_text"] = tokenizer.decode(prompt["new_ids"], skip_special_tokens=True)
    with torch.no_grad():
        logits = model(torch.tensor([prompts[0]["ids"]])).logits[0, -1]
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    golden = dict(
        gguf_sha256=sha256, transformers=transformers.__version__, torch=torch.__version__, tokens=cases, greedy=prompts,
        # Every 997th logit after the first prompt.
        logits=[round(v, 5) for v in logits[::997].tolist()],
    )
    OUT.write_text(json.dumps(golden, ensure_ascii=True, indent=1) + "\n")
    print(OUT.stat().st_size, "bytes;", len(cases), "texts; llama.cpp:", check_llama_cpp(path, cases))
    for prompt in prompts:
        print(repr(prompt["new_text"]), round(prompt["least_lead"], 4))


if __name__ == "__main__":
    main(*sys.argv[1:])
