"""Spans of partitions: append-only commits, of which the newest counts and none is forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from airflow_mlplat.catalog import artifacts, lineage
from airflow_mlplat.catalog.jobs import RunInfo
from airflow_mlplat.catalog.session import insert_absent
from airflow_mlplat.catalog.tables import SOURCE, SPAN
from airflow_mlplat.contract import Ref, digest
from airflow_mlplat.errors import SpecError

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class SpanRow:
    """One commit of a span.

    Args:
        ref: The span.
        partition: Its partition, `2026-01-31`.
        watermark: How far the source was read, as plain JSON of the bridge's own.
        fingerprint: What tells cheaply whether the source changed since; None when it cannot be told.
        source: Description of the source: kind, query, and the like.
        committed_at: When, UTC.
        restates: Digest of the span that this one replaced; None for the partition's first.
    """

    ref: Ref
    partition: str
    watermark: Any
    fingerprint: str | None
    source: dict[str, Any]
    committed_at: datetime
    restates: str | None


@dataclass(frozen=True)
class SpanInput:
    """What a bridge commits; fields as in `SpanRow`, with the span's manifest and the task instance."""

    ref: Ref
    partition: str
    document: dict[str, Any]
    watermark: Any
    fingerprint: str | None
    source: dict[str, Any]
    run: RunInfo

    def __post_init__(self) -> None:
        if self.ref.kind != "span":
            raise SpecError("only a span can be committed to a partition", expected="a span", got=self.ref)
        if not self.partition:
            raise SpecError(
                f"{self.ref} has no partition", expected="a key such as 2026-01-31", got=repr(self.partition)
            )


def commit(connection: sa.Connection, span: SpanInput, now: datetime) -> SpanRow:
    """Make a span its partition's current one.

    The current one again changes nothing, unless its source was touched: then the new fingerprint is kept, so that the
    source is not read again. Another span restates the current one.
    """
    previous = current(connection, span.ref.name, span.partition)
    if previous is not None and _unchanged(previous, span):
        return previous
    # Clocks of two workers may differ: a restatement is never older than what it restates.
    committed_at = now if previous is None else max(now, previous.committed_at + _TICK)
    source = digest(span.source)
    same = previous is not None and previous.ref.digest == span.ref.digest
    restates = None if previous is None else previous.restates if same else previous.ref.digest
    insert_absent(connection, SOURCE, [{"digest": source, "document": span.source}])
    artifacts.add(connection, [(span.ref, span.document)], span.partition, committed_at)
    row = {
        "dataset": span.ref.name, "partition": span.partition, "digest": span.ref.digest, "watermark": span.watermark,
        "fingerprint": span.fingerprint, "source": source, "restates": restates, "run": span.run.to_json(),
        "committed_at": committed_at,
    }  # fmt: skip
    connection.execute(sa.insert(SPAN), row)
    child = lineage.node("span", span.ref.digest)
    lineage.add(
        connection,
        [
            (child, lineage.node("source", source), "source"),
            (child, lineage.node("partition", span.partition), "partition"),
        ],
    )
    return SpanRow(span.ref, span.partition, span.watermark, span.fingerprint, span.source, committed_at, restates)


def _unchanged(previous: SpanRow, span: SpanInput) -> bool:
    known = (previous.ref.digest, previous.fingerprint, previous.watermark, digest(previous.source))
    return known == (span.ref.digest, span.fingerprint, span.watermark, digest(span.source))


def current(connection: sa.Connection, dataset: str, partition: str) -> SpanRow | None:
    """The newest span of a partition."""
    rows = history(connection, dataset, partition, partition)
    return rows[-1] if rows else None


def window(
    connection: sa.Connection, dataset: str, first: str, last: str, committed_before: datetime | None
) -> list[SpanRow]:
    """The newest span of each partition from first to last, both included, in order, as of a moment."""
    newest = {row.partition: row for row in history(connection, dataset, first, last, committed_before)}
    return list(newest.values())


def history(
    connection: sa.Connection, dataset: str, first: str, last: str, committed_before: datetime | None = None
) -> list[SpanRow]:
    """Every commit of the partitions from first to last, by partition, then from old to new."""
    query = _select().where(SPAN.c.dataset == dataset, SPAN.c.partition >= first, SPAN.c.partition <= last)
    if committed_before is not None:
        query = query.where(SPAN.c.committed_at < committed_before)
    query = query.order_by(SPAN.c.partition, SPAN.c.committed_at, SPAN.c.id)
    return [_span_row(row) for row in connection.execute(query)]


def _select() -> sa.Select[Any]:
    return sa.select(SPAN, SOURCE.c.document).join(SOURCE, SOURCE.c.digest == SPAN.c.source)


def _span_row(row: Any) -> SpanRow:
    ref = Ref("span", row.dataset, row.digest)
    return SpanRow(ref, row.partition, row.watermark, row.fingerprint, row.document, row.committed_at, row.restates)
