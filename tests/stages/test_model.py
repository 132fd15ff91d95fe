"""Model versions in the store."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_mlplat.errors import SpecError
from airflow_mlplat.stages.model import ModelFacts, load_facts, load_weights, put_model, put_weights


def test_a_model_survives(store, dataset):
    facts = ModelFacts("digits", "linear", (8, 8, 1), ["a", "b"], {"options": {}})
    weights = {"w": np.arange(3, dtype=np.float32)}
    ref = put_model(store, facts, dataset(range(3)), {"weights.npz": put_weights(store, weights)})
    found, files = load_facts(store, ref)
    assert found == facts
    np.testing.assert_array_equal(load_weights(store, ref, files)["w"], weights["w"])


def test_only_models_load(store, dataset):
    with pytest.raises(SpecError, match="not a model; expected a reference to a model; got dataset:digits@"):
        load_facts(store, dataset(range(3)))
