"""Stage `train`: a build file and a dataset version in, a model version out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from airflow_mlplat.contract import Ref
from airflow_mlplat.errors import BuildError, DataError, SpecError
from airflow_mlplat.stages.build_file import BuildFile
from airflow_mlplat.stages.checkpoint import Checkpoints
from airflow_mlplat.stages.custom import train_by_user
from airflow_mlplat.stages.job import Job, Outcome
from airflow_mlplat.stages.loop import Loop, Trained
from airflow_mlplat.stages.model import BUILD_FILE, ModelFacts, put_model
from airflow_mlplat.stages.options import TrainOptions
from airflow_mlplat.stages.subset import Subset, held_out
from airflow_mlplat.stages.trainer import Trainer
from airflow_mlplat.store import Samples

CHECKPOINTS = "checkpoints"
"""Folder in the job's directory; the launcher leaves it in place when it starts a job again."""


def run(job: Job) -> Outcome:
    """Train on the input `dataset` what the file `build.py` builds; the output is `model`."""
    options = TrainOptions.from_params(job.spec.params)
    factory, dataset = job.framework(), job.input("dataset")
    samples = Samples(job.store, dataset)
    training, validation = split(samples, options.validation_fraction)
    build_file = fetch_build_file(job)
    trainer = factory(build_file, options, len(samples.classes))
    job.log.info(
        "Training on %d samples (%d held out) of %s for %d epochs of %d a batch",
        len(training), len(validation), dataset, options.epochs, options.batch_size,
    )  # fmt: skip
    checkpoints = Checkpoints(job.directory / CHECKPOINTS, job.spec.key, job.log)
    if build_file.train is None:
        trained = Loop(job.log, options, trainer, training, validation, checkpoints).run()
    else:
        trained = train_by_user(job.log, options, trainer, training, checkpoints, build_file)
    model = _put(job, options, trainer, trained, samples, dataset)
    checkpoints.remove()
    return Outcome({"model": model}, _metrics(trained), trained.stats)


def split(samples: Samples, fraction: float) -> tuple[Subset, Subset]:
    """Labelled samples to train on, and those held out.

    Raises:
        DataError: There are none, or fewer than two classes.
    """
    if len(samples.classes) < 2:
        raise DataError(f"{samples.ref} has too few classes", expected="2 or more", got=samples.classes)
    labelled = samples.labels >= 0
    out = held_out(samples.keys(), fraction)
    training, validation = np.flatnonzero(labelled & ~out), np.flatnonzero(labelled & out)
    for rows, what in ((training, "to train on"), (validation, "held out")):
        if not len(rows) and (fraction or rows is training):
            raise DataError(
                f"{samples.ref} has no labelled samples {what}",
                got=f"{len(samples)} samples, {int(labelled.sum())} labelled, validation_fraction {fraction:g}",
            )
    return Subset(samples, training), Subset(samples, validation)


def fetch_build_file(job: Job) -> BuildFile:
    """The spec's build file, copied into the job's directory.

    Raises:
        SpecError: The spec names none.
    """
    if BUILD_FILE not in job.spec.files:
        raise SpecError("train needs a build file", expected=f"files: {BUILD_FILE}", got=sorted(job.spec.files))
    path = job.directory / BUILD_FILE
    job.store.fetch_blob(job.spec.files[BUILD_FILE], path)
    return BuildFile(path)


def _metrics(trained: Trained) -> dict[str, Any]:
    last = trained.epochs[-1] if trained.epochs else {}
    return {**{name: value for name, value in last.items() if name != "epoch"}, "epochs": trained.epochs}


def _put(
    job: Job, options: TrainOptions, trainer: Trainer, trained: Trained, samples: Samples, dataset: Ref
) -> Ref:
    weights = trainer.weights()
    for name, array in weights.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise BuildError(f"weights {name!r} are not finite after training", fix="lower learning_rate")
    training = {
        "options": options.to_json(),
        "steps": trained.steps,
        "samples": trained.samples,
        "epochs": trained.epochs,
        "versions": trainer.versions,
    }
    facts = ModelFacts(job.spec.name, str(job.spec.framework), options.shape, samples.classes, training)
    native = job.directory / f"native-{time.time_ns()}"
    native.mkdir()
    return put_model(job.store, facts, dataset, job.spec.files[BUILD_FILE], weights, _native(job, trainer, native))


def _native(job: Job, trainer: Trainer, directory: Path) -> list[Path]:
    """The framework's own files; a model that it cannot write is still whole in our format."""
    try:
        return trainer.native(directory)
    except Exception as error:  # user's layers may lack what their framework needs to save them
        job.log.warning("The framework's own files are left out: %s: %s", type(error).__name__, error)
        return []
