"""The train stage: what it commits, and what it refuses."""

from __future__ import annotations

import re

import pytest

from airflow_mlplat.contract import digest
from airflow_mlplat.errors import BuildError, DataError, SpecError
from airflow_mlplat.stages.held_out import held_out
from airflow_mlplat.store import Samples, check_store
from tests.stages.conftest import BUILD, CLASSES
from tests.stages.linear import LinearTrainer


def test_a_model_says_all_of_itself(train, dataset, store):
    data = dataset(range(200), unlabelled=range(10))
    made = train(data, validation_fraction=0.25, params={"width": 3})
    ref = made.outputs["model"]
    document = store.manifest(ref)
    assert (ref.kind, ref.name, document["framework"]) == ("model", "digits", "linear")
    assert document["signature"] == {
        "input": {"shape": [8, 8, 1], "dtype": "uint8", "range": [0, 255]},
        "classes": CLASSES,
    }
    assert set(document["files"]) == {"weights.npz", "build.py", "linear.txt"}
    assert document["files"]["build.py"] == digest(BUILD.encode())
    assert document["parents"] == [data.to_json()]
    training = document["training"]
    samples = Samples(store, data)
    assert training["samples"] == sum((samples.labels >= 0) & ~held_out(samples.keys(), 0.25))
    assert training["options"]["params"] == {"width": 3}
    assert training["epochs"] == made.metrics["epochs"]
    assert set(training["epochs"][0]) == {"epoch", "loss", "accuracy", "validation_loss", "validation_accuracy"}
    assert "numpy" in training["versions"]
    assert check_store(store).problems == []


def test_a_framework_that_cannot_save_is_only_a_warning(train, dataset, store, caplog):
    class Trainer(LinearTrainer):
        def native(self, directory):
            raise TypeError("custom layer")

    made = train(dataset(range(64)), trainer=Trainer)
    assert set(store.manifest(made.outputs["model"])["files"]) == {"weights.npz", "build.py"}
    assert "The framework's own files are left out: TypeError: custom layer" in caplog.text


def test_weights_that_are_not_finite_are_refused(train, dataset):
    class Trainer(LinearTrainer):
        def weights(self):
            return {"w": self.w * float("nan")}

    with pytest.raises(BuildError, match=r"weights 'w' are not finite after training\. lower learning_rate"):
        train(dataset(range(64)), trainer=Trainer)


def test_datasets_that_cannot_be_trained_on(train, dataset, span, run):
    with pytest.raises(DataError, match=r"has no labelled samples to train on; got 5 samples, 0 labelled"):
        train(dataset(range(5), unlabelled=range(5)))
    with pytest.raises(DataError, match=r"has no labelled samples held out; .* validation_fraction 0\.0001"):
        train(dataset(range(5)), validation_fraction=0.0001)
    with pytest.raises(DataError, match=r"has too few classes; expected 2 or more; got \['0'\]"):
        train(dataset(range(5), classes=["0"]))


def test_a_spec_that_lacks_something(run, dataset):
    data = dataset(range(5))
    params = {"shape": [8, 8, 1]}
    with pytest.raises(SpecError, match="stage 'train' needs a framework"):
        run("train", inputs={"dataset": [data]}, params=params)
    with pytest.raises(SpecError, match=re.escape("train needs a build file; expected files: build.py; got [].")):
        run("train", inputs={"dataset": [data]}, params=params, trainer=LinearTrainer)
    with pytest.raises(SpecError, match="stage 'train' takes one dataset; expected 1; got 0"):
        run("train", framework="linear", params=params)


def test_what_several_workers_and_devices_do_not_train(train, train_together, dataset):
    data = dataset(range(60))
    told = r"batch_size is that of all 3 workers together; expected a multiple of 3; got 32\."
    with pytest.raises(SpecError, match=told):
        train_together(data, 3)
    with pytest.raises(SpecError, match=r"that of all 5 devices together; expected a multiple of 5; got 32\."):
        train(data, devices=5)
    with pytest.raises(SpecError, match=r"several workers share no batches; expected shared_by 1; got 2\."):
        train_together(data, 2, shared_by=2)
    told = r"has too few samples for 2 workers; expected a batch of 64; got 60\. lower batch_size\."
    with pytest.raises(DataError, match=told):
        train_together(data, 2, batch_size=64)
