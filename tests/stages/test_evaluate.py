"""Metrics, by hand and of a real model."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_mlplat.stages.evaluate import metrics
from airflow_mlplat.stages.intervals import wilson
from airflow_mlplat.stages.predictions import Predictions


def test_by_hand():
    probabilities = np.array([[0.9, 0.1, 0], [0.4, 0.6, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]], np.float32)
    labels = np.array([0, 0, 1, 1, -1])
    found = metrics(Predictions("m", "d", ["a", "b", "c"], probabilities, labels, np.array([b"k"] * 5)))
    assert (found["accuracy"], found["samples"], found["unlabelled"]) == (0.5, 4, 1)
    assert found["interval"] == pytest.approx(list(wilson(2, 4)))
    assert found["log_loss"] == pytest.approx((-np.log(0.9) - np.log(0.4) + 0 - np.log(1e-7)) / 4, rel=1e-6)
    assert [(row["class"], row["samples"], row["recall"], row["precision"]) for row in found["per_class"]] == [
        ("a", 2, 0.5, 0.5),
        ("b", 2, 0.5, 0.5),
    ]


def test_a_class_that_is_never_predicted_has_no_precision():
    made = Predictions("m", "d", ["a", "b"], np.array([[1, 0]], np.float32), np.array([1]), np.array([b"k"]))
    (row,) = metrics(made)["per_class"]
    assert (row["class"], row["recall"], row["precision"]) == ("b", 0.0, None)


def test_the_stage_commits_them(store, run, predictions):
    ref = predictions("m", np.array([True, False, True, True]))
    made = run("evaluate", inputs={"predictions": [ref]})
    document = store.manifest(made.outputs["evaluation"])
    assert made.metrics["accuracy"] == 0.75
    assert (document["metrics"], document["parents"], document["name"]) == (made.metrics, [ref.to_json()], "digits")
