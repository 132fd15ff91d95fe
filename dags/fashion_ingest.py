"""Every day: wait for the day's photos in the shop's database, then bridge them into the store.

Also bridges the frozen test set, whose partition never changes: every run after the first reuses it.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG, CronPartitionTimetable, Param

from airflow_mlplat.bridges import DoneFlag, File, SqlSource
from airflow_mlplat.operators import BridgeOperator
from airflow_mlplat.sensors import SqlPartitionSensor

CLASSES = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
IMAGES = File("path", root=str(Path(os.environ.get("MLPLAT_HOME", ".mlplat")).absolute() / "sources" / "fashion"))


def photos(split: str) -> SqlSource:
    return SqlSource(
        conn_id="fashion",
        query=f"SELECT id, path, label FROM {split}_photos WHERE taken_on = :partition",
        key="id",
        label="label",
        media=IMAGES,
        classes=CLASSES,
    )


with DAG(
    "fashion_ingest",
    schedule=CronPartitionTimetable("0 0 * * *", timezone="UTC", key_format="%Y-%m-%d"),
    start_date=datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=20)},
    params={"partition": Param(None, type=["null", "string"], format="date", description="Day to bridge")},
    doc_md=__doc__,
    tags=["mlplat"],
):
    complete = SqlPartitionSensor(
        task_id="complete",
        source=photos("train"),
        complete=DoneFlag("SELECT done FROM days WHERE day = :partition"),
    )
    bridge = BridgeOperator(task_id="bridge", source=photos("train"), dataset="fashion")
    test_set = BridgeOperator(task_id="test_set", source=photos("test"), dataset="fashion-test", partition="2026-01-01")
    test_set >> complete >> bridge
