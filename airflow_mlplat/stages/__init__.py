"""What a job does: one stage per file, each `run(job) -> Outcome`; and the gate."""

from __future__ import annotations

from collections.abc import Callable

from airflow_mlplat.stages import compare, dataset, evaluate, predict, train
from airflow_mlplat.stages.build_file import BuildFile, probe_images
from airflow_mlplat.stages.job import Job, Outcome
from airflow_mlplat.stages.options import OPTIMIZERS, PredictOptions, TrainOptions
from airflow_mlplat.stages.trainer import Measured, Trainer

STAGES: dict[str, Callable[[Job], Outcome]] = {
    "dataset": dataset.run,
    "train": train.run,
    "predict": predict.run,
    "evaluate": evaluate.run,
    "compare": compare.run,
}
"""`JobSpec.stage` → what runs it."""

__all__ = [
    "OPTIMIZERS",
    "STAGES",
    "BuildFile",
    "Job",
    "Measured",
    "Outcome",
    "PredictOptions",
    "TrainOptions",
    "Trainer",
    "probe_images",
]
