"""Where jobs of one host share things, if their launcher tells them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from airflow_mlplat.data.cache import CachedReader, HostCache
from airflow_mlplat.store import Store

CACHE, CACHE_BYTES = "MLPLAT_CACHE", "MLPLAT_CACHE_BYTES"
"""Variables of the job's environment, as in `contract.ENVIRONMENT`."""


def host_cache(environment: Mapping[str, str]) -> HostCache | None:
    """The host's cache; None where a job was told of none."""
    folder = environment.get(CACHE)
    return None if folder is None else HostCache(Path(folder), int(environment[CACHE_BYTES]))


@contextmanager
def shard_reader(store: Store, host: HostCache | None) -> Iterator[CachedReader | None]:
    """Reads a distant store's shards through the cache. None for a local store, or where there is no cache."""
    reader = None if host is None else host.reader(store)
    if reader is None:
        yield None
        return
    with reader:
        yield reader
