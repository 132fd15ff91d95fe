"""Days as partitions: parse, bounds, windows. Pure; operators and bridges both use it."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from airflow_mlplat.errors import PartitionError, SpecError

FORMAT = "%Y-%m-%d"
"""The one spelling of a partition: `2026-01-31`. Sorts as text in order of time."""

_DAY = timedelta(days=1)


def parse_partition(text: str) -> str:
    """The partition as given, once it is known to be a day.

    Raises:
        PartitionError: Not a day spelt `2026-01-31`.
    """
    return _day(text).isoformat()


def bounds(partition: str) -> dict[str, str]:
    """What a query may bind: `partition`, `partition_start` (the same day) and `partition_end` (the day after).

    A time t belongs to the partition when partition_start <= t < partition_end.

    Raises:
        PartitionError: Not a day spelt `2026-01-31`, or the last day that can be spelt.
    """
    day = _day(partition)
    if day == date.max:
        raise PartitionError("partition has no day after it", expected="a day before 9999-12-31", got=repr(partition))
    return {"partition": partition, "partition_start": partition, "partition_end": (day + _DAY).isoformat()}


def window(partition: str, days: int, start: str | None = None) -> list[str]:
    """The last `days` days up to and including the partition, ascending.

    Args:
        partition: The window's last day.
        days: At least 1.
        start: No day before this one, `2026-01-01`.

    Raises:
        PartitionError: A day does not parse, or the partition lies before `start`.
        SpecError: `days` is less than 1.
    """
    if days < 1:
        raise SpecError("a window has no days", expected="window_days of at least 1", got=days)
    last = _day(partition)
    earliest = _day(start) if start else date.min
    if last < earliest:
        raise PartitionError(
            f"partition {partition} lies before the window's start",
            expected=f"{start} or later",
            got=partition,
            fix="start= says where a window may begin; without it, the DAG's start_date does",
        )
    first = date.fromordinal(max(last.toordinal() - days + 1, earliest.toordinal()))
    return [(first + i * _DAY).isoformat() for i in range((last - first).days + 1)]


def _day(text: str) -> date:
    try:
        day = datetime.strptime(text, FORMAT).date()
    except (TypeError, ValueError):
        day = None
    # strptime takes 2026-1-31 as well, which would make two partitions of one day.
    if day is None or day.isoformat() != text:
        raise PartitionError(
            "partition does not parse",
            expected=f"a day as {FORMAT}, such as 2026-01-31",
            got=repr(text),
            fix="pass the day that the records belong to",
        )
    return day
