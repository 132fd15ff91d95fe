"""Waiting for a source, with a real database and a real connection."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.airflow


@pytest.fixture
def shop(airflow_home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sqlite3.Connection:
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "shop.db")}))
    database = sqlite3.connect(tmp_path / "shop.db")
    database.execute("CREATE TABLE photos (id INTEGER, taken_on TEXT, path TEXT)")
    database.commit()
    return database


def sensor(**options: object):
    from airflow_mlplat.bridges import File, RowCount, SqlSource
    from airflow_mlplat.sensors import SqlPartitionSensor

    source = SqlSource(
        conn_id="shop",
        query="SELECT id, path FROM photos WHERE taken_on = :partition",
        key="id",
        media=File("path", root="/photos"),
    )
    return SqlPartitionSensor(task_id="complete", source=source, complete=RowCount(at_least=2), **options)


CONTEXT = {"params": {}, "dag_run": SimpleNamespace(partition_key="2026-01-31")}


def test_it_comes_back_until_the_partition_is_complete(shop: sqlite3.Connection) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    waiting = sensor(poke_interval=7)
    shop.execute("INSERT INTO photos VALUES (1, '2026-01-31', 'a.png'), (2, '2026-01-30', 'b.png')")
    shop.commit()
    with pytest.raises(TaskDeferred) as deferred:
        waiting.execute(CONTEXT)
    assert deferred.value.method_name == "execute_complete"
    shop.execute("INSERT INTO photos VALUES (3, '2026-01-31', 'c.png')")
    shop.commit()
    assert waiting.execute_complete(CONTEXT, {}, **deferred.value.kwargs) is None


def test_its_outlets_have_an_event_of_the_partition(shop: sqlite3.Connection) -> None:
    from airflow.sdk import Asset
    from airflow.sdk.execution_time.context import OutletEventAccessors

    photos = Asset("photos")
    shop.execute("INSERT INTO photos VALUES (1, '2026-01-31', 'a.png'), (2, '2026-01-31', 'b.png')")
    shop.commit()
    for deferrable in (True, False):
        events = OutletEventAccessors()
        sensor(outlets=[photos], deferrable=deferrable).execute({**CONTEXT, "outlet_events": events})
        assert list(events[photos].partition_keys) == ["2026-01-31"]


def test_it_gives_up_past_its_timeout_however_often_it_was_deferred(shop: sqlite3.Connection) -> None:
    from airflow.sdk.exceptions import AirflowSensorTimeout

    with pytest.raises(AirflowSensorTimeout, match="not complete within 60 s"):
        sensor(timeout=60).execute_complete(CONTEXT, {}, deadline="2026-01-31T00:00:00+00:00")


def test_airflows_own_arguments_hold_from_the_first_look_or_are_refused(shop: sqlite3.Connection) -> None:
    from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

    from airflow_mlplat.errors import SpecError

    nowhere = {"params": {}, "dag_run": SimpleNamespace(partition_key="someday")}
    with pytest.raises(AirflowFailException, match="someday"):
        sensor().execute(nowhere)
    with pytest.raises(AirflowSkipException):
        sensor(soft_fail=True).execute(nowhere)
    for name in ("exponential_backoff", "silent_fail"):
        with pytest.raises(SpecError, match=f"a deferred sensor has no {name}. set deferrable=False"):
            sensor(**{name: True})
        assert sensor(**{name: True, "deferrable": False})


def test_without_deferring_it_pokes(shop: sqlite3.Connection) -> None:
    assert sensor(deferrable=False).poke(CONTEXT).is_done is False
    assert sensor(partition="2026-01-30", deferrable=False).poke(CONTEXT).is_done is False
