"""Stage `predict`: class probabilities of every sample of a dataset version, by a model version."""

from __future__ import annotations

import dataclasses
import time

import numpy as np

from airflow_mlplat.errors import DataError, SpecError
from airflow_mlplat.stages.batches import in_order
from airflow_mlplat.stages.build_file import BuildFile
from airflow_mlplat.stages.job import Job, Outcome
from airflow_mlplat.stages.model import BUILD_FILE, load_facts, load_weights
from airflow_mlplat.stages.options import PredictOptions, TrainOptions
from airflow_mlplat.stages.predictions import Predictions, put_predictions
from airflow_mlplat.stages.trainer import Trainer
from airflow_mlplat.store import Samples


def run(job: Job) -> Outcome:
    """Predict the input `dataset` with the input `model`; the output is `predictions`."""
    options = PredictOptions.from_params(job.spec.params)
    model, dataset = job.input("model"), job.input("dataset")
    facts, files = load_facts(job.store, model)
    if facts.framework != job.spec.framework:
        raise SpecError(f"{model} is of another framework", expected=facts.framework, got=job.spec.framework)
    samples = job.samples(dataset)
    if samples.classes != facts.classes:
        raise SpecError(
            f"{dataset} has other classes than {model}", expected=facts.classes, got=samples.classes,
            fix="build the dataset with the classes of the one that the model was trained on, in the same order",
        )  # fmt: skip
    trained = TrainOptions.from_params(facts.training["options"])
    build_file = BuildFile(job.directory / BUILD_FILE)
    job.store.fetch_blob(files[BUILD_FILE], build_file.path)
    how = dataclasses.replace(trained, threads=options.threads, devices=1, precision="float32")
    trainer = job.framework()(build_file, how, len(facts.classes))
    trainer.load_weights(load_weights(job.store, model, files))
    started = time.monotonic()
    probabilities = predict(trainer, samples, trained, options.batch_size)
    seconds = time.monotonic() - started
    if not np.isfinite(probabilities).all():
        bad = int(np.flatnonzero(~np.isfinite(probabilities).all(axis=1))[0])
        raise DataError(f"{model} gives no numbers for sample {samples.key(bad)!r}", got=probabilities[bad].tolist())
    made = Predictions(model.digest, dataset.digest, samples.classes, probabilities, samples.labels, samples.keys())
    job.log.info("Predicted %d samples of %s with %s", len(samples), dataset, model)
    ref = put_predictions(job.store, model, dataset, made)
    speed = round(len(samples) / seconds, 1) if seconds else None
    return Outcome({"predictions": ref}, {"samples": len(samples)}, {"samples_per_second": speed})


def predict(trainer: Trainer, samples: Samples, trained: TrainOptions, batch_size: int) -> np.ndarray:
    """Class probabilities of all samples, in their order: float32 (N, K).

    Raises:
        DataError: There are no samples.
    """
    parts = []
    with in_order(samples, trained, batch_size) as batches:
        for batch in batches:
            parts.append(np.asarray(trainer.predict(batch.images), np.float32))
    return np.concatenate(parts)
