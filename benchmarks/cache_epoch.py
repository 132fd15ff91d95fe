"""One epoch over a span's samples through one kind of reader, in a process of its own: prints what it took, in JSON.

`python -m benchmarks.cache_epoch KIND STORE SPAN_DIGEST URL CACHE` with KIND one of READERS. Manifests and indexes come
from the local STORE, shards from URL, so that readers of shards alone are compared. Every sample is compared with its
CRC-32C. With --share I/N only every N-th batch is read, from the I-th.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from airflow_mlplat.contract import Ref
from airflow_mlplat.data.cache import CachedReader, ShardCache
from airflow_mlplat.data.window import WindowedOrder
from airflow_mlplat.errors import CorruptionError
from airflow_mlplat.store import Samples, layout, open_store
from airflow_mlplat.store.backend import open_backend
from airflow_mlplat.store.ranges import ShardRanges

BATCH = 64


def ours(options: argparse.Namespace, shards: list[dict[str, Any]]) -> Any:
    """The cache of this package."""
    sizes = {shard["sha256"]: shard["bytes"] for shard in shards}
    return CachedReader(open_backend(options.url), ShardCache(options.cache, options.max_bytes), sizes)


class Files:
    """fsspec's whole-file caches: a shard is fetched when it is first opened, and stays open."""

    def __init__(self, kind: str, options: argparse.Namespace) -> None:
        import fsspec

        self._files = fsspec.filesystem(kind, target_protocol="http", cache_storage=str(options.cache))
        self._url, self._open = options.url, {}

    def read(self, shard: str, offset: int, size: int) -> bytes:
        file = self._open.get(shard)
        if file is None:
            file = self._open[shard] = self._files.open(f"{self._url}/{layout.shard_path(shard)}", "rb")
        file.seek(offset)
        return file.read(size)

    def recheck(self, shard: str) -> None:
        """They know no checksum: what they gave stays as it is."""


READERS: dict[str, Callable[..., Any]] = {
    "ours": ours,
    "filecache": lambda options, shards: Files("filecache", options),
    "simplecache": lambda options, shards: Files("simplecache", options),
    "blockcache": lambda options, shards: Files("blockcache", options),
    "local": lambda options, shards: ShardRanges(open_backend(options.store)),
}


def epoch(samples: Samples, reader: Any, shards: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """Read the epoch's samples; how many, how many wrong, and how long it took."""
    order = WindowedOrder(samples.shard_ends, options.window, options.seed, options.epoch, samples.ref.digest)
    index, count = options.share
    rows = order.rows(np.arange(len(samples)))
    rows = np.concatenate([rows[i : i + BATCH] for i in range(index * BATCH, len(rows), BATCH * count)]).tolist()
    samples.labels  # noqa: B018  # the indexes are read before the clock starts
    wrong, started = 0, time.perf_counter()
    if hasattr(reader, "hint"):
        reader.hint([shards[number] for number in order.shards.tolist()])
    for row in rows:
        try:
            samples.media(row)
        except CorruptionError:
            wrong += 1
    return {"read": len(rows), "wrong": wrong, "seconds": time.perf_counter() - started}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=sorted(READERS))
    parser.add_argument("store")
    parser.add_argument("span")
    parser.add_argument("url")
    parser.add_argument("cache", type=Path)
    parser.add_argument("--name", default="media")
    parser.add_argument("--max-bytes", type=int, default=1 << 40)
    parser.add_argument("--window", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epoch", type=int, default=0)
    parser.add_argument("--share", type=lambda text: tuple(map(int, text.split("/"))), default=(0, 1))
    options = parser.parse_args()
    store, ref = open_store(options.store), Ref("span", options.name, options.span)
    shards = store.manifest(ref)["shards"]
    reader = READERS[options.kind](options, shards)
    done = epoch(Samples(store, ref, reader), reader, [shard["sha256"] for shard in shards], options)
    if hasattr(reader, "close"):
        done["stats"] = reader.stats()
        reader.close()
    print(json.dumps(done), flush=True)


if __name__ == "__main__":
    main()
