#!/usr/bin/env python3
"""Asks an OpenAI-compatible server what Albumen would ask it, and prints what came back.

    python scripts/check_endpoint.py http://127.0.0.1:8080/v1 [--model NAME] [--photo FILE] [--draw]

Summaries of three invented albums, one request each, twice over, so that it shows whether the server
answers the same again. With --photo FILE the caption of that photo (JPEG, sent as it is, metadata
included: take a public one); with --draw one small picture. Standard library only; nothing private is
needed. The key, if the server wants one, is read from the environment variable that --key-env names.
"""

import argparse
import base64
import json
import os
import pathlib
import time
import urllib.request

HEADING = "Each album is summed up in one short sentence.\n"
EXAMPLES = [
    ("a beach and a parasol; a sandcastle; a sailing boat",
     "A sunny day at the beach with sandcastles and sailing."),
    ("two kids blow out candles on a cake; a table full of presents and balloons",
     "A birthday party with cake, presents and balloons."),
    ("a cable car; a ski slope and a mountain; a skier", "A skiing holiday in the mountains."),
    ("a football; a stadium; a goalkeeper; a trophy",
     "A football match in a big stadium, and a trophy."),
]
ALBUMS = [
    "a castle on a cliff; a harbour; a fishing boat; a lighthouse",
    "two people and a dog by a lake; a tent; a campfire",
    "a lion; a zebra; an elephant",
]


def post(args, interface, body):
    if args.model:
        body["model"] = args.model
    headers = {"Content-Type": "application/json"}
    if args.key_env:
        headers["Authorization"] = "Bearer " + os.environ[args.key_env]
    request = urllib.request.Request(
        f"{args.url.rstrip('/')}/{interface}", json.dumps(body).encode(), headers)
    began = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer), time.monotonic() - began
    except OSError as error:
        words = error.read(2000).decode(errors="replace") if hasattr(error, "read") else ""
        raise SystemExit(f"{args.url} ({interface}): {error} {words}") from None


def turns(subjects):
    said = []
    for index, (photos, summary) in enumerate(EXAMPLES):
        head = HEADING + "\n" if index == 0 else ""
        said.append({"role": "user", "content": f"{head}Photos: {photos}\nAlbum:"})
        said.append({"role": "assistant", "content": summary})
    return said + [{"role": "user", "content": f"Photos: {subjects}\nAlbum:"}]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--model")
    parser.add_argument("--key-env")
    parser.add_argument("--photo", type=pathlib.Path)
    parser.add_argument("--draw", action="store_true")
    args = parser.parse_args()
    common = {"temperature": 0, "stream": False, "seed": 0}
    answers = []
    for _ in range(2):
        for subjects in ALBUMS:
            body = {"messages": turns(subjects), "max_tokens": 30, **common}
            answer, seconds = post(args, "chat/completions", body)
            text = " ".join(answer["choices"][0]["message"]["content"].split())
            answers.append(text)
            print(f"{seconds:6.2f} s  {subjects} -> {text}")
    same = answers[: len(ALBUMS)] == answers[len(ALBUMS):]
    print("the second round gave", "the same" if same else "OTHER ANSWERS")
    if args.photo:
        data = base64.b64encode(args.photo.read_bytes()).decode()
        content = [
            {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}},
            {"type": "text", "text": "Describe this photo in one short sentence."},
        ]
        body = {"messages": [{"role": "user", "content": content}], "max_tokens": 40, **common}
        answer, seconds = post(args, "chat/completions", body)
        print(f"{seconds:6.2f} s  {args.photo.name} -> {answer['choices'][0]['message']['content']}")
    if args.draw:
        body = {"prompt": "a castle on a cliff", "n": 1, "size": "512x384",
                "response_format": "b64_json", "seed": 7}
        answer, seconds = post(args, "images/generations", body)
        picture = base64.b64decode(answer["data"][0]["b64_json"], validate=True)
        print(f"{seconds:6.2f} s  a picture of {len(picture)} bytes, {picture[:4]!r}")


if __name__ == "__main__":
    main()
