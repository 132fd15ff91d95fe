"""Options of the dataset stage."""

from __future__ import annotations

import re

import pytest

from airflow_mlplat.errors import SpecError
from airflow_mlplat.stages.dataset_options import DatasetOptions


def test_from_plain_json():
    options = DatasetOptions.from_params({"classes": ["a", "b"], "max_bad_fraction": 0})
    assert options == DatasetOptions(("a", "b"), 0)
    assert DatasetOptions.from_params({"classes": None}).classes is None


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"classes": "ab"}, "classes must be a list of different names; got 'ab'."),
        ({"classes": ["a", "a"]}, "classes must be a list of different names"),
        ({"classes": []}, "classes must be a list of different names"),
        ({"classes": [1]}, "classes must be a list of different names"),
        ({"max_bad_fraction": 2}, "max_bad_fraction must be a share; expected 0 to 1; got 2."),
        ({"max_bad_fraction": True}, "max_bad_fraction must be a share"),
        ({"max_bad_fractions": 0}, "Did you mean 'max_bad_fraction'?"),
        ({"labels": []}, "unknown option 'labels'; expected classes | max_bad_fraction."),
    ],
)
def test_a_mistake_is_told(params, told):
    with pytest.raises(SpecError, match=re.escape(told)):
        DatasetOptions.from_params(params)
