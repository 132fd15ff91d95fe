"""What jobs of one host share, if their launcher tells them where: fetched shards, decoded batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_mlplat.data.cache import CachedReader
    from airflow_mlplat.store import Store

CACHE, CACHE_BYTES = "MLPLAT_CACHE", "MLPLAT_CACHE_BYTES"
"""Variables of the job's environment, as in `contract.ENVIRONMENT`."""
SHARDS, STREAMS = "shards", "streams"
"""Folders in the cache."""


@contextmanager
def shard_reader(store: Store, environment: Mapping[str, str]) -> Iterator[CachedReader | None]:
    """Reads a distant store's shards through the host's cache. None for a local store, or where there is no cache."""
    folder = environment.get(CACHE)
    if folder is None or store.backend.local_path(SHARDS) is not None:
        yield None
        return
    from airflow_mlplat.data.cache import CachedReader, ShardCache

    with CachedReader(store.backend, ShardCache(Path(folder) / SHARDS, int(environment[CACHE_BYTES]))) as reader:
        yield reader


def streams(environment: Mapping[str, str]) -> Path | None:
    """Where batches are shared; None where nothing is."""
    folder = environment.get(CACHE)
    return None if folder is None else Path(folder) / STREAMS
