"""What a spec alone tells of a job: the mistakes that are told before it is submitted."""

from __future__ import annotations

import re

import pytest

from airflow_mlplat.contract import JobSpec
from airflow_mlplat.errors import SpecError
from airflow_mlplat.stages import STAGES
from airflow_mlplat.stages.check import OPTIONS, check_spec


def spec(stage="train", framework="tensorflow", workers=1, **params):
    return JobSpec(stage, "digits", "/store", "c", "i", params=params, framework=framework, workers=workers)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"shape": [8, 8, 1], "epoch": 5}, "unknown option 'epoch'"),
        ({"shape": [8, 8]}, "shape is wrong; expected [height, width, channels]"),
        ({"shape": [8, 8, 1], "precision": "float8"}, "unknown precision; expected float32 | bfloat16 | float16"),
        ({"shape": [8, 8, 1], "keep_bytes": "1GB"}, "keep_bytes must be a whole number"),
        ({"shape": [8, 8, 1], "checkpoint_every": 0}, "checkpoint_every must be a whole number; expected 1 or more"),
        ({"shape": [8, 8, 1], "batch_size": 32, "workers": 3}, "all 3 workers together; expected a multiple of 3"),
        ({"shape": [8, 8, 1], "framework": "caffe", "workers": 2}, "workers is for tensorflow and mxnet"),
        ({"stage": "predict", "batch": 5}, "unknown option 'batch'"),
        ({"stage": "dataset", "max_bad_fraction": 2}, "max_bad_fraction must be a share"),
        ({"stage": "compare", "alfa": 0.1}, "unknown option 'alfa'"),
        ({"stage": "compare", "alpha": 2}, "alpha must be a probability"),
    ],
)  # fmt: skip
def test_a_mistake_is_told(how, told):
    with pytest.raises(SpecError, match=re.escape(told)):
        check_spec(spec(**how))


def test_what_is_right_passes_as_the_job_will_see_it():
    check_spec(spec(shape=(8, 8, 1), augment=({"name": "flip"},)))  # tuples become lists
    check_spec(spec("evaluate", None))
    assert set(OPTIONS) | {"evaluate"} == set(STAGES)
