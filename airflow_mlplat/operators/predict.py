"""Predict a dataset version with a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlplat.contract import JobSpec, Ref
from airflow_mlplat.hooks.jobs import JobHook, Where
from airflow_mlplat.operators.job import JobOperator
from airflow_mlplat.operators.task import as_ref


class PredictOperator(JobOperator):
    """Class probabilities of every sample. Returns the predictions' reference.

    Args:
        model: Output of a `TrainOperator`, or a name like `fashion@champion`. (templated)
        dataset: Output of a `BuildDatasetOperator`, or a dataset's name. (templated)
        options: Fields of `PredictOptions`: `batch_size`, `threads`. (templated)
    """

    template_fields = (*JobOperator.template_fields, "model", "dataset", "options")

    def __init__(self, *, model: Any, dataset: Any, options: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.dataset = dataset
        self.options = options

    def spec(self, hook: JobHook, partition: str) -> JobSpec:
        """The `predict` stage, in the framework that trained the model."""
        model = as_ref(self.model, "model", hook, partition)
        dataset = as_ref(self.dataset, "dataset", hook, partition)
        return predict_spec(hook, self.where, model, dataset, self.options)


def predict_spec(
    hook: JobHook, where: Where, model: Ref, dataset: Ref, options: Mapping[str, Any] | None = None
) -> JobSpec:
    """What predicting a dataset with a model is, whoever asks for it."""
    framework = hook.store.manifest(model)["framework"]
    inputs = {"model": [model], "dataset": [dataset]}
    return hook.spec("predict", model.name, where=where, params=dict(options or {}), inputs=inputs, framework=framework)
