"""The day of a run, for every way in."""

from __future__ import annotations

from datetime import datetime, timezone
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from airflow_mlplat.errors import PartitionError
from airflow_mlplat.hooks.partition import resolve_partition

DAY = datetime(2026, 1, 31, tzinfo=timezone.utc)
NEXT = datetime(2026, 2, 1, tzinfo=timezone.utc)


def context(params: dict | None = None, events: dict | None = None, **run: object) -> dict:
    return {"params": params or {}, "dag_run": SimpleNamespace(**run), "triggering_asset_events": events or {}}


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(context({"partition": "2026-01-31"}, partition_key="2026-01-01"), id="parameter before key"),
        pytest.param(context(partition_key="2026-01-31", logical_date=NEXT), id="key before logical date"),
        pytest.param(context(data_interval_start=DAY, data_interval_end=NEXT, logical_date=NEXT), id="real interval"),
        pytest.param(context(data_interval_start=NEXT, data_interval_end=NEXT, logical_date=DAY), id="empty interval"),
        pytest.param(context(logical_date=DAY), id="logical date"),
        pytest.param(context(events={"a": [SimpleNamespace(partition_key="2026-01-31")]}), id="asset event"),
    ],
)
def test_each_way_in_names_its_day(given: dict) -> None:
    assert resolve_partition(given) == "2026-01-31"


def test_a_day_is_one_of_the_dags_own_zone() -> None:
    midnight = datetime(2026, 1, 31, tzinfo=ZoneInfo("Asia/Tokyo"))
    run = context(logical_date=midnight.astimezone(timezone.utc))
    assert resolve_partition({**run, "dag": SimpleNamespace(timezone=ZoneInfo("Asia/Tokyo"))}) == "2026-01-31"
    assert resolve_partition(run) == "2026-01-30"


def test_the_operators_argument_wins() -> None:
    assert resolve_partition(context(partition_key="2026-01-01"), "2026-01-31") == "2026-01-31"


def test_never_the_clock() -> None:
    with pytest.raises(PartitionError, match=r"names no partition. trigger it with a partition key, or with the param"):
        resolve_partition(context(partition_key=None, logical_date=None))


def test_a_partition_that_does_not_parse_is_told() -> None:
    with pytest.raises(PartitionError, match="yesterday"):
        resolve_partition(context({"partition": "yesterday"}, partition_key="2026-01-31"))
