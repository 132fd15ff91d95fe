"""What a stage is given."""

from __future__ import annotations

import logging

import pytest

from airflow_mlplat.contract import JobSpec, Ref
from airflow_mlplat.errors import SpecError
from airflow_mlplat.stages import Job, Outcome

REF = Ref("span", "digits", "0" * 64)


@pytest.fixture
def job(tmp_path, store):
    spec = JobSpec(
        "dataset", "digits", store.url, code_version="c", image="i", inputs={"spans": [REF, REF], "one": [REF]}
    )
    return Job(spec, store, tmp_path, None, logging.getLogger())


def test_inputs_by_role(job):
    assert (job.inputs("spans"), job.inputs("none"), job.input("one")) == ([REF, REF], [], REF)


@pytest.mark.parametrize(("role", "count"), [("spans", 2), ("none", 0)])
def test_one_is_one(job, role, count):
    with pytest.raises(SpecError, match=f"stage 'dataset' takes one {role}; expected 1; got {count}"):
        job.input(role)


def test_a_framework_is_there_or_told(job):
    with pytest.raises(SpecError, match="stage 'dataset' needs a framework"):
        job.framework()


def test_an_outcome_may_be_bare():
    assert Outcome({}) == Outcome({}, {}, {})
