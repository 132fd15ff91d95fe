"""Records from any database that SQLAlchemy speaks to: one query, its partition bound, never pasted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mlplat.bridges.base import Record
from airflow_mlplat.bridges.classes import checked_classes
from airflow_mlplat.bridges.media import Column, File, check_name
from airflow_mlplat.bridges.partition import bounds
from airflow_mlplat.bridges.sql_errors import sql_errors
from airflow_mlplat.errors import SourceError, SpecError

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult, Engine

BOUND_NAMES = ("partition", "partition_start", "partition_end")

# As sqlalchemy.sql.elements.TextClause reads a text; `:partition::date` is no bound parameter there either.
_PARAMETER = re.compile(r"(?<![:\w\\]):(\w+)(?![:\w])")


@dataclass(frozen=True)
class SqlSource:
    """A partition is what a query returns when it is bound to the partition's day.

    Args:
        conn_id: Airflow connection id of the database.
        query: One SELECT. It names at least one of `:partition`, `:partition_start` (both the day, `2026-01-31`) and
            `:partition_end` (the day after); they are bound as text, which databases compare with their dates.
            For a cast write `CAST(:partition AS date)`; for a plain colon before a word, `\\:`.
        key: Column that names the sample: text, whole number, UUID or date, unique within the partition.
        media: `File(column, root)`, or `Column(column)` with the bytes.
        label: Column with the label; NULL is a missing label.
        classes: Label values in class order, text or whole numbers: `("shirt", "coat")`, or `range(10)` where labels
            are numbers already. 3 and "3" are the same value. Needed with `label`.
        metadata: Columns to keep with each sample.
        watermark: Column that says how far the source had come, such as `updated_at`.
        chunk_rows: Rows in memory at a time; default: 1000, or 16 when they hold the media.
    """

    conn_id: str
    query: str
    key: str
    media: File | Column
    label: str | None = None
    classes: tuple[str | int, ...] | None = None
    metadata: tuple[str, ...] = ()
    watermark: str | None = None
    chunk_rows: int | None = None

    def __post_init__(self) -> None:
        if not self.conn_id or not isinstance(self.conn_id, str):
            raise SpecError("SqlSource has no conn_id", expected="an Airflow connection id", got=repr(self.conn_id))
        if isinstance(self.metadata, str):
            raise SpecError("SqlSource.metadata is one text", expected="a tuple of columns", got=repr(self.metadata))
        if not isinstance(self.media, (File, Column)):
            raise SpecError("SqlSource.media is neither File nor Column", got=repr(self.media))
        if self.chunk_rows is None:
            object.__setattr__(self, "chunk_rows", 1000 if isinstance(self.media, File) else 16)
        elif self.chunk_rows < 1:
            raise SpecError("SqlSource.chunk_rows is too small", expected="at least 1", got=self.chunk_rows)
        object.__setattr__(self, "metadata", tuple(self.metadata))
        object.__setattr__(self, "classes", checked_classes(self.classes, self.label))
        for column in self._columns():
            check_name("SqlSource", column)
        if not parameters(self.query):
            raise SourceError(
                "query does not name its partition",
                expected=" or ".join(f":{name}" for name in BOUND_NAMES),
                got=repr(self.query),
                fix="restrict it, as in WHERE taken_on = :partition; a cast is CAST(:partition AS date)",
            )

    def records(self, client: Engine, partition: str) -> Iterator[Record]:
        """Stream the partition's rows with a server-side cursor where the database has one.

        Args:
            client: SQLAlchemy engine.
            partition: A day, `2026-01-31`.

        Raises:
            SourceError: The query fails, or lacks a column.
            PlatformError: The database cannot be reached.
        """
        with self._result(client, self.query, partition) as result:
            at = self._positions(list(result.keys()))
            for row in result:
                yield Record(
                    key=row[at[self.key]],
                    label=row[at[self.label]] if self.label else None,
                    media=row[at[self.media.column]],
                    metadata={name: row[at[name]] for name in self.metadata},
                    watermark=row[at[self.watermark]] if self.watermark else None,
                )

    def count(self, client: Engine, partition: str) -> int:
        """How many rows the query returns, counted by the database."""
        return int(self.scalar(client, f"SELECT COUNT(*) FROM (\n{_statement(self.query)}\n) counted_rows", partition))

    def scalar(self, client: Engine, query: str, partition: str) -> Any:
        """First column of the first row of another query on this source's database, or None; binds as `query` does.

        Raises:
            SourceError: The query fails.
            PlatformError: The database cannot be reached.
        """
        with self._result(client, query, partition) as result:
            row = result.first()
        return row[0] if row else None

    def greatest(self, client: Engine, column: str) -> str:
        """The query for a column's greatest value within the partition; for `scalar`."""
        quoted = client.dialect.identifier_preparer.quote_identifier(column).replace(":", r"\:")
        return f"SELECT MAX({quoted}) FROM (\n{_statement(self.query)}\n) watermarked_rows"

    def describe(self) -> dict[str, Any]:
        """The source as plain JSON: the connection by its id only."""
        return {
            "kind": "sql",
            "conn_id": self.conn_id,
            "query": self.query,
            "key": self.key,
            "label": self.label,
            "media": self.media.describe(),
            "classes": None if self.classes is None else list(self.classes),
            "metadata": list(self.metadata),
            "watermark": self.watermark,
        }

    def _columns(self) -> list[str]:
        optional = [column for column in (self.label, self.watermark) if column is not None]
        return [self.key, self.media.column, *optional, *self.metadata]

    def _positions(self, found: list[str]) -> dict[str, int]:
        """Column → place in a row, after checking that each is there once."""
        for column in self._columns():
            if found.count(column) != 1:
                what = "lacks" if column not in found else "returns more than one"
                raise SourceError(
                    f"query {what} column {column!r}",
                    expected=column,
                    got=", ".join(found),
                    fix="select it by this name, once (AS renames a column)",
                )
        return {column: found.index(column) for column in self._columns()}

    @contextmanager
    def _result(self, client: Engine, query: str, partition: str) -> Iterator[CursorResult]:
        from sqlalchemy import text

        values = {name: value for name, value in bounds(partition).items() if name in parameters(query)}
        with sql_errors(self.conn_id), _read_only(client) as connection:
            # yield_per: a server-side cursor where there is one, and never more than so many rows in memory.
            streaming = connection.execution_options(yield_per=self.chunk_rows)
            with streaming.execute(text(_statement(query)), values) as result:
                if not result.returns_rows:
                    raise SourceError("query returns no rows", expected="a SELECT", got=repr(query))
                yield result


