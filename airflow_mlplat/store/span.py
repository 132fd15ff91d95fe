"""Writing a span: samples in key order become shards of one pure cut rule; the manifest at the end is the commit."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from airflow_mlplat.contract import Ref, canonical_json
from airflow_mlplat.errors import SpecError, StoreError
from airflow_mlplat.store import layout, tar
from airflow_mlplat.store.checksum import crc32c
from airflow_mlplat.store.index import INDEX_DTYPE, NO_LABEL, keys_rows, npy_bytes
from airflow_mlplat.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

SHARD_BYTES = 128 << 20
"""Large enough for one request to pay off, small enough to cache and to spread over readers."""

QUARANTINE_FILE = "quarantine.jsonl"


@dataclass(frozen=True)
class Sample:
    """One sample of a span.

    Args:
        key: Names it, stable in the source; unique in the span; 1 to 1024 bytes of UTF-8.
        media: The image as stored in the source: JPEG, PNG, …; below 4 GiB.
        label: Index into the span's classes, None if missing.
        metadata: Whatever else the source knows, as plain JSON.
    """

    key: str
    media: bytes
    label: int | None = None
    metadata: dict[str, Any] | None = None


class SpanWriter:
    """Writes the span of one partition of a dataset, in constant memory. A context manager.

    The same samples in the same order give the same bytes and the same digest on any machine. Without `commit`
    nothing becomes visible, and what was written is garbage.

    Args:
        store: Where to.
        dataset: The dataset's name.
        partition: The partition's key, `2026-01-31`.
        classes: Names of the classes; a label is an index into them.
        shard_bytes: A shard ends before the sample that would make it larger, and has one sample at least.
    """

    def __init__(
        self, store: Store, dataset: str, partition: str, classes: list[str], shard_bytes: int = SHARD_BYTES
    ) -> None:
        if shard_bytes < 1:
            raise SpecError("shard_bytes must be positive", got=shard_bytes)
        if len(set(classes)) != len(classes):
            raise SpecError("classes must differ", got=classes)
        self._store, self._shard_bytes = store, shard_bytes
        self._dataset, self._partition, self._classes = dataset, partition, list(classes)
        self._shard: _ShardFile | None = None
        self._shards: list[dict[str, Any]] = []
        self._last: bytes = b""
        self._quarantine: BinaryIO | None = None
        self._quarantine_path: Path | None = None
        self._reasons: Counter[str] = Counter()
        self._closed = False

    def __enter__(self) -> SpanWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self._close()

    def add(self, sample: Sample) -> None:
        """Append a sample.

        Raises:
            SpecError: Its key is not greater than the one before, by bytes of UTF-8; its label names no class; it is
                too large; or the writer is closed.
        """
        self._check_open()
        key = tar.key_bytes(sample.key)
        if key <= self._last:
            raise SpecError(
                f"samples of span {self._dataset!r} {self._partition} are out of order",
                expected=f"a key after {self._last.decode()!r}, by bytes of UTF-8",
                got=repr(sample.key),
                fix="sort the samples by key, and remove repeated keys",
            )
        label = _checked_label(sample, self._classes)
        members = _members(sample)
        if self._shard is not None and self._shard.bytes + len(members) > self._shard_bytes:
            self._finish_shard()
        if self._shard is None:
            self._shard = _ShardFile(self._store.backend.scratch())
        self._shard.add(key, sample.media, label, members)
        self._last = key

    def quarantine(self, key: str, reason: str, detail: str = "") -> None:
        """Record a record of the source that is no sample.

        Args:
            key: Its key, as far as it is known; need not be unique.
            reason: Short and of few kinds, for counting: `unreadable`.
            detail: What exactly.
        """
        self._check_open()
        row = {"key": _sayable(key), "reason": _sayable(reason), "detail": _sayable(detail)}
        if self._quarantine is None:
            self._quarantine_path = self._store.backend.scratch()
            self._quarantine = _open(self._quarantine_path)
        self._quarantine.write(canonical_json(row) + b"\n")
        self._reasons[row["reason"]] += 1

    def commit(self) -> Ref:
        """Finish the span and make it visible.

        Raises:
            SpecError: The writer is closed.
        """
        self._check_open()
        if self._shard is not None:
            self._finish_shard()
        files = {}
        if self._quarantine is not None and self._quarantine_path is not None:
            self._quarantine.close()
            files[QUARANTINE_FILE] = self._store.put_blob(self._quarantine_path)
        ref = self._store.put_manifest(
            {
                "format": layout.FORMAT,
                "kind": "span",
                "name": self._dataset,
                "files": files,
                "parents": [],
                "partition": self._partition,
                "classes": self._classes,
                "samples": sum(shard["samples"] for shard in self._shards),
                "shards": self._shards,
                "quarantined": dict(self._reasons),
            }
        )
        self._close()
        return ref

    def _finish_shard(self) -> None:
        if self._shard is not None:
            shard, self._shard = self._shard, None
            self._shards.append(shard.put(self._store))

    def _check_open(self) -> None:
        if self._closed:
            raise SpecError(f"span writer of {self._dataset!r} {self._partition} is closed", fix="make a new one")

    def _close(self) -> None:
        self._closed = True
        if self._shard is not None:
            self._shard.discard()
        if self._quarantine is not None and self._quarantine_path is not None:
            self._quarantine.close()
            self._quarantine_path.unlink(missing_ok=True)


@dataclass
class _ShardFile:
    """The shard being written, and the rows of its sidecars."""

    path: Path
    bytes: int = 0
    rows: list[tuple[int, int, int, int]] = field(default_factory=list)
    keys: list[tuple[bytes, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.file = _open(self.path)
        self.sha256 = hashlib.sha256()

    def add(self, key: bytes, media: bytes, label: int, members: bytes) -> None:
        self.rows.append((self.bytes + tar.BLOCK, len(media), crc32c(media), label))
        self.keys.append((key, hashlib.sha256(media).digest()))
        self._write(members)

    def _write(self, content: bytes) -> None:
        try:
            self.file.write(content)
        except OSError as error:
            raise StoreError(f"shard {self.path} cannot be written", got=error.strerror) from error
        self.sha256.update(content)
        self.bytes += len(content)

    def put(self, store: Store) -> dict[str, Any]:
        """Into the store, sidecars too; its entry in the manifest."""
        try:
            self._write(tar.END)
            self.file.close()
            index = npy_bytes(np.array(self.rows, INDEX_DTYPE))
            keys = npy_bytes(keys_rows(self.keys))
            entry = {
                "sha256": self.sha256.hexdigest(),
                "bytes": self.bytes,
                "samples": len(self.rows),
                "index_sha256": hashlib.sha256(index).hexdigest(),
                "keys_sha256": hashlib.sha256(keys).hexdigest(),
            }
            store.backend.put_if_absent(layout.shard_path(entry["sha256"]), self.path)
            store.backend.put_if_absent(layout.index_path(entry["index_sha256"]), index)
            store.backend.put_if_absent(layout.keys_path(entry["keys_sha256"]), keys)
            return entry
        finally:
            self.discard()

    def discard(self) -> None:
        self.file.close()
        self.path.unlink(missing_ok=True)


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("wb")
    except OSError as error:
        raise StoreError(f"{path} cannot be written", got=error.strerror) from error


def _members(sample: Sample) -> bytes:
    """The sample's tar members: media, then metadata if there are any."""
    stem = tar.member_stem(sample.key)
    members = tar.member(f"{stem}.{tar.extension(sample.media)}", sample.media)
    return members if sample.metadata is None else members + tar.member(f"{stem}.json", canonical_json(sample.metadata))


def _checked_label(sample: Sample, classes: list[str]) -> int:
    if not isinstance(sample.media, bytes) or len(sample.media) >= 1 << 32:
        raise SpecError(f"media of sample {sample.key!r} cannot be stored", expected="bytes, fewer than 4 GiB")
    if sample.label is None:
        return NO_LABEL
    if isinstance(sample.label, bool) or not 0 <= sample.label < len(classes):
        raise SpecError(
            f"label of sample {sample.key!r} names no class",
            expected=f"0 … {len(classes) - 1} or None",
            got=sample.label,
        )
    return int(sample.label)


def _sayable(text: str) -> str:
    """A str that UTF-8 can say: the key of a broken record may hold lone surrogates."""
    return str(text).encode(errors="backslashreplace").decode()
