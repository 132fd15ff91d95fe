"""Stage `evaluate`: metrics of predictions, with their confidence intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

from airflow_mlplat.contract import Ref
from airflow_mlplat.stages.intervals import wilson
from airflow_mlplat.stages.job import Job, Outcome
from airflow_mlplat.stages.predictions import Predictions, load_predictions
from airflow_mlplat.store import Store

DIGITS = 9
"""Decimals kept: fewer than differ between the last bits of numpy's versions."""
LEAST_PROBABILITY = 1e-7
"""A class that a model rules out costs this much at most in the log loss: -log(1e-7) = 16.1."""


def run(job: Job) -> Outcome:
    """Evaluate the predictions of the input `predictions`; the output is `evaluation`."""
    ref = job.input("predictions")
    found = metrics(load_predictions(job.store, ref))
    job.log.info("Accuracy %.4f on %d samples", found["accuracy"], found["samples"])
    return Outcome({"evaluation": put_evaluation(job.store, ref, found)}, found)


def put_evaluation(store: Store, predictions: Ref, found: dict[str, Any]) -> Ref:
    """Commit the metrics of predictions to the store, under the model's name."""
    return store.put_manifest(
        {
            "format": 1,
            "kind": "evaluation",
            "name": predictions.name,
            "metrics": found,
            "files": {},
            "parents": [predictions.to_json()],
        }
    )


def metrics(predictions: Predictions) -> dict[str, Any]:
    """All metrics of predictions, as plain JSON; samples without a label do not count.

    Returns:
        `accuracy` and its 95 % `interval` (Wilson), `samples`, `unlabelled`, `log_loss` (mean, natural logarithm),
        and `per_class`: of each class with samples, `class`, `samples`, `recall` with `interval`, and `precision`
        (None if never predicted).

    Raises:
        DataError: No sample has a label.
    """
    labelled = predictions.labelled()
    correct, n = int(labelled.correct().sum()), len(labelled.labels)
    told = labelled.probabilities[np.arange(n), labelled.labels].astype(np.float64)
    return {
        "accuracy": _rounded(correct / n),
        "interval": [_rounded(bound) for bound in wilson(correct, n)],
        "samples": n,
        "unlabelled": len(predictions.labels) - n,
        "log_loss": _rounded(-np.log(np.maximum(told, LEAST_PROBABILITY)).mean()),
        "per_class": _per_class(labelled),
    }


def _per_class(labelled: Predictions) -> list[dict[str, Any]]:
    classes = len(labelled.classes)
    named = labelled.probabilities.argmax(axis=1)
    right = np.bincount(labelled.labels[labelled.correct()], minlength=classes)
    samples = np.bincount(labelled.labels, minlength=classes)
    predicted = np.bincount(named, minlength=classes)
    return [
        {
            "class": name,
            "samples": int(samples[i]),
            "recall": _rounded(right[i] / samples[i]),
            "interval": [_rounded(bound) for bound in wilson(int(right[i]), int(samples[i]))],
            "precision": _rounded(right[i] / predicted[i]) if predicted[i] else None,
        }
        for i, name in enumerate(labelled.classes)
        if samples[i]
    ]


def _rounded(value: Any) -> float:
    return round(float(value), DIGITS)
