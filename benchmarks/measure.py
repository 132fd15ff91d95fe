"""One measurement in a process of its own: `python -m benchmarks.measure NAME MODE FOLDER SECONDS CORES`.

Prints one JSON document: samples and seconds from the first batch on, and the seconds until then.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

RAW = ("raw", "checked")
"""Modes that give samples; the others give batches."""
EACH = 256
"""Raw samples between two looks at the clock."""


def main(name: str, mode: str, folder: str, seconds: str, cores: str) -> None:
    """Measure, and print what came out.

    Args:
        name: A key of `floors.FLOORS`, or of `peers.PEERS`.
        mode: A method of the peer: `raw` or `decoded`; ours and the floors have more.
        folder: Where the peer's `write` wrote.
        seconds: To count for, after the first batch.
        cores: Those that the process may use, `0` or `0,1`.
    """
    os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    from benchmarks import floors, peers

    peer = floors.FLOORS[name] if name in floors.FLOORS else peers.load(name)
    warm(Path(folder))
    started = time.perf_counter()
    print(json.dumps(count(parts(peer, mode, Path(folder)), float(seconds), started)), flush=True)
    os._exit(0)  # whatever threads and processes the peer has running; their end is not measured


def warm(folder: Path) -> None:
    """Read every file, so that the page cache has them."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb", buffering=0) as file:
                while file.read(16 << 20):
                    pass


def count(sizes: Iterator[int], seconds: float, started: float) -> dict[str, float]:
    """Samples per time.

    Args:
        sizes: Samples in each part that came, without end.
        seconds: To count for.
        started: When the first one was asked for.
    """
    next(sizes)
    first = now = time.perf_counter()
    samples = 0
    while now - first < seconds:
        samples += next(sizes)
        now = time.perf_counter()
    return {"samples": samples, "seconds": now - first, "first_batch_seconds": first - started}


def parts(peer: Any, mode: str, folder: Path) -> Iterator[int]:
    """Samples in each part of what the peer's method of that name gives."""
    given = getattr(peer, mode)(folder, True)
    while mode in RAW:
        yield sum(1 for media, _ in islice(given, EACH) if len(media))
    for images, _ in given:
        yield len(images)


if __name__ == "__main__":
    main(*sys.argv[1:])
