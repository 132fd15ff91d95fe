"""The window of a dataset: as of its day, whole or not at all."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

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


def test_a_window_with_a_hole_is_waited_for(home: Path) -> None:
    from types import SimpleNamespace

    from airflow.sdk.exceptions import TaskDeferred

    context = {"params": {}, "dag_run": SimpleNamespace(partition_key="2026-01-04")}
    with pytest.raises(TaskDeferred) as deferred:
        operator().execute(context)
    assert deferred.value.trigger.serialize()[1]["partitions"] == ["2026-01-03", "2026-01-04"]
    assert deferred.value.method_name == "execute_window"
