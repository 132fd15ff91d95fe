"""Reading samples by row, over all shards of a span or of a dataset's spans, less the dropped rows.

Opening reads manifests alone. A shard's index is read and verified when a sample of the shard is first asked for, its
keys when a key is, the lists of dropped rows when a row is first looked for.
"""

from __future__ import annotations

import json
import operator
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from typing import Any, cast

import numpy as np

from airflow_mlplat.contract import Ref
from airflow_mlplat.errors import CorruptionError, SpecError
from airflow_mlplat.store import layout, tar
from airflow_mlplat.store.checksum import crc32c, implementation
from airflow_mlplat.store.damage import MEND
from airflow_mlplat.store.opened import Opened, most_open
from airflow_mlplat.store.parts import PARTS, Part, shard_rows
from airflow_mlplat.store.ranges import ShardRanges, ShardReader
from airflow_mlplat.store.rows import row_numbers
from airflow_mlplat.store.shard_index import ROW, ShardIndex, label_table, open_index
from airflow_mlplat.store.sidecars import Sidecar, Sidecars
from airflow_mlplat.store.store import Store

_unpack = ROW.unpack_from
_ROWS_A_SHARD = 8
"""With fewer rows than this for each shard, their labels are sooner found one by one than shard by shard."""


class Samples:
    """The samples of a committed span or dataset, by row 0 … n-1. Safe to share between threads.

    Args:
        store: Where they lie.
        ref: A span or a dataset.
        reader: Reads the shards; None reads them from the store.

    Raises:
        SpecError: A reference to something else, or no store.
        NotFoundError: It is not in the store.
        CorruptionError: A manifest is damaged, or does not add up.
    """

    def __init__(self, store: Store, ref: Ref, reader: ShardReader | None = None) -> None:
        if not isinstance(ref, Ref) or ref.kind not in PARTS:
            raise SpecError("only spans and datasets have samples", expected="span | dataset", got=ref)
        if not isinstance(store, Store):
            raise SpecError("samples are read from a store", expected="what open_store gave", got=repr(store))
        self.ref = ref
        self._store = store
        manifest = store.manifest(ref)
        self.classes: list[str] = list(manifest["classes"])
        parts = PARTS[ref.kind](store, ref, manifest)
        self.partitions: list[str] = [part.partition for part in parts]
        """Of each span, in order."""
        self.span_ends: np.ndarray = _fixed(np.cumsum([part.samples for part in parts], dtype=np.int64))
        """int64 (P,): how many samples there are up to the end of each span."""
        self._n = sum(part.samples for part in parts)
        if self._n != manifest["samples"]:
            raise CorruptionError(f"{ref} has another number of samples", expected=manifest["samples"], got=self._n)
        self._shards, most = _Shards(store, parts, self.classes), most_open()
        self._few_rows = _ROWS_A_SHARD * len(self._shards.listed)
        self._indexes: Opened[ShardIndex] = Opened(self._shards.index, most)
        self._opened = self._indexes.get
        self._keys: Opened[Sidecar] = Opened(self._shards.keys, most)
        self._reader = ShardRanges(store.backend, most) if reader is None else reader
        self._read, self._sum = self._reader.read, implementation()

    def __len__(self) -> int:
        return self._n

    @cached_property
    def shard_ends(self) -> np.ndarray:
        """int64 (S,), ascending: how many samples there are up to the end of each shard."""
        return _fixed(self._shards.rows[0])

    @cached_property
    def _ends(self) -> list[int]:
        return self._shards.ends

    @cached_property
    def labels(self) -> np.ndarray:
        """All labels: int64 (n,), -1 where missing, read-only. Read at the first use, 8 bytes a sample."""
        labels = np.empty(self._n, np.int64)
        for number, (first, last) in enumerate(zip([0, *self._ends], self._ends)):
            labels[first:last] = self._indexes[number].labels(np.arange(first, last))
        return _fixed(labels)

    rows_digest: None = None
    """They are all of the manifest's."""

    def manifest_rows(self, rows: np.ndarray) -> np.ndarray:
        """Rows as positions in the manifest: the same."""
        return rows

    def labels_at(self, rows: np.ndarray) -> np.ndarray:
        """The labels of some samples.

        Args:
            rows: int64 (m,), each in [0, n).

        Returns:
            int64 (m,), -1 where missing.

        Raises:
            SpecError, IndexError: As `media_of`.
        """
        rows = row_numbers(rows, self._n)
        if len(rows) <= self._few_rows:
            return np.array([self._index(row).label(row) for row in rows.tolist()], np.int64)
        labels = np.empty(len(rows), np.int64)
        for number, chosen in self._by_shard(rows):
            labels[chosen] = self._indexes[number].labels(rows[chosen])
        return labels

    def keys(self) -> np.ndarray:
        """All keys in UTF-8: (n,) of dtype S, read-only. Read at every call, as many bytes a sample as the longest."""
        keys = np.empty(self._n, "S1")
        for number, (first, last) in enumerate(zip([0, *self._ends], self._ends)):
            found, gaps = self._shards.keys(number).array()["key"], self._shards.rows[1].get(number)
            if found.dtype.itemsize > keys.dtype.itemsize:
                keys = keys.astype(found.dtype)
            keys[first:last] = found if gaps is None else np.delete(found, gaps + np.arange(len(gaps)))
        return _fixed(keys)

    def verify(self) -> None:
        """Read every index, every keys file and every list of dropped rows, one after the other.

        Raises:
            CorruptionError: One is missing, damaged, or not of so many samples.
        """
        shards = self._shards.anew()
        for number, (first, last) in enumerate(zip([0, *shards.ends], shards.ends)):
            shards.index(number).labels(np.arange(first, last))
            shards.keys(number)

    def key(self, row: int) -> str:
        """The key of one sample."""
        row = operator.index(row)  # numpy's integers of few bits would overflow
        place = self._index(row).place(row)
        keys = self._keys[bisect_right(self._ends, row)]
        keys.check()
        return keys.array()["key"][place].decode()

    def media(self, row: int, check: bool = True) -> bytes:
        """The media bytes of one sample.

        Args:
            row: In [0, n).
            check: False leaves out the comparison of the CRC-32C, to measure what it costs: what is damaged or cut off
                is then given as it is.

        Raises:
            CorruptionError: They are not what was written; names the key and the shard.
        """
        row = operator.index(row)
        index = self._opened(bisect_right(self._ends, row))
        if index is None or index.buffer is None or row < 0:
            index = self._index(row)
            offset, size, crc = index.entry(row)
        else:
            index.check()
            offset, size, crc, _ = _unpack(index.buffer, ROW.size * index.place(row))
        media = self._read(index.sha256, offset, size)
        return media if not check or self._sum(media) == crc else self._mended(row)

    def media_of(self, rows: np.ndarray, check: bool = True) -> Iterator[bytes]:
        """The media bytes of many samples, one after the other: `media` of each, but looked up together.

        Args:
            rows: int64 (m,), each in [0, n).
            check: As for `media`.

        Raises:
            SpecError: The rows are no whole numbers.
            IndexError: There is no such row.
        """
        rows = row_numbers(rows, self._n)
        if len(rows) <= self._few_rows:
            return (self.media(row, check) for row in rows.tolist())
        shards, chosen, found = [], [], []
        for number, places in self._by_shard(rows):
            shards.append(self._indexes[number].sha256)
            chosen.append(places)
            found.append(self._indexes[number].records(rows[places]))
        back = np.empty(len(rows), np.int64)
        back[np.concatenate(chosen)] = np.arange(len(rows))
        records = np.concatenate(found).take(back)
        which = np.repeat(np.arange(len(shards)), [len(places) for places in chosen]).take(back)
        offsets, sizes = records["offset"].astype(np.int64), records["size"].astype(np.int64)
        sums = records["crc32c"] if check else None
        medias = self._reader.read_each(shards, which, offsets, sizes, sums)
        return self._right(rows.tolist(), medias) if check else cast("Iterator[bytes]", medias)

    def _right(self, rows: list[int], medias: Iterator[bytes | None]) -> Iterator[bytes]:
        for row, media in zip(rows, medias):
            yield self._mended(row) if media is None else media

    def _by_shard(self, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """(shard's number, int64 places in `rows`) of each shard that some of the rows, at least one, lie in."""
        numbers = np.searchsorted(self.shard_ends, rows, "right")
        order = np.argsort(numbers, kind="stable")
        counts = np.bincount(numbers, minlength=len(self._ends))
        for number, chosen in enumerate(np.split(order, np.cumsum(counts[:-1]))):
            if len(chosen):
                yield number, chosen

    def will_read(self, shards: np.ndarray) -> None:
        """Tell the reader which shards, int64 (m,) of 0 … S-1, will be read next, in that order."""
        self._reader.hint([self._shards.listed[number][0]["sha256"] for number in shards.tolist()])

    def metadata(self, row: int) -> dict[str, Any] | None:
        """What else the source knew of a sample, None if nothing. Covered by the shard's SHA-256, not by the CRC-32C.

        Raises:
            CorruptionError: It cannot be read.
        """
        row = operator.index(row)
        index = self._index(row)
        offset, size, _ = index.entry(row)
        after = offset + size + tar.padding(size)
        try:
            header = self._read(index.sha256, after, tar.BLOCK)
            if len(header) < tar.BLOCK:  # after the last member there are blocks of zeros
                raise ValueError("the shard is cut off")
            member = tar.parse_header(header)
            if member is None or not member[0].endswith(".json"):
                return None
            return json.loads(self._read(index.sha256, after + tar.BLOCK, member[1]))
        except (ValueError, CorruptionError) as error:
            what = f"metadata of sample {self.key(row)!r} in {layout.shard_path(index.sha256)} of {self._store.url}"
            raise CorruptionError(f"{what} are damaged", got=error, fix=MEND) from error

    def _index(self, row: int) -> ShardIndex:
        """Of the shard that a row lies in."""
        if not 0 <= row < self._n:
            raise IndexError(f"row {row} of {self._n} samples")
        return self._indexes[bisect_right(self._ends, row)]

    def _mended(self, row: int) -> bytes:
        """A sample that was read with a wrong checksum, read again, since the reader's own copy may be at fault."""
        index = self._index(row)
        offset, size, crc = index.entry(row)
        self._reader.recheck(index.sha256)
        media = self._read(index.sha256, offset, size)
        if crc32c(media) == crc:
            return media
        raise CorruptionError(
            f"sample {self.key(row)!r} in {layout.shard_path(index.sha256)} of {self._store.url} is damaged",
            expected=f"CRC-32C {crc:08x} of {size} bytes",
            got=f"{crc32c(media):08x} of {len(media)} bytes",
            fix=MEND,
        )


class _Shards:
    """Opens what belongs to a shard, by its number. Knows nothing of `Samples`, which holds what is opened: if each
    referred to the other, maps and descriptors would stay until the garbage collector looks for cycles.

    Args:
        store: Where they lie.
        parts: Which shards there are.
        classes: What labels stand for.
    """

    def __init__(self, store: Store, parts: list[Part], classes: list[str]) -> None:
        self._store, self._parts, self._classes = store, parts, classes
        self._sidecars = Sidecars(store)
        self.listed = [(shard, part.classes) for part in parts for shard in part.shards]
        """(as in a span's manifest, the span's classes) of each."""

    def anew(self) -> _Shards:
        """The same, of which nothing is verified yet."""
        return _Shards(self._store, self._parts, self._classes)

    @cached_property
    def rows(self) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        """See `shard_rows`; the lists of dropped rows are read at the first use."""
        return shard_rows(self._store, self._parts)

    @cached_property
    def ends(self) -> list[int]:
        """How many samples there are up to the end of each."""
        return self.rows[0].tolist()

    def index(self, number: int) -> ShardIndex:
        """Where its samples lie.

        Raises:
            CorruptionError: It is missing or damaged.
        """
        shard, classes = self.listed[number]
        start = self.ends[number - 1] if number else 0
        gaps = self.rows[1].get(number)
        return open_index(self._sidecars, shard, start, gaps, label_table(classes, self._classes))

    def keys(self, number: int) -> Sidecar:
        """Keys and sums of its samples, those of dropped rows too: records of `keys_dtype`.

        Raises:
            CorruptionError: They are missing or damaged.
        """
        shard = self.listed[number][0]
        path = layout.keys_path(shard["keys_sha256"])
        return self._sidecars.open(path, shard["keys_sha256"], shard["samples"])


def _fixed(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array
