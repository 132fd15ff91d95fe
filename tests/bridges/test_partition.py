from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlplat.bridges.partition import bounds, parse_partition, window
from airflow_mlplat.errors import PartitionError, SpecError


@pytest.mark.parametrize("text", ["2026-01-31", "2024-02-29", "0001-01-01", "9999-12-31"])
def test_days_parse(text):
    assert parse_partition(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-1-31",
        "2026-02-30",
        "20260131",
        "2026-01-31T00:00:00",
        " 2026-01-31",
        "2026-01-31'; DROP TABLE x; --",
        None,
        20260131,
    ],
)
def test_anything_else_is_refused_and_the_format_named(text):
    with pytest.raises(
        PartitionError, match=r"partition does not parse; expected a day as %Y-%m-%d, such as 2026-01-31; got"
    ):
        parse_partition(text)


def test_bounds_are_the_day_and_the_day_after():
    assert bounds("2024-02-28") == {
        "partition": "2024-02-28",
        "partition_start": "2024-02-28",
        "partition_end": "2024-02-29",
    }


def test_the_last_day_of_all_has_no_end():
    with pytest.raises(PartitionError, match="partition has no day after it"):
        bounds("9999-12-31")


@pytest.mark.parametrize(
    ("partition", "days", "start", "expected"),
    [
        ("2026-01-02", 1, None, ["2026-01-02"]),
        ("2026-01-02", 3, None, ["2025-12-31", "2026-01-01", "2026-01-02"]),
        ("2026-01-02", 3, "2026-01-01", ["2026-01-01", "2026-01-02"]),  # cut at the start
        ("2026-01-02", 2, "2025-01-01", ["2026-01-01", "2026-01-02"]),  # the start is far away
        ("0001-01-02", 10**9, None, ["0001-01-01", "0001-01-02"]),  # cut at the first day there is
    ],
)
def test_windows(partition, days, start, expected):
    assert window(partition, days, start) == expected


def test_a_window_needs_a_day_and_a_start_before_its_end():
    with pytest.raises(SpecError, match="a window has no days; expected window_days of at least 1; got 0"):
        window("2026-01-02", 0)
    with pytest.raises(PartitionError, match="lies before the window's start; expected 2026-01-03 or later"):
        window("2026-01-02", 5, "2026-01-03")
    with pytest.raises(PartitionError, match="does not parse"):
        window("2026-01-02", 5, "January")


@given(st.dates(), st.integers(1, 400))
def test_windows_are_consecutive_days_up_to_the_partition(day, days):
    found = window(day.isoformat(), days)
    assert found[-1] == day.isoformat() and found == sorted(set(found)) and len(found) <= days
