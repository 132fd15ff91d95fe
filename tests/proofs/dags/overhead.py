"""A training of some minutes in a container, of images that were bridged before."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from airflow.sdk import DAG

from airflow_mlplat.bridges import File, SqlSource
from airflow_mlplat.operators import BridgeOperator, BuildDatasetOperator, TrainOperator

IMAGES = str(Path(os.environ["MLPLAT_HOME"]) / "sources" / "fashion")
CLASSES = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")

with DAG(
    "overhead",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    params={"partition": "2026-01-01", "epochs": 1, "seed": 0},
    default_args={"launcher": "docker"},
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
    dataset = BuildDatasetOperator(task_id="dataset", dataset="fashion")
    train = TrainOperator(
        task_id="train",
        dataset=dataset.output,
        build="models/cnn.py",
        framework="mxnet",
        options={"epochs": "{{ params.epochs }}", "seed": "{{ params.seed }}", "batch_size": 64, "shape": [28, 28, 1]},
        limits={"cpus": 1},
    )
    bridge >> dataset >> train
