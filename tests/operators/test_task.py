"""What operators know of their task."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.airflow


def test_user_errors_are_not_retried_platform_errors_are() -> None:
    from airflow.sdk.exceptions import AirflowFailException

    from airflow_mlplat.errors import DataError, StoreError
    from airflow_mlplat.operators.task import task_errors

    with pytest.raises(AirflowFailException, match="DataError: too many bad samples"), task_errors():
        raise DataError("too many bad samples")
    with pytest.raises(StoreError), task_errors():
        raise StoreError("no disk")


def test_labels_and_run_say_which_task_it_was() -> None:
    from airflow_mlplat.operators.task import labels, run_info

    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=3, try_number=2)
    assert labels({"ti": ti}) == {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": "3", "try_number": "2"}
    info = run_info({"ti": ti}, "2026-01-31")
    assert (info.dag_id, info.map_index, info.partition) == ("d", 3, "2026-01-31")


def test_unknown_limits_are_told() -> None:
    from airflow_mlplat.errors import SpecError
    from airflow_mlplat.operators.task import limits_of

    assert limits_of({"timeout_seconds": 5}).timeout_seconds == 5
    assert limits_of(None).memory_bytes is None
    with pytest.raises(SpecError, match=r"unknown limits; expected cpus \| gpu \| memory_bytes.*; got cores"):
        limits_of({"cores": 4})
    with pytest.raises(SpecError, match=r"got memory\. Did you mean 'memory_bytes'\?"):
        limits_of({"memory": 4})


def test_a_whole_number_may_come_as_text() -> None:
    from airflow_mlplat.errors import SpecError
    from airflow_mlplat.operators.task import whole_number

    assert [whole_number("workers", value) for value in (2, "2")] == [2, 2]
    for wrong in (0, "two", True, 1.5, None):
        with pytest.raises(SpecError, match="workers must be a whole number; expected 1 or more; got"):
            whole_number("workers", wrong)


@pytest.mark.parametrize(
    "given",
    [None, ["digits"], {"kind": "dataset", "name": "digits", "digest": "0" * 64}, {"outcome": "promoted"}],
)
def test_a_wrong_input_is_told(given: object, home: Path) -> None:
    from airflow_mlplat.errors import SpecError
    from airflow_mlplat.hooks.jobs import JobHook
    from airflow_mlplat.operators.task import as_ref

    with pytest.raises(SpecError, match="the task needs model to work on; expected the output of a task that makes"):
        as_ref(given, "model", JobHook(), "2026-01-31")


def test_a_name_is_looked_up_among_its_kind(home: Path) -> None:
    from airflow_mlplat.errors import NotFoundError, SpecError
    from airflow_mlplat.hooks.jobs import JobHook
    from airflow_mlplat.operators.task import as_ref

    with pytest.raises(NotFoundError, match="no model is named 'digits'"):
        as_ref("digits", "model", JobHook(), "2026-01-31")
    ref = {"kind": "model", "name": "digits", "digest": "0" * 64}
    assert as_ref(ref, "model", JobHook(), "2026-01-31").to_json() == ref
    with pytest.raises((NotFoundError, SpecError)):
        as_ref("dataset:digits", "model", JobHook(), "2026-01-31")
