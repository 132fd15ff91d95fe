"""The main job on scikit-learn's digits, in one DAG: what the operators' tests run."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG, Param

from airflow_mlplat.bridges import CsvSource, File
from airflow_mlplat.operators import (
    BridgeOperator,
    BuildDatasetOperator,
    CompareOperator,
    EvaluateOperator,
    PredictOperator,
    PromoteOperator,
    TrainOperator,
)

DATA = Path(os.environ.get("MLPLAT_HOME", ".mlplat")).absolute() / "sources"


def images(table: str) -> CsvSource:
    return CsvSource(
        path=str(DATA / table),
        key="id",
        label="label",
        media=File("file", root=str(DATA)),
        classes=tuple("0123456789"),
    )


with DAG(
    "digits",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    render_template_as_native_obj=True,
    default_args={
        "retries": 1,
        "retry_delay": timedelta(0),
        "launcher": "{{ params.launcher }}",
        "limits": "{{ params.limits }}",
    },
    params={
        "partition": Param(None, type=["null", "string"]),
        "build": "models/net.py",
        "framework": "tensorflow",
        "options": {"epochs": 8, "batch_size": 32, "shape": [8, 8, 1]},
        "promote": True,
        "launcher": "process",
        "limits": {},
    },
):
    bridge = BridgeOperator(task_id="bridge", source=images("train.csv"), dataset="digits")
    bridge_test = BridgeOperator(task_id="bridge_test", source=images("test.csv"), dataset="digits-test")
    dataset = BuildDatasetOperator(task_id="dataset", dataset="digits")
    test_set = BuildDatasetOperator(task_id="test_set", dataset="digits-test")
    train = TrainOperator(
        task_id="train",
        dataset=dataset.output,
        build="{{ params.build }}",
        framework="{{ params.framework }}",
        options="{{ params.options }}",
    )
    scores = PredictOperator(task_id="predict", model=train.output, dataset=test_set.output)
    evaluation = EvaluateOperator(task_id="evaluate", predictions=scores.output)
    compare = CompareOperator(
        task_id="compare",
        challengers=[scores.output],
        champion="digits@champion",
        promote="{{ params.promote }}",
    )
    promote = PromoteOperator(task_id="promote", decision=compare.output)
    bridge >> dataset
    bridge_test >> test_set
