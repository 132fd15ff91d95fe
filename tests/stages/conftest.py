"""Digits in a store, and jobs on them."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from threading import BrokenBarrierError

import numpy as np
import pytest

from airflow_mlplat.contract import CHECKPOINTS, JobSpec
from airflow_mlplat.stages import STAGES, Job
from airflow_mlplat.stages.workers import ONE_WORKER, Workers
from airflow_mlplat.store import Sample, SpanWriter, npy_bytes, open_store
from tests.stages.linear import LinearTrainer, Meeting

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

    def run(stage, directory="job", framework=None, *, build=BUILD, code="c", trainer=None, workers=ONE_WORKER, **rest):
        files = {"build.py": store.put_blob(build.encode())} if framework else {}
        spec = JobSpec(
            stage, "digits", store.url, code_version=code, image="i", framework=framework, files=files,
            workers=workers.count, **rest,
        )  # fmt: skip
        (tmp_path / directory).mkdir(exist_ok=True)
        log = logging.getLogger("tests.stages")
        log.setLevel(logging.INFO)
        trainer = trainer or (LinearTrainer if framework else None)
        return STAGES[stage](Job(spec, store, tmp_path / directory, trainer, log, workers=workers))

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

    def train(dataset, directory="train", build=BUILD, trainer=None, workers=ONE_WORKER, **options):
        params = {"shape": [8, 8, 1], "epochs": 3, "batch_size": 32, "learning_rate": 0.1, **options}
        return run(
            "train", directory, "linear", build=build, trainer=trainer, workers=workers,
            inputs={"dataset": [dataset]}, params=params,
        )  # fmt: skip

    return train


@pytest.fixture
def train_together(train, tmp_path):
    """A function that trains the linear model by several workers, each in a thread; gives what each left."""

    def train_together(dataset, count, directory="together", base=LinearTrainer, checkpoints=None, **options):
        meeting, addresses = Meeting(count, base), tuple(("127.0.0.1", rank) for rank in range(count))
        checkpoints = checkpoints or tmp_path / f"{directory}-0" / CHECKPOINTS
        workers = [Workers(rank, addresses, checkpoints if rank else None) for rank in range(count)]

        def work(mine):
            try:
                return train(dataset, f"{directory}-{mine.rank}", trainer=meeting.trainer, workers=mine, **options)
            except BaseException:
                meeting.barrier.abort()  # as a launcher ends the others
                raise

        with ThreadPoolExecutor(count) as pool:
            made = [pool.submit(work, mine) for mine in workers]
        errors = [error for error in (each.exception() for each in made) if error is not None]
        for error in sorted(errors, key=lambda error: isinstance(error, BrokenBarrierError)):
            raise error
        return [each.result() for each in made]

    return train_together


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
