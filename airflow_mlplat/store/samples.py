"""Reading samples by position, over all shards of a span or of a dataset's spans, less the dropped rows."""

from __future__ import annotations

import json
import mmap
import threading
from collections import OrderedDict
from typing import Any

import numpy as np

from airflow_mlplat.contract import Ref
from airflow_mlplat.errors import CorruptionError, NotFoundError, SpecError
from airflow_mlplat.store import layout, tar
from airflow_mlplat.store.checksum import crc32c
from airflow_mlplat.store.index import INDEX_DTYPE, NO_LABEL, read_npy
from airflow_mlplat.store.store import Store

OPEN_SHARDS = 128
"""Shards kept mapped: each holds a file descriptor, of which a process often has 1024."""


class Samples:
    """The samples of a committed span or dataset, by position 0 … n-1. Safe to share between threads.

    Args:
        store: Where they lie.
        ref: A span or a dataset.

    Raises:
        SpecError: A reference to something else.
        NotFoundError: It is not in the store.
        CorruptionError: A manifest or an index is damaged.
    """

    def __init__(self, store: Store, ref: Ref) -> None:
        if ref.kind not in _PARTS:
            raise SpecError("only spans and datasets have samples", expected="span | dataset", got=ref)
        self.ref = ref
        self._store = store
        manifest = store.manifest(ref)
        self.classes: list[str] = list(manifest["classes"])
        self._shards: list[dict[str, Any]] = []
        self._kept: list[np.ndarray] = []  # per shard, its kept rows
        tables = [np.empty(0, INDEX_DTYPE)]
        for span, dropped in _PARTS[ref.kind](store, ref, manifest):
            self._add_span(span, dropped, tables)
        self._index = np.concatenate(tables)
        self._starts = np.cumsum([0] + [len(kept) for kept in self._kept])
        self.labels: np.ndarray = self._index["label"].astype(np.int64)
        self.labels.flags.writeable = False
        self._mapped = _MappedShards(store)
        self._keys: np.ndarray | None = None
        if len(self) != manifest["samples"]:
            raise CorruptionError(f"{ref} has another number of samples", expected=manifest["samples"], got=len(self))

    def _add_span(self, span: dict[str, Any], dropped: np.ndarray, tables: list[np.ndarray]) -> None:
        start = 0
        for shard in span["shards"]:
            path = layout.index_path(shard["index_sha256"])
            index = read_npy(self._store.verified(path, shard["index_sha256"]), path)
            if index.dtype != INDEX_DTYPE or index.shape != (shard["samples"],):
                raise CorruptionError(f"{path} is no index of its shard", expected=shard["samples"], got=index.shape)
            kept = np.setdiff1d(np.arange(len(index)), dropped - start, assume_unique=True)
            rows = index[kept]
            rows["label"] = _translated(rows["label"], span["classes"], self.classes)
            self._shards.append(shard)
            self._kept.append(kept)
            tables.append(rows)
            start += len(index)
        if len(dropped) and not 0 <= dropped.min() <= dropped.max() < start:
            raise CorruptionError(f"{self.ref} drops rows that its span has not", expected=f"rows below {start}")

    def __len__(self) -> int:
        return len(self._index)

    def keys(self) -> np.ndarray:
        """All keys in UTF-8: (n,) of dtype S, read-only. Loaded at the first call."""
        if self._keys is None:
            parts = [np.empty(0, "S1")]
            for shard, kept in zip(self._shards, self._kept):
                path = layout.keys_path(shard["keys_sha256"])
                keys = read_npy(self._store.verified(path, shard["keys_sha256"]), path)["key"]
                if keys.shape != (shard["samples"],):
                    raise CorruptionError(
                        f"{path} is no keys file of its shard", expected=shard["samples"], got=keys.shape
                    )
                parts.append(keys[kept])
            keys = np.concatenate(parts)
            keys.flags.writeable = False
            self._keys = keys
        return self._keys

    def key(self, position: int) -> str:
        """The key of one sample."""
        return self.keys()[self._checked(position)].decode()

    def media(self, position: int) -> bytes:
        """The media bytes of one sample, checked.

        Raises:
            CorruptionError: They are not what was written; names the key and the shard.
        """
        row = self._index[self._checked(position)]
        shard = self._shard_of(position)
        media = self._mapped.read(shard, int(row["offset"]), int(row["size"]))
        if crc32c(media) != row["crc32c"]:
            raise CorruptionError(
                f"sample {self.key(position)!r} in {layout.shard_path(shard)} of the store {self._store.url} is damaged",
                expected=f"CRC-32C {row['crc32c']:08x} of {row['size']} bytes",
                got=f"{crc32c(media):08x} of {len(media)} bytes",
                fix="delete the shard and bridge its partition again",
            )
        return media

    def metadata(self, position: int) -> dict[str, Any] | None:
        """What else the source knew of a sample, None if nothing. Covered by the shard's SHA-256, not by the CRC-32C.

        Raises:
            CorruptionError: It cannot be read.
        """
        row = self._index[self._checked(position)]
        shard, size = self._shard_of(position), int(row["size"])
        after = int(row["offset"]) + size + tar.padding(size)
        member = tar.parse_header(self._mapped.read(shard, after, tar.BLOCK))
        if member is None or not member[0].endswith(".json"):
            return None
        try:
            return json.loads(self._mapped.read(shard, after + tar.BLOCK, member[1]))
        except ValueError as error:
            raise CorruptionError(
                f"metadata of sample {self.key(position)!r} in {layout.shard_path(shard)} are damaged", got=error
            ) from error

    def _checked(self, position: int) -> int:
        if not 0 <= position < len(self):
            raise IndexError(f"position {position} of {len(self)} samples")
        return position

    def _shard_of(self, position: int) -> str:
        return self._shards[int(np.searchsorted(self._starts, position, side="right")) - 1]["sha256"]


