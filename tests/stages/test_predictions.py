"""Predictions in the store and in memory."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_mlplat.errors import CorruptionError, DataError, SpecError
from airflow_mlplat.stages.predictions import Predictions, load_predictions


def test_they_survive_the_store(store, predictions):
    ref = predictions("m", np.array([True, False, True]))
    found = load_predictions(store, ref)
    document = store.manifest(ref)
    assert (ref.kind, ref.name, document["samples"], document["model"]) == ("predictions", "digits", 3, found.model)
    assert [parent["kind"] for parent in document["parents"]] == ["model", "dataset"]
    assert (found.probabilities.dtype, found.labels.dtype, found.keys.dtype.kind) == (np.float32, np.int64, "S")
    assert found.correct().tolist() == [True, False, True]


def test_only_predictions_load(store, dataset):
    with pytest.raises(SpecError, match="not predictions; expected a reference to predictions; got dataset:digits@"):
        load_predictions(store, dataset(range(3)))


def test_samples_without_a_label_are_left_out():
    made = Predictions("m", "d", ["a", "b"], np.eye(2, dtype=np.float32), np.array([-1, 1]), np.array([b"x", b"y"]))
    assert made.labelled().keys.tolist() == [b"y"]
    none = Predictions("m", "d", ["a", "b"], np.eye(2, dtype=np.float32), np.array([-1, -1]), made.keys)
    with pytest.raises(DataError, match="no sample has a label, so nothing can be measured; got 2 samples"):
        none.labelled()


def test_parts_must_fit():
    with pytest.raises(CorruptionError, match=r"predictions do not fit together; expected 1 rows, 2 classes"):
        Predictions("m", "d", ["a", "b"], np.eye(2), np.array([0]), np.array([b"x"]))
