"""Stage `train`: a build file and a dataset version in, a model version out."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from airflow_mlplat.contract import CHECKPOINTS, Ref
from airflow_mlplat.data import Subset
from airflow_mlplat.errors import BuildError, DataError, SpecError
from airflow_mlplat.stages.batches import stream_of
from airflow_mlplat.stages.build_file import BuildFile
from airflow_mlplat.stages.checkpoint import Checkpoints
from airflow_mlplat.stages.custom import train_by_user
from airflow_mlplat.stages.held_out import held_out
from airflow_mlplat.stages.job import Job, Outcome
from airflow_mlplat.stages.loop import Loop, Trained, Training
from airflow_mlplat.stages.model import BUILD_FILE, WEIGHTS_FILE, ModelFacts, put_model, put_weights
from airflow_mlplat.stages.options import TrainOptions
from airflow_mlplat.stages.together import check_enough, check_together
from airflow_mlplat.store import Samples


def run(job: Job) -> Outcome:
    """Train on the input `dataset` what the file `build.py` builds; the output is `model`, of worker 0 alone."""
    options, workers = TrainOptions.from_params(job.spec.params), job.workers
    check_together(options, job.spec.framework, workers.count)
    factory, dataset = job.framework(), job.input("dataset")
    samples = job.samples(dataset)
    training, validation = split(samples, options.validation_fraction)
    build_file = fetch_build_file(job)
    check_enough(options, workers.count, training)
    trainer = factory(build_file, options, len(samples.classes), workers)
    job.log.info(
        "Training on %d samples (%d held out, %d without a label) of %s for %d epochs of %d a batch",
        len(training), len(validation), len(samples) - len(training) - len(validation), dataset, options.epochs,
        options.batch_size,
    )  # fmt: skip
    checkpoints = Checkpoints(workers.checkpoints or job.directory / CHECKPOINTS, job.spec.key, job.log)
    stream = stream_of(job, options)
    if stream is not None:
        job.log.info(
            "Sharing batches with %d other trainings on this host; waiting for them for up to %.0f s",
            options.shared_by - 1, stream.gather_seconds,
        )  # fmt: skip
    work = Training(job.log, options, trainer, training, validation, checkpoints, stream)
    trained = Loop(work).run() if build_file.train is None else train_by_user(work, build_file)
    trainer.group.leave()
    outputs = {"model": _put(job, work, trained)} if workers.rank == 0 else {}
    return Outcome(outputs, _metrics(trained), trained.stats)


def split(samples: Samples, fraction: float) -> tuple[Subset, Subset]:
    """Labelled samples to train on, and those held out.

    Raises:
        DataError: There are none, or fewer than two classes.
    """
    if len(samples.classes) < 2:
        raise DataError(f"{samples.ref} has too few classes", expected="2 or more", got=samples.classes)
    labelled = samples.labels >= 0
    out = held_out(samples.keys(), fraction) if fraction else np.zeros(len(samples), bool)
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
    kept = trained.epochs[trained.kept] if trained.epochs else {}  # so that they are those of the model
    return {**{name: value for name, value in kept.items() if name != "epoch"}, "epochs": trained.epochs}


def _put(job: Job, work: Training, trained: Trained) -> Ref:
    weights = work.trainer.weights()
    for name, array in weights.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise BuildError(f"weights {name!r} are not finite after training", fix="lower learning_rate")
    training = {
        "options": work.options.to_json(),
        "steps": trained.steps,
        "samples": trained.samples,
        "epochs": trained.epochs,
        "versions": work.trainer.versions,
    }
    facts = ModelFacts(job.spec.name, str(job.spec.framework), work.options.shape, work.samples.classes, training)
    files = {
        BUILD_FILE: job.spec.files[BUILD_FILE],
        WEIGHTS_FILE: put_weights(job.store, weights),
        **_native(job, work),
    }
    return put_model(job.store, facts, job.input("dataset"), files)


def _native(job: Job, work: Training) -> dict[str, str]:
    """The framework's own files, name → SHA-256; a model that it cannot write is still whole in our format."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            paths = work.trainer.native(Path(folder))
        except Exception as error:  # users' layers may lack what their framework needs to save them
            job.log.warning("The framework's own files are left out: %s: %s", type(error).__name__, error)
            return {}
        return {path.name: job.store.put_blob(path) for path in paths}
