"""Whether a peer gives what it was given: `python -m benchmarks.check NAME IMAGES FOLDER`.

Prints one JSON document: how many samples came, raw and decoded, and how many of the set's did not come just once; and
how many came of two epochs from those without end, as the measurements read.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.decoding import decode
from benchmarks.images import Images
from benchmarks.peer import Batches


def main(name: str, source: str, folder: str) -> None:
    """Read an epoch both ways, and print what came."""
    images, peer = Images(Path(source)), peers.load(name)
    media = [images.media(number) for number in range(len(images))]
    labels = images.labels.tolist()
    raw = [(_digest(item), int(label)) for item, label in peer.raw(Path(folder), False)]
    decoded, shapes = [], Counter()
    for pixels, found in peer.decoded(Path(folder), False):
        for image, label in zip(np.asarray(pixels), np.asarray(found)):
            decoded.append((_digest(image) if peer.exact else "", int(label)))
            shapes[f"{image.dtype} {tuple(sorted(image.shape))}"] += 1
    expected = [(_digest(decode(item)) if peer.exact else "", label) for item, label in zip(media, labels)]
    document = {
        "raw": len(raw),
        "raw_wrong": _wrong(raw, [(_digest(item), label) for item, label in zip(media, labels)]),
        "decoded": len(decoded),
        "decoded_wrong": _wrong(decoded, expected),
        "shapes": shapes,
        "raw_of_two_epochs": len(list(islice(peer.raw(Path(folder), True), 2 * len(images)))),
        "decoded_of_two_epochs": _first(peer.decoded(Path(folder), True), 2 * len(images)),
    }
    print(json.dumps(document), flush=True)
    os._exit(0)  # whatever threads and processes the peer has running


def _digest(content: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(content) if isinstance(content, np.ndarray) else content).hexdigest()


def _first(batches: Batches, samples: int) -> int:
    """Samples in the batches until there are so many."""
    found = 0
    for _, labels in batches:
        found += len(labels)
        if found >= samples:
            break
    return found


def _wrong(came: Iterable[tuple[str, int]], expected: Iterable[tuple[str, int]]) -> int:
    """Samples too many or too few, of any kind."""
    difference = Counter(came)
    difference.subtract(Counter(expected))
    return sum(abs(number) for number in difference.values())


if __name__ == "__main__":
    main(*sys.argv[1:])
