"""When a source's partition is complete: the rules that a sensor asks before the bridge runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from airflow_mlplat.bridges.base import Source
from airflow_mlplat.bridges.partition import bounds
from airflow_mlplat.bridges.sql import SqlSource, parameters
from airflow_mlplat.bridges.values import moment
from airflow_mlplat.errors import SpecError

_NO = {"", "0", "f", "false", "n", "no"}


class Completeness(Protocol):
    """A rule; implementations are frozen dataclasses: plain and picklable."""

    def is_complete(self, client: Any, source: Source, partition: str) -> tuple[bool, str]:
        """Whether the partition is complete, and why (not), in words for the log.

        Raises:
            SourceError: The question cannot be asked: a wrong query or column.
            PlatformError: The source cannot be reached.
        """


@dataclass(frozen=True)
class RowCount:
    """Complete once the partition has so many records.

    Args:
        at_least: Records, 1 or more.
    """

    at_least: int

    def __post_init__(self) -> None:
        if isinstance(self.at_least, bool) or not isinstance(self.at_least, int) or self.at_least < 1:
            raise SpecError("RowCount.at_least is no number of records", expected="1 or more", got=repr(self.at_least))

    def is_complete(self, client: Any, source: Source, partition: str) -> tuple[bool, str]:
        """Count the records."""
        found = source.count(client, partition)
        return found >= self.at_least, f"{found} of at least {self.at_least} records"


@dataclass(frozen=True)
class MaxWatermark:
    """Complete once the source has come to the partition's end (the start of the next day, UTC).

    Args:
        column: Column of the source's query whose greatest value says how far the source has come …
        query: … or a query of its own that returns that value, over more than the partition:
            `SELECT max(updated_at) FROM photos`. Give exactly one of the two.
        slack_seconds: Content with so many seconds before the end; a column of the partition's own times never
            reaches the end itself.
    """

    column: str | None = None
    query: str | None = None
    slack_seconds: float = 0.0

    def __post_init__(self) -> None:
        if (self.column is None) == (self.query is None):
            raise SpecError(
                "MaxWatermark needs a column or a query", expected="exactly one", got="both" if self.column else "none"
            )
        if self.slack_seconds < 0:
            raise SpecError("MaxWatermark.slack_seconds is negative", expected="0 or more", got=self.slack_seconds)
        if self.query is not None:
            parameters(self.query)

    def is_complete(self, client: Any, source: Source, partition: str) -> tuple[bool, str]:
        """Compare the greatest watermark with the partition's end."""
        found = _sql(source).scalar(client, self.query or _sql(source).greatest(client, str(self.column)), partition)
        if found is None:
            return False, "no watermark yet"
        end = datetime.fromisoformat(bounds(partition)["partition_end"]) - timedelta(seconds=self.slack_seconds)
        return moment(found) >= end, f"watermark {found} of {end.isoformat(sep=' ')}"


@dataclass(frozen=True)
class DoneFlag:
    """Complete once a query says so.

    Args:
        query: Its first column of the first row is true, a number other than 0, or text other than
            `0 f false n no`. It may bind `:partition`, `:partition_start` and `:partition_end`.
    """

    query: str

    def __post_init__(self) -> None:
        parameters(self.query)

    def is_complete(self, client: Any, source: Source, partition: str) -> tuple[bool, str]:
        """Ask the query."""
        found = _sql(source).scalar(client, self.query, partition)
        if found is None:
            return False, "no flag yet"
        done = found.strip().lower() not in _NO if isinstance(found, str) else bool(found)
        return done, f"flag is {found!r}"


def _sql(source: Source) -> SqlSource:
    if not isinstance(source, SqlSource):
        raise SpecError(
            "this rule asks a database", expected="a SqlSource", got=type(source).__name__, fix="use RowCount"
        )
    return source
