"""For every bridged day: retrain on all days so far, compare with the champion, promote the better.

Starts by itself, once per day that `fashion_ingest` bridges; or by hand with a partition.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param, PartitionedAssetTimetable, XComArg, task

from airflow_mlplat.operators import (
    BuildDatasetOperator,
    CompareOperator,
    PredictOperator,
    PromoteOperator,
    TrainOperator,
    span_asset,
)

FRAMEWORKS = ["tensorflow", "mxnet", "caffe"]

with DAG(
    "fashion_retraining",
    schedule=PartitionedAssetTimetable(assets=span_asset("fashion")),
    start_date=datetime(2026, 1, 1),
    max_active_runs=1,  # one day after the other: each trains its frameworks at once
    render_template_as_native_obj=True,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=20), "launcher": "{{ params.launcher }}"},
    params={
        "partition": Param(None, type=["null", "string"], format="date", description="Day; default: the run's"),
        "epochs": Param(3, type="integer", minimum=1, maximum=100),
        "frameworks": Param(
            FRAMEWORKS[:2], type="array", examples=FRAMEWORKS, items={"type": "string", "enum": FRAMEWORKS}
        ),
        "launcher": Param(
            "process", type="string", enum=["process", "docker", "kubernetes"], description="Where jobs run"
        ),
        "require_approval": Param(False, type="boolean", description="Ask a person before the promotion"),
    },
    doc_md=__doc__,
    tags=["mlplat"],
):
    dataset = BuildDatasetOperator(task_id="dataset", dataset="fashion", window_days=90)
    test_set = BuildDatasetOperator(task_id="test_set", dataset="fashion-test", partition="2026-01-01")

    @task
    def frameworks(params: dict) -> list[str]:
        return params["frameworks"]

    models = TrainOperator.partial(
        task_id="train",
        dataset=dataset.output,
        build="models/cnn.py",
        options={
            "epochs": "{{ params.epochs }}",
            "batch_size": 64,
            "learning_rate": 0.002,
            "schedule": "cosine",
            "shape": [28, 28, 1],
            "params": {"width": 32},  # handed to build(params)
        },
    ).expand(framework=frameworks())
    scores = PredictOperator.partial(task_id="predict", dataset=test_set.output).expand(model=models.output)
    compare = CompareOperator(
        task_id="compare",
        challengers=scores.output,
        champion="fashion@champion",
        promote="{{ not params.require_approval }}",
    )

    @task.short_circuit
    def to_be_approved(outcome: str) -> bool:
        return outcome == "recommended"

    approve = ApprovalOperator(
        task_id="approve",
        subject="Promote a new champion of fashion?",
        body="{{ ti.xcom_pull(task_ids='compare', key='summary') }}",
        defaults="Reject",
    )
    promote = PromoteOperator(task_id="promote", decision=compare.output)
    to_be_approved(XComArg(compare, key="outcome")) >> approve >> promote
