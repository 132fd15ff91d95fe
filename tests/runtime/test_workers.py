"""What a launcher tells the workers of a job, and names that resolve late."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlplat.contract import WORKER, WORKER_CHECKPOINTS, WORKERS, JobSpec
from airflow_mlplat.errors import ConfigError, PlatformError, SpecError
from airflow_mlplat.runtime.workers import resolved, workers_of
from airflow_mlplat.stages.workers import ONE_WORKER, Workers

TOLD = {WORKER: "1", WORKERS: "alpha:7000,beta:7001", WORKER_CHECKPOINTS: "/checkpoints"}


def spec(workers=2, stage="train"):
    return JobSpec(stage, "digits", "/store", code_version="c", image="i", workers=workers)


def test_as_told():
    assert workers_of(spec(), TOLD) == Workers(1, (("alpha", 7000), ("beta", 7001)), Path("/checkpoints"))
    assert workers_of(spec(), {**TOLD, WORKER: "0"}).checkpoints is None
    assert workers_of(spec(1), TOLD) == ONE_WORKER
    assert workers_of(spec(1, "predict"), {}) == ONE_WORKER


@pytest.mark.parametrize(
    "change", [{WORKER: "2"}, {WORKER: ""}, {WORKERS: "alpha:7000"}, {WORKERS: "alpha,beta"}, {WORKER_CHECKPOINTS: ""}]
)
def test_what_cannot_be(change):
    with pytest.raises(ConfigError, match=r"not told who its 2 workers are; expected MLPLAT_WORKER 0 … 1, .* launcher"):
        workers_of(spec(), {**TOLD, **change})


def test_other_stages_have_one():
    with pytest.raises(SpecError, match=r"stage 'predict' takes one worker; expected workers 1; got 2\."):
        workers_of(spec(stage="predict"), TOLD)


def test_names_are_waited_for():
    asked = []

    def resolve(host):
        asked.append(host)
        if host == "beta" and len(asked) < 4:
            raise OSError(-2, "Name or service not known")
        return f"10.0.0.{len(host)}"

    found = resolved(Workers(1, (("alpha", 7000), ("beta", 7001)), Path("/c")), 5.0, resolve)
    assert found == Workers(1, (("10.0.0.5", 7000), ("10.0.0.4", 7001)), Path("/c"))
    assert asked == ["alpha", "beta", "beta", "beta"]


def test_a_name_that_never_resolves():
    def resolve(host):
        raise OSError(-2, "Name or service not known")

    with pytest.raises(PlatformError, match=r"worker 'beta' cannot be found by its name; expected an address within 0"):
        resolved(Workers(1, (("beta", 7001),)), 0.0, resolve)
