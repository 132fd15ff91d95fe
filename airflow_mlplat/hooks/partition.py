"""Which partition a task works on: the same answer for a UI trigger, a schedule, a backfill and `dags test`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timezone, tzinfo
from typing import Any

from airflow_mlplat.bridges.partition import parse_partition
from airflow_mlplat.errors import PartitionError


def resolve_partition(context: Mapping[str, Any], explicit: str | None = None) -> str:
    """The partition of a run; never the clock.

    The first of these that is set: the operator's own argument, the run's `partition` parameter, its partition key,
    the start of its data interval when that is not empty, its logical date, the key of an asset event that
    triggered it. Manual and asset-triggered runs of Airflow 3 have no logical date.

    Args:
        context: Airflow's task context.
        explicit: The operator's argument, already rendered.

    Returns:
        A day, `2026-01-31`.

    Raises:
        PartitionError: None is set, or the first that is set does not parse.
    """
    for candidate in _candidates(context, explicit):
        if candidate:
            return parse_partition(candidate)
    raise PartitionError(
        "this run names no partition",
        fix="trigger it with a partition key, or with the parameter partition=YYYY-MM-DD, "
        "or pass partition= to the operator",
    )


def _candidates(context: Mapping[str, Any], explicit: str | None) -> Iterator[str | None]:
    yield explicit
    yield (context.get("params") or {}).get("partition")
    run, zone = context.get("dag_run"), getattr(context.get("dag"), "timezone", timezone.utc)
    yield getattr(run, "partition_key", None)
    start, end = getattr(run, "data_interval_start", None), getattr(run, "data_interval_end", None)
    yield _day(start, zone) if start and end and start < end else None
    yield _day(getattr(run, "logical_date", None), zone)
    for events in (context.get("triggering_asset_events") or {}).values():
        yield from (getattr(event, "partition_key", None) for event in events)


def _day(moment: datetime | None, zone: tzinfo) -> str | None:
    # In the DAG's own zone, as partition keys are: a midnight in Tokyo is the day before in UTC.
    return moment.astimezone(zone).strftime("%Y-%m-%d") if moment else None
