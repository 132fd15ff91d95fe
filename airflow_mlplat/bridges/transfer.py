"""The bridge: copy one partition of a source into the store, whole or not at all.

1. Rows stream into the spool, on disk; keys, labels and paths are judged, duplicates found.
2. Every media file is looked at, not read. Rows and states give the fingerprint; where it is the previous one, the
   previous span stands and no media is read.
3. Media is read in key order into the span.
4. Rows and states are looked at again; where anything differs, nothing is committed.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mlplat.bridges.base import Bridged, Previous, Source
from airflow_mlplat.bridges.classes import class_names
from airflow_mlplat.bridges.media import Column
from airflow_mlplat.bridges.partition import parse_partition
from airflow_mlplat.bridges.readers import Reader, map_ahead, open_reader
from airflow_mlplat.bridges.reasons import EMPTY, BadRecord
from airflow_mlplat.bridges.scan import MediaScan, RowScan
from airflow_mlplat.bridges.spool import Spool, SpooledRow
from airflow_mlplat.bridges.tolerance import Tolerance
from airflow_mlplat.contract import Ref, digest
from airflow_mlplat.errors import NotFoundError, PlatformError, SourceChangedError

if TYPE_CHECKING:
    from airflow_mlplat.store import SpanWriter, Store

_RULES = 2
"""Raised by one when the same source would give another span: then no earlier span is reused."""
_LISTED = 20
"""So many bad records are in the log, one by one: of a partition that is refused there is nothing else to look at."""


@dataclass(frozen=True)
class _Task:
    source: Source
    client: Any
    store: Store
    dataset: str
    partition: str
    tolerance: Tolerance
    reader: Reader
    log: logging.Logger

    def __str__(self) -> str:
        return f"partition {self.partition} of {self.dataset}"


def bridge(
    source: Source,
    client: Any,
    store: Store,
    *,
    dataset: str,
    partition: str,
    previous: Previous | None = None,
    max_bad_fraction: float = 0.01,
    allow_empty: bool = False,
    filesystem: Callable[[str], Any] | None = None,
    log: logging.Logger | None = None,
) -> Bridged:
    """Copy a partition into the store as a span. Memory does not grow with it; disk holds its rows for a while.

    Args:
        source: Where the records live.
        client: The open connection to it: an engine for a `SqlSource`, None for sources of local files.
        store: Where the span goes.
        dataset: Name of the dataset.
        partition: A day, `2026-01-31`.
        previous: The partition's span as the catalog knows it; unchanged sources give it back unread.
        max_bad_fraction: Fail when more than this part of the records is bad, 0 to 1.
        allow_empty: Commit an empty span where the source has no record, instead of failing.
        filesystem: From a URL's scheme to an fsspec file system that has the credentials; default: fsspec's own.
        log: Told of quarantined records and of what was done.

    Returns:
        The span; it is committed to the store, and for the caller to record.

    Raises:
        PartitionError: The partition does not parse.
        SourceError: The query, a column, or the media's root is wrong.
        DataError: Too many bad records, or no samples.
        SourceChangedError: The source changed meanwhile; nothing is committed.
        PlatformError: The source cannot be reached.
        StoreError: The store cannot be written.
    """
    tolerance = Tolerance(max_bad_fraction, allow_empty)
    partition = parse_partition(partition)
    reader = open_reader(source.media, filesystem)
    task = _Task(source, client, store, dataset, partition, tolerance, reader, log or logging.getLogger(__name__))
    try:
        with Spool() as spool:
            return _bridge(task, spool, previous)
    except sqlite3.Error as error:  # the source's own errors are SQLAlchemy's
        raise PlatformError(
            f"{task} cannot be spooled to disk", got=error, fix="make room in SQLITE_TMPDIR, TMPDIR or /var/tmp"
        ) from error


def _bridge(task: _Task, spool: Spool, previous: Previous | None) -> Bridged:
    started = time.monotonic()
    rows, media = _look(task, spool)
    states = {"rows": rows.fingerprint.text, "media": media.fingerprint.text}
    fingerprint = digest({"rules": _RULES, "source": task.source.describe(), **states})
    document = _unchanged(task, previous, fingerprint)
    reused = document is not None
    if previous is not None and document is not None:
        ref = previous.ref
        task.tolerance.check(str(task), document["samples"], document["quarantined"], {})
    else:
        ref = _write(task, spool, rows, media)
        document = task.store.manifest(ref)
    return Bridged(
        ref=ref,
        document=document,
        fingerprint=fingerprint,
        watermark=rows.watermark,
        samples=document["samples"],
        quarantined=document["quarantined"],
        reused=reused,
        restates=previous.ref if previous and previous.ref != ref else None,
        seconds=time.monotonic() - started,
    )


def _look(task: _Task, spool: Spool) -> tuple[RowScan, MediaScan]:
    """Rows into the spool, then the state of each row's media."""
    rows = RowScan(task.source, task.client, task.partition, task.reader)
    spool.fill(rows)
    media = MediaScan(task.reader, spool)
    spool.set_states(media)
    return rows, media


