"""One bridge, and nothing behind it."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from airflow.sdk import DAG, Param

from airflow_mlplat.bridges import CsvSource, File
from airflow_mlplat.operators import BridgeOperator

DATA = Path(os.environ.get("MLPLAT_HOME", ".mlplat")).absolute() / "sources"

with DAG(
    "bridge_only",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    params={"partition": Param(None, type=["null", "string"])},
    default_args={"retries": 0},
):
    BridgeOperator(
        task_id="bridge",
        source=CsvSource(
            path=str(DATA / "train.csv"),
            key="id",
            label="label",
            media=File("file", root=str(DATA)),
            classes=tuple("0123456789"),
        ),
        dataset="digits",
    )
