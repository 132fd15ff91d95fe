"""Options: defaults, round trip, and a clear word for each mistake."""

from __future__ import annotations

import re

import pytest

from airflow_mlplat.errors import SpecError
from airflow_mlplat.stages.options import PredictOptions, TrainOptions

SHAPE = {"shape": [8, 8, 1]}


def test_they_survive_json():
    options = TrainOptions.from_params({**SHAPE, "epochs": 2, "params": {"width": 8}})
    assert options.shape == (8, 8, 1)
    assert TrainOptions.from_params(options.to_json()) == options


def test_what_is_kept_is_no_part_of_a_models_record():
    assert TrainOptions.from_params({**SHAPE, "keep_bytes": 5}).to_json() == TrainOptions.from_params(SHAPE).to_json()


def test_build_gets_the_users_params_and_ours():
    options = TrainOptions.from_params({**SHAPE, "params": {"width": 8}})
    expected = {"width": 8, "classes": 10, "shape": (8, 8, 1), "framework": "mxnet"}
    assert options.build_params(10, "mxnet") == expected


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({}, "option 'shape' is missing. give shape, such as [28, 28, 1] (height, width, channels)."),
        ({**SHAPE, "epoch": 3}, "unknown option 'epoch'; expected augment | batch_size | "),
        ({**SHAPE, "epoch": 3}, "Did you mean 'epochs'?"),
        ({**SHAPE, "neurons": 3}, "what build(params) shall get goes into 'params'"),
        (
            {"shape": [28, 28]},
            "shape is wrong; expected [height, width, channels], with 1 or 3 channels; got [28, 28].",
        ),
        ({"shape": [28, 28, 2]}, "with 1 or 3 channels; got [28, 28, 2]"),
        ({"shape": "28"}, "shape is wrong"),
        ({"shape": [8, 0, 1]}, "shape is wrong"),
        ({**SHAPE, "epochs": 0}, "epochs must be a whole number; expected 1 or more; got 0."),
        ({**SHAPE, "epochs": "3"}, "got '3'"),
        ({**SHAPE, "epochs": True}, "got True"),
        ({**SHAPE, "batch_size": 1.5}, "batch_size must be a whole number"),
        ({**SHAPE, "seed": -1}, "seed must be a whole number; expected 0 or more"),
        ({**SHAPE, "keep_bytes": -1}, "keep_bytes must be a whole number; expected 0 or more; got -1."),
        ({**SHAPE, "learning_rate": 0}, "learning_rate must be a number; expected above 0, below inf; got 0."),
        ({**SHAPE, "learning_rate": float("nan")}, "learning_rate must be a number"),
        ({**SHAPE, "momentum": 1}, "momentum must be a number; expected 0 or more, below 1; got 1."),
        ({**SHAPE, "validation_fraction": 1}, "validation_fraction must be a number"),
        ({**SHAPE, "optimizer": "adagrad"}, "unknown optimizer; expected adam | sgd; got 'adagrad'."),
        ({**SHAPE, "devices": 0}, "devices must be a whole number; expected 1 or more; got 0."),
        (
            {**SHAPE, "precision": "float8"},
            "unknown precision; expected float32 | bfloat16 | float16; got 'float8'.",
        ),
        ({**SHAPE, "schedule": "step"}, "unknown schedule; expected constant | cosine; got 'step'."),
        ({**SHAPE, "early_stop": 2}, "early_stop has nothing to measure. set validation_fraction, such as 0.1."),
        ({**SHAPE, "params": [1]}, "params must be a dict; got [1]."),
        ({**SHAPE, "params": {"shape": 1}}, "params has names that build(params) gets from us: shape."),
        ({**SHAPE, "params": {"x": {1, 2}}}, "document is not plain JSON"),
    ],
)
def test_a_mistake_is_told(params, told):
    with pytest.raises(SpecError, match=re.escape(told)):
        TrainOptions.from_params(params)


def test_predict_options():
    assert PredictOptions.from_params({}) == PredictOptions(256, 1)
    with pytest.raises(SpecError, match="batch_size must be a whole number"):
        PredictOptions.from_params({"batch_size": 0})
