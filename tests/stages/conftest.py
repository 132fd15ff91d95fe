"""Digits in a store, and jobs on them."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from airflow_mlplat.contract import JobSpec
from airflow_mlplat.stages import STAGES, Job
from airflow_mlplat.store import Sample, SpanWriter, npy_bytes, open_store
from tests.stages.linear import LinearTrainer

CLASSES = [str(n) for n in range(10)]
BUILD = 'def build(params):\n    return {"outputs": params["classes"]}\n'


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.fixture
def span(store, digits):
    """A function that commits a span of digits: rows of them, maybe with bad media or labels of their own."""
    images, labels = digits

    def make(rows, *, partition="2026-01-01", classes=CLASSES, bad=(), unlabelled=()):
        with SpanWriter(store, "digits", partition, list(classes)) as writer:
            for row in rows:
                media = b"no image" if row in bad else npy_bytes(images[row])
                label = None if row in unlabelled else int(labels[row]) % len(classes)
                writer.add(Sample(f"{row:05d}", media, label))
            return writer.commit()

    return make


@pytest.fixture
def run(store, tmp_path):
    """A function that runs a stage in this process, in a directory that is the same for each `directory`."""

    def run(stage, directory="job", framework=None, *, build=BUILD, code="c", trainer=None, **rest):
        files = {"build.py": store.put_blob(build.encode())} if framework else {}
        spec = JobSpec(
            stage, "digits", store.url, code_version=code, image="i", framework=framework, files=files, **rest
        )
        (tmp_path / directory).mkdir(exist_ok=True)
        log = logging.getLogger("tests.stages")
        log.setLevel(logging.INFO)
        trainer = trainer or (LinearTrainer if framework else None)
        return STAGES[stage](Job(spec, store, tmp_path / directory, trainer, log))

    return run


@pytest.fixture
def dataset(run, span):
    """A function that makes a dataset of rows of digits."""

    def make(rows, **how):
        return run("dataset", inputs={"spans": [span(rows, **how)]}).outputs["dataset"]

    return make


@pytest.fixture
def train(run):
    """A function that trains the linear model."""

    def train(dataset, directory="train", build=BUILD, trainer=None, **options):
        params = {"shape": [8, 8, 1], "epochs": 3, "batch_size": 32, "learning_rate": 0.1, **options}
        return run(
            "train", directory, "linear", build=build, trainer=trainer, inputs={"dataset": [dataset]}, params=params
        )

    return train


@pytest.fixture
def predictions(store, dataset, train):
    """A function that commits predictions of a made-up model that is right on the given samples of the first n."""
    from airflow_mlplat.stages.model import ModelFacts, put_model
    from airflow_mlplat.stages.predictions import Predictions, put_predictions

    def make(name, correct, *, rows=range(100), labels=None, keys=None):
        of = dataset(rows)
        n = len(correct)
        labels = np.zeros(n, np.int64) if labels is None else labels
        said = np.where(correct, labels, (labels + 1) % 10)
        probabilities = np.full((n, 10), 0.1 / 9, np.float32)
        probabilities[np.arange(n), said] = 0.9
        keys = np.array([f"{i:05d}".encode() for i in range(n)]) if keys is None else keys
        facts = ModelFacts("digits", "linear", (8, 8, 1), CLASSES, {"made up": name})
        model = put_model(store, facts, of, {})
        made = Predictions(model.digest, of.digest, CLASSES, probabilities, labels, keys)
        return put_predictions(store, model, of, made)

    return make
