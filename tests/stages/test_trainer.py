"""The trainer's protocol is what the frameworks' trainers have."""

from __future__ import annotations

import importlib
import inspect

import pytest

from airflow_mlplat.runtime.frameworks import FRAMEWORKS
from airflow_mlplat.stages import OPTIMIZERS, Trainer


@pytest.mark.parametrize("framework", sorted(FRAMEWORKS))
def test_a_framework_has_all_of_it(framework):
    module, _, name = FRAMEWORKS[framework].partition(":")
    found = importlib.import_module(module)  # imports no framework
    methods = [method for method, value in vars(Trainer).items() if inspect.isfunction(value) and method[0] != "_"]
    assert len(methods) == 9
    for method in methods:
        ours, theirs = getattr(Trainer, method), getattr(getattr(found, name), method)
        assert inspect.signature(ours) == inspect.signature(theirs), method
    assert tuple(sorted(found.OPTIMIZERS)) == OPTIMIZERS
