"""What the jobs of one host share, in one folder on a local disk: shards of distant stores, streams of batches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from airflow_mlplat.data.cache.folder import ShardCache
from airflow_mlplat.data.cache.reader import CachedReader
from airflow_mlplat.store import Store


@dataclass(frozen=True)
class HostCache:
    """A folder of this host.

    Args:
        folder: On a local disk; made absolute, since servers of shared streams run elsewhere.
        max_bytes: Bound of the shards in it.
    """

    folder: Path
    max_bytes: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder).absolute())

    @property
    def streams(self) -> Path:
        """Folder of the streams of batches."""
        return self.folder / "streams"

    def reader(self, store: Store) -> CachedReader | None:
        """Reads the shards of a distant store through the cache; None for a local store, which needs none."""
        if store.backend.local_path("shards") is not None:
            return None
        return CachedReader(store.backend, ShardCache(self.folder / "shards", self.max_bytes))