def _unchanged(task: _Task, previous: Previous | None, fingerprint: str) -> dict[str, Any] | None:
    """The previous span's manifest, when the span still stands for the source."""
    if previous is None or previous.fingerprint != fingerprint:
        return None
    try:
        document = task.store.manifest(previous.ref)
    except NotFoundError:
        document = None
    if document is None or not task.store.is_whole(document):
        task.log.warning("%s is no longer whole in the store: reading %s again", previous.ref, task)
        return None
    return document if (document["name"], document["partition"]) == (task.dataset, task.partition) else None


def _write(task: _Task, spool: Spool, rows: RowScan, media: MediaScan) -> Ref:
    """Read the media into a span and commit it, unless too much is bad or the source has changed."""
    from airflow_mlplat.store import SpanWriter

    counts = spool.counts()
    samples = counts.pop(None, 0)
    bad = {str(reason): count for reason, count in counts.items()}
    examples = spool.examples()
    for reason, count in bad.items():
        task.log.warning("%s: %d quarantined, %s, such as %s", task, count, reason, examples[reason])
    for key, reason, detail in spool.bad(_LISTED):
        task.log.warning("%s: %r is bad: %s %s", task, key, reason, detail)
    task.tolerance.check(str(task), samples, bad, examples)
    task.log.info("%s: reading the media of %d records", task, samples)
    with SpanWriter(task.store, task.dataset, task.partition, class_names(task.source.classes)) as writer:
        for row, fault in _add_all(task.reader, spool, writer):
            samples -= 1
            bad[fault.reason] = bad.get(fault.reason, 0) + 1
            examples.setdefault(fault.reason, f"{row.key.decode()!r} {fault.detail}")
            task.log.warning("%s: %s quarantined, %s %s", task, row.key.decode(), fault.reason, fault.detail)
        _check_unchanged(task, spool, rows, media)
        task.tolerance.check(str(task), samples, bad, examples)
        return writer.commit()


def _add_all(reader: Reader, spool: Spool, writer: SpanWriter) -> Iterator[tuple[SpooledRow, BadRecord]]:
    """Fill the span; yield the rows whose media, there a moment ago, cannot be read."""
    from airflow_mlplat.store import Sample

    def read(row: SpooledRow) -> tuple[SpooledRow, bytes | BadRecord]:
        if row.reason:
            return row, BadRecord(row.reason, row.detail)
        try:
            return row, reader.read(row.media) or BadRecord(EMPTY)
        except BadRecord as bad:
            return row, bad

    for row, found in map_ahead(read, spool.rows(), reader.workers):
        key = row.key.decode()
        if isinstance(found, bytes):
            writer.add(Sample(key, found, row.label, json.loads(row.metadata) or None))
            continue
        writer.quarantine(key, found.reason, found.detail)
        if not row.reason:
            yield row, found


def _check_unchanged(task: _Task, spool: Spool, rows: RowScan, media: MediaScan) -> None:
    again = RowScan(task.source, task.client, task.partition, task.reader)
    for _ in again:
        pass
    if again.fingerprint.text != rows.fingerprint.text:
        raise SourceChangedError(
            f"rows of {task} changed while they were read",
            expected=f"{_count(rows)} rows as before",
            got=f"{_count(again)} rows, not the same",
            fix="run again when the source is at rest",
        )
    if isinstance(task.source.media, Column):
        return  # it is in the rows
    seen = MediaScan(task.reader, spool)
    for _ in seen:
        pass
    if seen.fingerprint.text != media.fingerprint.text:
        raise SourceChangedError(
            f"media of {task} changed while it was read",
            expected="sizes and times as before",
            got="others",
            fix="run again when the source is at rest",
        )


def _count(scan: RowScan) -> str:
    return scan.fingerprint.text.partition("-")[0]
