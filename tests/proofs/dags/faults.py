"""A training that takes too long, waited for in the triggerer or in a worker, with and without a timeout."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG

from airflow_mlplat.bridges import File, SqlSource
from airflow_mlplat.operators import BridgeOperator, BuildDatasetOperator, TrainOperator

IMAGES = str(Path(os.environ["MLPLAT_HOME"]) / "sources" / "fashion")
CLASSES = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
TIMEOUT = timedelta(seconds=20)


def make(name: str, deferrable: bool, timeout: timedelta | None) -> DAG:
    source = SqlSource(
        conn_id="fashion",
        query="SELECT id, path, label FROM train_photos WHERE taken_on = :partition",
        key="id",
        label="label",
        media=File("path", root=IMAGES),
        classes=CLASSES,
    )
    with DAG(
        name,
        schedule=None,
        start_date=datetime(2026, 1, 1),
        params={"partition": "2026-01-01"},
        default_args={"launcher": "docker"},
    ) as dag:
        bridge = BridgeOperator(task_id="bridge", source=source, dataset="fashion")
        dataset = BuildDatasetOperator(task_id="dataset", dataset="fashion")
        train = TrainOperator(
            task_id="train",
            dataset=dataset.output,
            build="models/cnn.py",
            framework="mxnet",
            options={"epochs": 10000, "shape": [28, 28, 1], "seed": len(name)},
            deferrable=deferrable,
            execution_timeout=timeout,
        )
        bridge >> dataset >> train
    return dag


for deferrable in (True, False):
    for timeout in (None, TIMEOUT):
        dag_id = f"faults_{'deferred' if deferrable else 'waiting'}{'_timed' if timeout else ''}"
        globals()[dag_id] = make(dag_id, deferrable, timeout)
