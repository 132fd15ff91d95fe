"""The window of a dataset: as of its day, whole or not at all."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.airflow


def operator(start: str | None = None, dag_start: datetime | None = datetime(2026, 1, 3), days: int = 90):
    from airflow.sdk import DAG

    from airflow_mlplat.operators import BuildDatasetOperator

    with DAG("window", schedule=None, start_date=dag_start):
        return BuildDatasetOperator(task_id="dataset", dataset="digits", window_days=days, start=start)


def test_the_window_ends_with_the_partition_and_begins_no_earlier_than_the_dag() -> None:
    assert operator().days("2026-01-05") == ["2026-01-03", "2026-01-04", "2026-01-05"]
    assert operator(days=2).days("2026-01-05") == ["2026-01-04", "2026-01-05"]
    assert operator(start="2026-01-05").days("2026-01-05") == ["2026-01-05"]
    assert operator(dag_start=None, days=3).days("2026-01-05") == ["2026-01-03", "2026-01-04", "2026-01-05"]


def test_the_first_day_is_counted_in_the_dags_own_zone() -> None:
    import pendulum

    berlin = operator(dag_start=pendulum.datetime(2026, 1, 3, tz="Europe/Berlin"))
    assert berlin.days("2026-01-04") == ["2026-01-03", "2026-01-04"]


def test_what_is_committed_later_is_not_seen_when_so_asked(home: Path) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    from airflow_mlplat.catalog import RunInfo
    from airflow_mlplat.contract import Ref
    from airflow_mlplat.hooks.jobs import JobHook

    hook = JobHook()
    run = RunInfo("dag", "run", "bridge", -1, "2026-01-03")
    spans = []
    for number in (1, 2):  # the second restates the first
        document = {"kind": "span", "name": "digits", "partition": "2026-01-03", "samples": number}
        span = Ref("span", "digits", f"{number:064x}")
        row = hook.catalog.commit_span(
            span, "2026-01-03", document, watermark=None, fingerprint=None, source={}, run=run
        )
        spans.append(row)
    before = operator()
    assert before.spec(hook, "2026-01-03").inputs["spans"] == [spans[1].ref]
    before.committed_before = spans[1].committed_at.isoformat()
    assert before.spec(hook, "2026-01-03").inputs["spans"] == [spans[0].ref]
    before.committed_before = "2026-01-01T00:00:00Z"
    context = {"params": {}, "dag_run": SimpleNamespace(partition_key="2026-01-03")}
    with pytest.raises(AirflowFailException, match=r"1 of 1 spans of digits did not exist at 2026-01-01"):
        before.execute(context)  # waiting would not help
    before.committed_before = "yesterday"
    with pytest.raises(AirflowFailException, match=r"committed_before is no time; expected such as .*; got yesterday"):
        before.execute(context)


def test_a_window_with_a_hole_is_waited_for(home: Path) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    context = {"params": {}, "dag_run": SimpleNamespace(partition_key="2026-01-04")}
    with pytest.raises(TaskDeferred) as deferred:
        operator().execute(context)
    assert deferred.value.trigger.serialize()[1]["partitions"] == ["2026-01-03", "2026-01-04"]
    assert deferred.value.method_name == "execute_window"


def test_without_a_triggerer_the_worker_waits(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_mlplat.hooks.jobs import JobHook
    from airflow_mlplat.operators.job import JobOperator

    found, waited = iter([["2026-01-03"], ["2026-01-03"], []]), []
    monkeypatch.setattr(JobHook, "missing_spans", lambda *_: next(found))
    monkeypatch.setattr("airflow_mlplat.operators.dataset.time.sleep", waited.append)
    monkeypatch.setattr(JobOperator, "execute", lambda *_: {"built": True})
    task = operator()
    task.deferrable = False
    context = {"params": {}, "dag_run": SimpleNamespace(partition_key="2026-01-04")}
    assert task.execute(context) == {"built": True}
    assert waited == [2.0]
