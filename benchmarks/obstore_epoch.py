"""One epoch by obstore, as `cache_epoch` prints it: `python -m benchmarks.obstore_epoch STORE SPAN URL --share I/N`.

It keeps nothing, and takes ranges of one file together: of each batch, the ranges of each shard are one call, all
shards at once. Ranges are not made one piece: that is no faster from this server, and sends twelve times as much.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from airflow_mlplat.contract import Ref
from airflow_mlplat.data.window import WindowedOrder
from airflow_mlplat.store import Samples, layout, open_store
from airflow_mlplat.store.checksum import crc32c
from airflow_mlplat.store.index import read_npy

BATCH, WINDOW = 64, 4
"""As in `cache_epoch`."""


def main() -> None:
    """Read the epoch's share, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store")
    parser.add_argument("span")
    parser.add_argument("url")
    parser.add_argument("--share", type=lambda text: tuple(map(int, text.split("/"))), default=(0, 1))
    options = parser.parse_args()
    store, ref = open_store(options.store), Ref("span", "media", options.span)
    samples, shards = Samples(store, ref), store.manifest(ref)["shards"]
    index = [read_npy(store.verified(path, shard["index_sha256"]), path) for shard in shards for path in [_path(shard)]]
    order = WindowedOrder(samples.shard_ends, WINDOW, 0, 0, ref.digest).rows(np.arange(len(samples)))
    first, step = options.share
    batches = [order[at : at + BATCH] for at in range(first * BATCH, len(order), step * BATCH)]
    started = time.perf_counter()
    wrong = sum(_wrong(batches, samples, shards, index, options.url))
    done = {"read": sum(map(len, batches)), "wrong": wrong, "seconds": time.perf_counter() - started}
    print(json.dumps(done), flush=True)


def _path(shard: dict[str, Any]) -> str:
    return layout.index_path(shard["index_sha256"])


def _wrong(
    batches: list[np.ndarray], samples: Samples, shards: list[dict[str, Any]], index: list[np.ndarray], url: str
) -> Iterator[int]:
    """How many samples of each batch have another CRC-32C."""
    import obstore
    from obstore.store import HTTPStore

    remote = HTTPStore.from_url(url, client_options={"allow_http": True})

    def read(shard: int, rows: np.ndarray) -> int:
        found = index[shard][rows]
        path = layout.shard_path(shards[shard]["sha256"])
        starts, sizes = found["offset"].tolist(), found["size"].tolist()
        media = obstore.get_ranges(remote, path, starts=starts, lengths=sizes, coalesce=0)
        return sum(crc32c(bytes(one)) != crc for one, crc in zip(media, found["crc32c"].tolist()))

    with ThreadPoolExecutor(WINDOW) as pool:
        for rows in batches:
            numbers = np.searchsorted(samples.shard_ends, rows, "right")
            starts = np.concatenate([[0], samples.shard_ends])
            parts = [(number, rows[numbers == number] - starts[number]) for number in np.unique(numbers).tolist()]
            yield sum(pool.map(read, *zip(*parts)))


if __name__ == "__main__":
    main()
