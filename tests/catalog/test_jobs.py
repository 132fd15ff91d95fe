from __future__ import annotations

import dataclasses

import pytest

from airflow_mlplat.catalog import RunInfo
from airflow_mlplat.contract import JobError, JobResult, JobSpec
from airflow_mlplat.errors import NotFoundError, SpecError


def test_job_is_recorded_once_with_its_first_run(catalog, make):
    spec, ref = make.job("train", "model", "fashion", "2026-01-02", version=1)
    make.job("train", "model", "fashion", "2026-01-03", version=1)
    row = catalog.job(spec.key)
    assert row.key == spec.key and row.spec == spec and row.result.outputs == {"model": ref}
    assert row.run == RunInfo("dag", "run-2026-01-02", "train", -1, "2026-01-02")
    assert [job.key for job in catalog.jobs()] == [spec.key]
    assert len(catalog.artifacts("model")) == 1


def test_jobs_by_stage_and_name_newest_first(catalog, make):
    keys = [make.job("train", "model", "fashion", version=version)[0].key for version in range(3)]
    make.job("dataset", "dataset", "fashion", version=1)
    assert [job.key for job in catalog.jobs("train", "fashion")] == keys[::-1]
    assert [job.key for job in catalog.jobs("train", limit=1)] == keys[-1:]
    assert catalog.jobs("train", "other") == []


def test_unknown_job(catalog):
    with pytest.raises(NotFoundError, match="no job abc is recorded"):
        catalog.job("abc")


def test_only_whole_successes_are_recorded(catalog, make):
    ref, document = make.thing("model", "fashion")
    spec = JobSpec("train", "fashion", "/store", "c0de", "1mage")
    result = JobResult(spec.key, "train", {"model": ref})
    wrong = [
        (dataclasses.replace(result, job_key="other"), "the result belongs to another job; expected .*; got other"),
        (
            dataclasses.replace(result, error=JobError("user", "DataError", "bad")),
            "a failed train job cannot be recorded",
        ),
    ]
    for case, message in wrong:
        with pytest.raises(SpecError, match=message):
            catalog.record_job(spec, case, {ref.digest: document}, make.run())
    with pytest.raises(SpecError, match=r"manifests of the train job's outputs are missing; expected .*model:fashion@"):
        catalog.record_job(spec, result, {}, make.run())
    assert catalog.jobs() == []


def test_partition_of_a_run_is_text():
    with pytest.raises(SpecError, match="a run's partition is not text; expected a key such as 2026-01-31; got None"):
        RunInfo("dag", "run", "task", -1, None)
