"""Metrics of predictions, with their confidence intervals."""

from __future__ import annotations

from typing import Any

from airflow_mlplat.contract import JobSpec
from airflow_mlplat.hooks.jobs import JobHook
from airflow_mlplat.operators.job import JobOperator
from airflow_mlplat.operators.task import as_ref


class EvaluateOperator(JobOperator):
    """Evaluate predictions against the dataset's labels. Returns the evaluation's reference.

    Args:
        predictions: Output of a `PredictOperator`. (templated)
    """

    template_fields = (*JobOperator.template_fields, "predictions")

    def __init__(self, *, predictions: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.predictions = predictions

    def spec(self, hook: JobHook, partition: str) -> JobSpec:
        """The `evaluate` stage."""
        ref = as_ref(self.predictions, "predictions", hook, partition)
        return hook.spec("evaluate", ref.name, where=self.where, params={}, inputs={"predictions": [ref]})
