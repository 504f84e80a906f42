"""Draw some albums of a release as one picture, a row an album.

Usage: python scripts/contact_sheet.py RELEASE OUT.jpg ALBUM_ID [ALBUM_ID ...]
Needs: pip install pillow
"""

import json
import pathlib
import sys

from PIL import Image

TILE = (256, 192)
GAP = 6


def main():
    release, out, wanted = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    rows = [json.loads(line) for line in (release / "metadata.jsonl").read_text().splitlines()]
    albums = [row for name in wanted for row in rows if row["id"] == name]
    paths = [
        [release / p for p in next(v for k, v in row.items() if k.endswith("file_names"))]
        for row in albums
    ]
    columns = max(len(row) for row in paths)
    size = (columns * (TILE[0] + GAP) - GAP, len(paths) * (TILE[1] + GAP) - GAP)
    sheet = Image.new("RGB", size, "white")
    for y, row in enumerate(paths):
        for x, path in enumerate(row):
            tile = Image.open(path).resize(TILE, Image.LANCZOS)
            sheet.paste(tile, (x * (TILE[0] + GAP), y * (TILE[1] + GAP)))
    sheet.save(out, quality=85)


if __name__ == "__main__":
    main()
