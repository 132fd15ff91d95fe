"""Writing a span: samples in key order become shards of one pure cut rule; the manifest at the end is the commit."""

from __future__ import annotations

import operator
from collections import Counter
from dataclasses import dataclass
from typing import Any

from airflow_mlplat.contract import Ref, canonical_json, check_name
from airflow_mlplat.errors import SpecError
from airflow_mlplat.store import layout, tar
from airflow_mlplat.store.index import NO_LABEL
from airflow_mlplat.store.shard import ScratchFile, ShardWriter
from airflow_mlplat.store.store import Store

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
        if not isinstance(shard_bytes, int) or shard_bytes < 1:
            raise SpecError("shard_bytes must be a whole number", expected="1 or more", got=repr(shard_bytes))
        check_name(dataset)
        if not isinstance(classes, (list, tuple)) or not all(isinstance(text, str) and text for text in classes):
            raise SpecError("classes are no list of names", expected='such as ["cat", "dog"]', got=repr(classes))
        if not isinstance(partition, str) or not partition:
            raise SpecError("a span is of a partition", expected="its key, such as 2026-01-31", got=repr(partition))
        if len(set(classes)) != len(classes):
            raise SpecError(f"classes of {dataset!r} repeat", expected="different names", got=classes)
        self._store, self._shard_bytes = store, shard_bytes
        self._dataset, self._partition, self._classes = dataset, partition, list(classes)
        self._shard: ShardWriter | None = None
        self._shards: list[dict[str, Any]] = []
        self._last = b""
        self._quarantine: ScratchFile | None = None
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
        if self._shard is not None and self._shard.size + len(members) > self._shard_bytes:
            self._finish_shard()
        if self._shard is None:
            self._shard = ShardWriter(self._store)
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
            self._quarantine = ScratchFile(self._store)
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
        if self._quarantine is not None:
            files[QUARANTINE_FILE] = self._store.put_blob(self._quarantine.finish())
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
            self._shards.append(shard.put())

    def _check_open(self) -> None:
        if self._closed:
            raise SpecError(f"span writer of {self._dataset!r} {self._partition} is closed", fix="make a new one")

    def _close(self) -> None:
        self._closed = True
        for part in (self._shard, self._quarantine):
            if part is not None:
                part.discard()


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
    try:
        label = -1 if isinstance(sample.label, bool) else operator.index(sample.label)
    except TypeError:
        label = -1
    if not 0 <= label < len(classes):
        expected = f"0 … {len(classes) - 1} or None"
        raise SpecError(f"label of sample {sample.key!r} names no class", expected=expected, got=repr(sample.label))
    return label


def _sayable(text: str) -> str:
    """A str that UTF-8 can say: the key of a broken record may hold lone surrogates."""
    return str(text).encode(errors="backslashreplace").decode()
