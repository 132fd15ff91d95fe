"""One partition from source to model, with a worker that waits for the training: something to kill in both halves."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG

from airflow_mlplat.bridges import File, SqlSource
from airflow_mlplat.operators import BridgeOperator, BuildDatasetOperator, TrainOperator

IMAGES = str(Path(os.environ["MLPLAT_HOME"]) / "sources" / "fashion")
CLASSES = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")

with DAG(
    "kill",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    params={"partition": "2026-01-01", "framework": "tensorflow", "launcher": "process", "epochs": 6, "workers": 1},
    default_args={"retries": 4, "retry_delay": timedelta(seconds=1), "launcher": "{{ params.launcher }}"},
    render_template_as_native_obj=True,
):
    source = SqlSource(
        conn_id="fashion",
        query="SELECT id, path, label FROM train_photos WHERE taken_on = :partition",
        key="id",
        label="label",
        media=File("path", root=IMAGES),
        classes=CLASSES,
    )
    bridge = BridgeOperator(task_id="bridge", source=source, dataset="fashion")
    dataset = BuildDatasetOperator(task_id="dataset", dataset="fashion", deferrable=False)
    train = TrainOperator(
        task_id="train",
        dataset=dataset.output,
        build="models/cnn.py",
        framework="{{ params.framework }}",
        options={"epochs": "{{ params.epochs }}", "batch_size": 64, "shape": [28, 28, 1], "checkpoint_every": 20},
        workers="{{ params.workers }}",
        deferrable=False,
    )
    bridge >> dataset >> train
