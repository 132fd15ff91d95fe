"""What is wrong with a job as far as its spec alone tells: asked before it is submitted, and again in the job."""

from __future__ import annotations

import json

from airflow_mlplat.contract import JobSpec, canonical_json
from airflow_mlplat.stages.compare import CompareOptions
from airflow_mlplat.stages.dataset_options import DatasetOptions
from airflow_mlplat.stages.options import PredictOptions, TrainOptions
from airflow_mlplat.stages.params import FromParams
from airflow_mlplat.stages.together import check_together

OPTIONS: dict[str, type[FromParams]] = {
    "dataset": DatasetOptions,
    "train": TrainOptions,
    "predict": PredictOptions,
    "compare": CompareOptions,
}
"""`JobSpec.stage` → what its `params` are; `evaluate` has none."""


def check_spec(spec: JobSpec) -> None:
    """Whether the job's options are right. What needs its data, or a GPU, the job alone can tell.

    Raises:
        SpecError: One is unknown, missing or out of range, or does not go with the framework or the workers.
    """
    if spec.stage not in OPTIONS:
        return
    params = json.loads(canonical_json(spec.params))  # as the job will see them
    options = OPTIONS[spec.stage].from_params(params)
    if isinstance(options, TrainOptions):
        check_together(options, spec.framework, spec.workers)
