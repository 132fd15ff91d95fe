from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from airflow_mlplat.errors import SpecError

DAY = datetime(2026, 2, 1, tzinfo=timezone.utc)


def test_commit_and_current(catalog, make):
    assert catalog.current_span("fashion", "2026-01-01") is None
    row = make.span(watermark={"id": 7}, fingerprint=None)
    assert catalog.current_span("fashion", "2026-01-01") == row
    assert row.watermark == {"id": 7} and row.fingerprint is None and row.restates is None
    assert row.source["query"].startswith("SELECT") and row.committed_at.tzinfo is not None
    assert catalog.artifact(row.ref).partition == "2026-01-01"


def test_same_span_again_changes_nothing(catalog, make):
    first = make.span()
    assert make.span() == first
    assert catalog.span_history("fashion", "2026-01-01") == [first]


def test_a_touched_source_is_remembered_and_restates_nothing(catalog, make):
    first = make.span()
    touched = make.span(fingerprint="touched")
    assert (touched.ref, touched.fingerprint, touched.restates) == (first.ref, "touched", None)
    assert catalog.current_span("fashion", "2026-01-01") == touched
    assert make.span(fingerprint="touched") == touched
    assert len(catalog.span_history("fashion", "2026-01-01")) == 2


def test_restatement_keeps_both(catalog, make):
    first, second = make.span(version=1), make.span(version=2)
    assert second.restates == first.ref.digest
    assert catalog.current_span("fashion", "2026-01-01") == second
    assert catalog.span_history("fashion", "2026-01-01") == [first, second]
    third = make.span(version=1)  # the source was put back
    assert third.ref == first.ref and third.restates == second.ref.digest
    assert catalog.current_span("fashion", "2026-01-01") == third
    assert {row.ref for row in catalog.artifacts("span")} == {first.ref, second.ref}


def test_restatement_by_a_worker_whose_clock_is_behind_still_counts(catalog, make):
    ahead = make.span(version=1, committed_at=datetime.now(timezone.utc) + timedelta(hours=1))
    later = make.span(version=2)
    assert later.committed_at > ahead.committed_at
    assert catalog.current_span("fashion", "2026-01-01") == later


def test_window_is_ordered_and_has_both_ends(catalog, make):
    rows = {day: make.span(partition=f"2026-01-0{day}") for day in (5, 1, 3, 2)}
    make.span("other", "2026-01-02")
    assert catalog.window("fashion", "2026-01-02", "2026-01-05") == [rows[2], rows[3], rows[5]]
    assert catalog.window("fashion", "2026-01-06", "2026-01-09") == []


def test_window_as_of_a_moment(catalog, make):
    old = make.span(version=1, committed_at=DAY)
    new = make.span(version=2, committed_at=DAY + timedelta(days=2))
    other = make.span(partition="2026-01-02", committed_at=DAY + timedelta(days=1))

    def window(before):
        return catalog.window("fashion", "2026-01-01", "2026-01-31", before)

    assert window(None) == [new, other]
    assert window(DAY + timedelta(days=2)) == [old, other]  # before, not at
    assert window(DAY + timedelta(days=2, microseconds=1)) == [new, other]
    zone = timezone(timedelta(hours=5))
    assert window((DAY + timedelta(days=1)).astimezone(zone)) == [old]
    assert window(DAY) == []


def test_only_spans_of_a_partition(catalog, make):
    ref, document = make.thing("dataset", "fashion")
    options = {"watermark": 1, "fingerprint": None, "source": {}, "run": make.run()}
    with pytest.raises(
        SpecError, match="only a span can be committed to a partition; expected a span; got dataset:fashion"
    ):
        catalog.commit_span(ref, "2026-01-01", document, **options)
    ref, document = make.thing("span", "fashion")
    with pytest.raises(SpecError, match="has no partition; expected a key such as 2026-01-31; got ''"):
        catalog.commit_span(ref, "", document, **options)
