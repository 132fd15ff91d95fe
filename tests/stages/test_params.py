"""Options from a stage's params, in one way for all stages."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from airflow_mlplat.errors import SpecError
from airflow_mlplat.stages.compare import CompareOptions
from airflow_mlplat.stages.dataset_options import DatasetOptions
from airflow_mlplat.stages.options import PredictOptions
from airflow_mlplat.stages.params import EXAMPLE, FromParams


@dataclass(frozen=True)
class Options(FromParams):
    """Some."""

    size: tuple = field(metadata={EXAMPLE: "[2, 3]"})
    name: str
    rate: float = 0.5


def test_they_survive_json():
    options = Options.from_params({"size": (2, 3), "name": "a"})
    assert options.to_json() == {"size": [2, 3], "name": "a", "rate": 0.5}


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"name": "a"}, r"option 'size' is missing\. give size, such as \[2, 3\]"),
        ({"size": [1]}, r"option 'name' is missing\. give name\.?$"),
        ({"rates": 1}, r"unknown option 'rates'; expected name \| rate \| size\. Did you mean 'rate'\?"),
        ({"zzz": 1}, r"unknown option 'zzz'; expected name \| rate \| size\.?$"),
    ],
)
def test_a_mistake_is_told(params, told):
    with pytest.raises(SpecError, match=told):
        Options.from_params(params)


@pytest.mark.parametrize(
    ("options", "meant"), [(CompareOptions, "alpha"), (DatasetOptions, "classes"), (PredictOptions, "batch_size")]
)
def test_every_stage_says_what_was_meant(options, meant):
    with pytest.raises(SpecError, match=f"Did you mean '{meant}'"):
        options.from_params({meant[:-1]: 1})
