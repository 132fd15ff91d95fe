"""Handles and limits."""

from __future__ import annotations

import pytest

from airflow_mlplat.errors import SpecError
from airflow_mlplat.launchers import Handle, Limits


def test_a_handle_round_trips():
    handle = Handle("process", "k" * 64, "/jobs/k")
    assert Handle.from_json(handle.to_json()) == handle


@pytest.mark.parametrize("document", [None, {}, {"launcher": "process"}, {"launcher": "p", "job_key": "k", "pid": 1}])
def test_what_is_no_handle(document):
    with pytest.raises(SpecError, match=r'not a job handle; expected \{"launcher", "job_key", "directory"\}; got '):
        Handle.from_json(document)


def test_a_handle_without_a_directory():
    with pytest.raises(SpecError, match="job handle has a bad directory; expected text; got ''"):
        Handle("process", "k", "")


def test_limits_as_json():
    set_ones = {
        name: value for name, value in Limits(timeout_seconds=2, cpus=0.5).to_json().items() if value is not None
    }
    assert set_ones == {"timeout_seconds": 2, "cpus": 0.5, "gpu": "off", "secrets": ()}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("memory_bytes", 0),
        ("memory_bytes", 1.5),
        ("timeout_seconds", -1),
        ("timeout_seconds", float("nan")),
        ("timeout_seconds", float("inf")),
        ("memory_bytes", True),
        ("timeout_seconds", "2"),
        ("processes", 1.5),
        ("shared_memory_bytes", 0),
        ("cpus", 0),
    ],
)
def test_limits_that_are_none(name, value):
    with pytest.raises(SpecError, match=f"limit {name} is not valid; expected a positive number, or None; got "):
        Limits(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("gpu", "yes"), ("gpu", None), ("network", ""), ("network", 1), ("secrets", "a"), ("secrets", ["../a"])],
)
def test_choices_that_are_none(name, value):
    with pytest.raises(SpecError, match=f"limit {name} is not valid"):
        Limits(**{name: value})
