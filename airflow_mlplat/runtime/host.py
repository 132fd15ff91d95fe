"""Where jobs of one host share things, if their launcher tells them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from airflow_mlplat.contract import CACHE, CACHE_BYTES
from airflow_mlplat.data.cache import CachedReader, HostCache
from airflow_mlplat.errors import ConfigError
from airflow_mlplat.store import Store


def host_cache(environment: Mapping[str, str]) -> HostCache | None:
    """The host's cache; None where a job was told of none.

    Args:
        environment: The job's; `CACHE` and `CACHE_BYTES` of the contract are looked at.

    Raises:
        ConfigError: There is a folder, but no size.
    """
    folder = environment.get(CACHE)
    if not folder:
        return None
    size = environment.get(CACHE_BYTES, "")
    if not size.isdecimal() or not int(size):
        raise ConfigError(
            f"{CACHE_BYTES} is not a size",
            expected=f"bytes > 0, beside {CACHE}",
            got=repr(size),
            fix="set both, or none",
        )
    return HostCache(Path(folder), int(size))


@contextmanager
def shard_reader(store: Store, host: HostCache | None) -> Iterator[CachedReader | None]:
    """Reads a distant store's shards through the cache. None for a local store, or where there is no cache."""
    reader = None if host is None else host.reader(store)
    if reader is None:
        yield None
        return
    with reader:
        yield reader
