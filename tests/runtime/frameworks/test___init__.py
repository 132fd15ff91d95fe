"""The table of frameworks."""

from __future__ import annotations

import subprocess
import sys

import pytest

from airflow_mlplat.errors import SpecError
from airflow_mlplat.runtime.frameworks import FRAMEWORKS
from airflow_mlplat.runtime.runner import load_trainer


@pytest.mark.parametrize("framework", sorted(FRAMEWORKS))
def test_a_trainer_loads_without_its_framework(framework):
    code = "import sys; from airflow_mlplat.runtime.runner import load_trainer; "
    code += f"print(load_trainer({framework!r}).__name__); assert {framework!r} not in sys.modules"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip().endswith("Trainer")


def test_an_unknown_one_is_told():
    with pytest.raises(SpecError, match=r"unknown framework; expected caffe \| mxnet \| tensorflow; got 'theano'\."):
        load_trainer("theano")
