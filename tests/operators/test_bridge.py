"""The bridge's task: a span, its event, and clear words for what is wrong with a source."""

from __future__ import annotations

import pytest

from tests.operators.conftest import write_table

pytestmark = pytest.mark.airflow


def test_a_partition_becomes_a_span_once(run_dag, catalog, home) -> None:
    first = run_dag(dag_id="bridge_only")
    assert first.state == "success", first.log
    assert "Bridged span:digits@" in first.log
    assert "Reused span:digits@" in run_dag(dag_id="bridge_only").log
    row = catalog.current_span("digits", "2026-01-01")
    assert row is not None
    assert len(catalog.span_history("digits", "2026-01-01")) == 1


def test_a_changed_source_is_a_restatement(run_dag, catalog, home) -> None:
    run_dag(dag_id="bridge_only")
    before = catalog.current_span("digits", "2026-01-01")
    write_table(home / "sources/train.csv", [(n, f"{n}.png", 1) for n in range(600)])
    assert run_dag(dag_id="bridge_only").state == "success"
    after = catalog.current_span("digits", "2026-01-01")
    assert after.restates == before.ref.digest != after.ref.digest


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        pytest.param([(n, "nowhere.png", 1) for n in range(10)], "missing media", id="missing image"),
        pytest.param([(n, f"{n}.png", "cat") for n in range(10)], "label outside the class list", id="unknown label"),
        pytest.param([], "no record", id="empty partition"),
    ],
)
def test_bad_sources_fail_at_once_and_commit_nothing(run_dag, catalog, home, rows, told) -> None:
    write_table(home / "sources/train.csv", rows)
    run = run_dag(dag_id="bridge_only")
    assert run.tasks["bridge"] == "failed"
    assert told in run.log
    assert "AirflowFailException" in run.log
    assert catalog.current_span("digits", "2026-01-01") is None


def test_a_partition_that_does_not_parse_is_told(run_dag) -> None:
    run = run_dag(dag_id="bridge_only", partition="last tuesday")
    assert run.state == "failed"
    assert "PartitionError" in run.log
    assert "last tuesday" in run.log
