"""A trainer that reads epochs without end from a distant store, and checks every batch. It ends by being killed.

    python soak_client.py '{"log": …, "store": URL, "ref": …, "cache": …, "max_bytes": …, "expected": …, "seed": …,
                            "shared": true}'

After each epoch it appends a line to `log`: batches given, wrong ones, its threads and its open files.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

from airflow_mlplat.contract import Ref
from airflow_mlplat.data import BatchIterator, IteratorOptions
from airflow_mlplat.data.cache import HostCache
from airflow_mlplat.data.shared import SharedIterator, StreamOptions
from airflow_mlplat.store import Samples, open_store

OPTIONS = {"batch_size": 32, "shape": (32, 32, 3), "window": 3, "augment": [{"name": "flip", "probability": 1.0}]}


def epoch(store_url: str, ref: Ref, host: HostCache, seed: int, shared: bool):
    """One epoch's batches, from an iterator, a reader and connections of its own."""
    store = open_store(store_url)
    options = IteratorOptions(seed=seed, **OPTIONS)
    with host.reader(store) as reader:
        samples = Samples(store, ref, reader)
        if shared:
            stream = StreamOptions(host.streams, store_url, cache=host, consumers=1, idle_seconds=1.0)
            with SharedIterator(samples, options, 1, stream) as batches:
                yield from batches
        else:
            with BatchIterator(samples, options) as batches:
                yield from batches
    store.backend.close()


def main(told: dict[str, Any]) -> None:
    """Read until killed."""
    sums, host = np.load(told["expected"]), HostCache(Path(told["cache"]), told["max_bytes"])
    ref, number = Ref.from_json(told["ref"]), 0
    while True:
        given = wrong = samples = 0
        seen: set[int] = set()
        for batch in epoch(told["store"], ref, host, told["seed"], told["shared"]):
            weights = np.arange(1, batch.images[0].size + 1, dtype=np.uint64)
            flipped = batch.images[:, :, ::-1].reshape(len(batch), -1)
            wrong += not np.array_equal((flipped * weights).sum(axis=1), sums[batch.rows])
            given, samples = given + 1, samples + len(batch)
            seen.update(batch.rows.tolist())
            del batch, flipped
        number += 1
        line = {
            "epoch": number, "batches": given, "samples": samples, "distinct": len(seen), "wrong": wrong,
            "pid": os.getpid(), "threads": threading.active_count(),
            "files": len(list(Path("/proc/self/fd").iterdir())),
        }  # fmt: skip
        with Path(told["log"]).open("a") as file:
            file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
