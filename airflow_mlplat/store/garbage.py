"""Removing what no manifest names: what crashed or abandoned writes left behind."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mlplat.store import layout
from airflow_mlplat.store.backend import SCRATCH

if TYPE_CHECKING:
    from airflow_mlplat.store.store import Store


@dataclass(frozen=True)
class GarbageReport:
    """What was removed, or would have been.

    Args:
        files: How many files.
        bytes: Their size together.
    """

    files: int
    bytes: int


def collect_garbage(
    store: Store, grace_seconds: float = 86400, dry_run: bool = False, wanted: Collection[str] = ()
) -> GarbageReport:
    """Remove the shards, blobs and scratch files that no manifest names.

    Args:
        store: Which.
        grace_seconds: Younger files stay, for their manifest may be on its way.
        dry_run: Only count.
        wanted: SHA-256 of blobs that stay too: those that jobs were given.

    Raises:
        CorruptionError: A manifest is damaged, so that what it names cannot be told; nothing was removed.
    """
    before = time.time() - grace_seconds
    # First the files, then the manifests: one that is committed meanwhile is seen, one committed later has renewed
    # the age of its files, which `delete` looks at again.
    folders = (layout.SHARDS, layout.BLOBS, SCRATCH)
    old = [entry for folder in folders for entry in store.backend.list(folder) if entry.modified < before]
    named = _named(store).union(map(layout.blob_path, wanted)) if old else set()
    files = size = 0
    for entry in old:
        if entry.path not in named and (dry_run or store.backend.delete(entry.path, before)):
            files, size = files + 1, size + entry.bytes
    return GarbageReport(files, size)


def _named(store: Store) -> set[str]:
    named: set[str] = set()
    for entry in store.backend.list(layout.MANIFESTS):
        sha256 = entry.path.rsplit("/", 1)[-1][: -len(".json")]
        document = json.loads(store.verified(entry.path, sha256))
        layout.check_manifest(document)
        named.update(layout.named_files(document))
    return named