def _span_part(store: Store, ref: Ref, manifest: dict[str, Any]) -> Any:
    yield manifest, np.empty(0, np.int64)


def _dataset_parts(store: Store, ref: Ref, manifest: dict[str, Any]) -> Any:
    """(span manifest, dropped rows int64 ascending) of each span."""
    for parent, part in zip(manifest["parents"], manifest["spans"]):
        span = store.manifest(Ref.from_json(parent))
        if parent["digest"] != part["digest"]:
            raise CorruptionError(
                f"{ref}: its parents are not its spans", expected=part["digest"], got=parent["digest"]
            )
        drops = json.loads(store.blob(manifest["files"][part["drops"]])) if part["drops"] else []
        yield span, np.array([drop["row"] for drop in drops], np.int64)


_PARTS = {"span": _span_part, "dataset": _dataset_parts}


def _translated(labels: np.ndarray, source: list[str], target: list[str]) -> np.ndarray:
    """Labels of a span as labels of the dataset, by class name; of a class that the dataset has not: missing."""
    if source == target:
        return labels
    table = np.array([target.index(name) if name in target else NO_LABEL for name in source] + [NO_LABEL], np.int64)
    return table[labels]  # NO_LABEL is -1, the last entry


class _MappedShards:
    """Ranges of shards: of the latest used ones from memory maps, or else by range reads."""

    def __init__(self, store: Store) -> None:
        self._backend = store.backend
        self._lock = threading.Lock()
        self._maps: OrderedDict[str, Any] = OrderedDict()

    def read(self, shard: str, offset: int, size: int) -> bytes:
        path = layout.shard_path(shard)
        try:
            mapped = self._map(path)
            if mapped is None:
                return self._backend.read_range(path, offset, size)
            return mapped[offset : offset + size]
        except NotFoundError as error:
            raise CorruptionError(f"{path} is missing from the store {self._backend.url}") from error

    def _map(self, path: str) -> Any:
        with self._lock:
            if path in self._maps:
                self._maps.move_to_end(path)
                return self._maps[path]
            local = self._backend.local_path(path)
            if local is None or not self._backend.size(path):
                return None
            with local.open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._maps[path] = mapped
            if len(self._maps) > OPEN_SHARDS:
                self._maps.popitem(last=False)  # unmapped when its last reader lets go
            return mapped
