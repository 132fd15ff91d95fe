"""The predict stage."""

from __future__ import annotations

import re

import numpy as np
import pytest

from airflow_mlplat.errors import DataError, SpecError
from airflow_mlplat.stages.predictions import load_predictions
from airflow_mlplat.store import Samples
from tests.stages.conftest import CLASSES
from tests.stages.linear import LinearTrainer


@pytest.fixture
def predict(run):
    def predict(model, data, framework="linear", **how):
        return run("predict", "predict", framework, inputs={"model": [model], "dataset": [data]}, **how)

    return predict


@pytest.fixture
def model(train, dataset):
    return train(dataset(range(600)), epochs=8).outputs["model"]


def test_every_sample_gets_its_probabilities(predict, model, dataset, store, run):
    data = dataset(range(600, 1000), partition="2026-01-02", unlabelled=[601])
    made = predict(model, data)
    found, samples = load_predictions(store, made.outputs["predictions"]), Samples(store, data)
    assert (found.model, found.dataset, found.classes) == (model.digest, data.digest, CLASSES)
    assert found.probabilities.shape == (400, 10)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(found.keys, samples.keys())
    np.testing.assert_array_equal(found.labels, samples.labels)
    assert made.metrics == {"samples": 400}
    assert run("evaluate", inputs={"predictions": [made.outputs["predictions"]]}).metrics["accuracy"] > 0.85


def test_other_batches_give_the_same_order(predict, model, dataset, store):
    data = dataset(range(50))
    by = [
        load_predictions(store, predict(model, data, params={"batch_size": n}).outputs["predictions"]) for n in (7, 50)
    ]
    np.testing.assert_allclose(by[0].probabilities, by[1].probabilities, atol=1e-6)


def test_what_does_not_fit_is_told(predict, model, dataset):
    data = dataset(range(10))
    with pytest.raises(SpecError, match="is of another framework; expected linear; got mxnet"):
        predict(model, data, framework="mxnet")
    other = dataset(range(10), classes=CLASSES[::-1])
    with pytest.raises(SpecError, match=re.escape("has other classes than model:digits@")):
        predict(model, other)


def test_numbers_that_are_not_finite_are_told(predict, model, dataset):
    class Trainer(LinearTrainer):
        def predict(self, images):
            return super().predict(images) * np.where(np.arange(len(images)) == 3, np.nan, 1)[:, None]

    with pytest.raises(DataError, match="gives no numbers for sample '00003'"):
        predict(model, dataset(range(10)), trainer=Trainer)