def parameters(query: Any) -> set[str]:
    """Names of the bound parameters of a query.

    Raises:
        SourceError: One that the bridge does not know.
    """
    if not isinstance(query, str):
        raise SourceError("query is no text", expected="a SELECT", got=repr(query))
    names = set(_PARAMETER.findall(query))
    unknown = sorted(names - set(BOUND_NAMES))
    if unknown:
        raise SourceError(
            f"query names an unknown parameter :{unknown[0]}",
            expected=", ".join(f":{name}" for name in BOUND_NAMES),
            got=repr(query),
            fix="write a plain colon as \\:",
        )
    return names


def _statement(query: str) -> str:
    return query.strip().rstrip(";")


# What the database offers against a query that writes; every transaction is rolled back besides.
_READ_ONLY: Mapping[str, tuple[dict[str, Any], str | None, str | None]] = {
    "postgresql": ({"postgresql_readonly": True}, None, None),
    "sqlite": ({}, "PRAGMA query_only = ON", "PRAGMA query_only = OFF"),
    "mysql": ({}, "START TRANSACTION READ ONLY", None),
    "mariadb": ({}, "START TRANSACTION READ ONLY", None),
}


@contextmanager
def _read_only(client: Engine) -> Iterator[Connection]:
    options, before, after = _READ_ONLY.get(client.dialect.name, ({}, None, None))
    with client.connect().execution_options(**options) as connection:
        if before:
            connection.exec_driver_sql(before)
        try:
            yield connection
        finally:
            if not connection.invalidated:
                connection.rollback()
                if after:
                    connection.exec_driver_sql(after)
