"""What stock WebDataset writes and reads, run by the Python of `.venvs/bench`: knows nothing of this package.

webdataset_peer.py write FOLDER IMAGES.npz   shards of both of its writers, plain and packed
webdataset_peer.py read TAR...               a line of JSON a sample: key, and SHA-256 or JSON of its members
"""

from __future__ import annotations

import hashlib
import json
import random
import sys

import numpy as np
import webdataset as wds


def write(folder: str, path: str) -> None:
    """Images in disorder: encoded by WebDataset itself, as PNG or JPEG; one in nine without a label."""
    with np.load(path) as file:
        images, labels = file["images"] * 15, file["labels"]

    def sample(row: int) -> dict:
        found = {"__key__": f"digits/{row % 7}/{row:05}", ("jpg", "png")[row % 2]: images[row]}
        if row % 9:
            found["cls"] = int(labels[row])
        if row % 3:
            found["json"] = {"row": row, "of": "digits", "mean": float(images[row].mean()), "texte": "été"}
        return found

    rows = list(range(len(images)))
    random.Random(7).shuffle(rows)
    third = len(rows) // 3
    kinds = (
        (wds.ShardWriter(f"{folder}/plain-%03d.tar", maxcount=150, verbose=0), rows[:third]),
        (wds.ShardWriter(f"{folder}/packed-%03d.tar.gz", maxcount=200, verbose=0), rows[third : 2 * third]),
        (wds.TarWriter(f"{folder}/single.tar", compress="xz"), rows[2 * third :]),
    )
    for writer, part in kinds:
        with writer:
            for row in part:
                writer.write(sample(row))


def read(urls: list[str]) -> None:
    """In the order of the tar files."""
    for sample in wds.WebDataset(urls, shardshuffle=False):
        members = {name: value for name, value in sample.items() if not name.startswith("__")}
        found = {
            name: json.loads(value) if name == "json" else value.decode() if name == "cls" else digest(value)
            for name, value in members.items()
        }
        print(json.dumps({"key": sample["__key__"], **found}))


def digest(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    write(*sys.argv[2:]) if sys.argv[1] == "write" else read(sys.argv[2:])
