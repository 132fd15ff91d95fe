"""Reading samples by position, over all shards of a span or of a dataset's spans, less the dropped rows."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from airflow_mlplat.contract import Ref
from airflow_mlplat.errors import CorruptionError, NotFoundError, SpecError
from airflow_mlplat.store import layout, tar
from airflow_mlplat.store.checksum import crc32c
from airflow_mlplat.store.index import INDEX_DTYPE, NO_LABEL, read_npy
from airflow_mlplat.store.ranges import ShardRanges
from airflow_mlplat.store.store import Store

_MEND = "restore the shard from a copy, or delete it and bridge its partition again"


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
        self._kept: list[np.ndarray] = []  # of each shard, which rows: bool
        tables = [np.empty(0, INDEX_DTYPE)]
        for span, dropped in _PARTS[ref.kind](store, ref, manifest):
            self._add_span(span, dropped, tables)
        self._index = np.concatenate(tables)
        self._shard_of = np.repeat(np.arange(len(self._kept), dtype=np.int32), [kept.sum() for kept in self._kept])
        self.labels: np.ndarray = self._index["label"].astype(np.int64)
        self.labels.flags.writeable = False
        self._ranges = ShardRanges(store.backend)
        self._keys: np.ndarray | None = None
        if len(self) != manifest["samples"]:
            raise CorruptionError(f"{ref} has another number of samples", expected=manifest["samples"], got=len(self))

    def _add_span(self, span: dict[str, Any], dropped: np.ndarray, tables: list[np.ndarray]) -> None:
        start = 0
        for shard in span["shards"]:
            index = self._sidecar(layout.index_path(shard["index_sha256"]), shard["index_sha256"], shard["samples"])
            if index.dtype != INDEX_DTYPE:
                raise CorruptionError(f"index of shard {shard['sha256']}", expected=INDEX_DTYPE, got=index.dtype)
            kept = np.ones(len(index), bool)
            kept[dropped[(start <= dropped) & (dropped < start + len(index))] - start] = False
            rows = index[kept]
            rows["label"] = _translated(rows["label"], span["classes"], self.classes)
            self._shards.append(shard)
            self._kept.append(kept)
            tables.append(rows)
            start += len(index)
        if len(dropped) and not 0 <= dropped.min() <= dropped.max() < start:
            raise CorruptionError(f"{self.ref} drops rows that its span has not", expected=f"rows below {start}")

    def _sidecar(self, path: str, sha256: str, rows: int) -> np.ndarray:
        try:
            array = read_npy(self._store.verified(path, sha256), path)
        except NotFoundError as error:
            raise CorruptionError(f"{path} is missing from the store {self._store.url}") from error
        if array.shape != (rows,):
            raise CorruptionError(f"{path} has another number of rows", expected=(rows,), got=array.shape)
        return array

    def __len__(self) -> int:
        return len(self._index)

    def keys(self) -> np.ndarray:
        """All keys in UTF-8: (n,) of dtype S, read-only. Loaded at the first call."""
        if self._keys is None:
            parts = [np.empty(0, "S1")]
            for shard, kept in zip(self._shards, self._kept):
                sha256 = shard["keys_sha256"]
                parts.append(self._sidecar(layout.keys_path(sha256), sha256, shard["samples"])["key"][kept])
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
        shard = self._shards[self._shard_of[position]]["sha256"]
        media = self._ranges.read(shard, int(row["offset"]), int(row["size"]))
        if crc32c(media) != row["crc32c"]:
            raise CorruptionError(
                f"sample {self.key(position)!r} in {layout.shard_path(shard)} of {self._store.url} is damaged",
                expected=f"CRC-32C {row['crc32c']:08x} of {row['size']} bytes",
                got=f"{crc32c(media):08x} of {len(media)} bytes",
                fix=_MEND,
            )
        return media

    def metadata(self, position: int) -> dict[str, Any] | None:
        """What else the source knew of a sample, None if nothing. Covered by the shard's SHA-256, not by the CRC-32C.

        Raises:
            CorruptionError: It cannot be read.
        """
        row = self._index[self._checked(position)]
        shard, size = self._shards[self._shard_of[position]]["sha256"], int(row["size"])
        after = int(row["offset"]) + size + tar.padding(size)
        try:
            member = tar.parse_header(self._ranges.read(shard, after, tar.BLOCK))
            if member is None or not member[0].endswith(".json"):
                return None
            return json.loads(self._ranges.read(shard, after + tar.BLOCK, member[1]))
        except (ValueError, CorruptionError) as error:
            what = f"metadata of sample {self.key(position)!r} in {layout.shard_path(shard)} of {self._store.url}"
            raise CorruptionError(f"{what} are damaged", got=error, fix=_MEND) from error

    def _checked(self, position: int) -> int:
        if not 0 <= position < len(self):
            raise IndexError(f"position {position} of {len(self)} samples")
        return position


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
