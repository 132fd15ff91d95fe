"""What launchers read in a job's directory; with real jobs: the launchers' suite."""

from __future__ import annotations

import json
import os
import time

import pytest

from airflow_mlplat.contract import JobError, JobResult, JobSpec
from airflow_mlplat.errors import ContractError, JobDiedError, LaunchError
from airflow_mlplat.launchers import directory_launcher
from airflow_mlplat.launchers.directory_launcher import DirectoryLauncher, fresh

SPEC = JobSpec("test", "digits", "/store", code_version="c", image="i")
GOOD = JobResult(SPEC.key, SPEC.stage)


class Reading(DirectoryLauncher):
    """One whose jobs run, or not."""

    name = "reading"
    running = False

    def alive(self, directory):
        return self.running


@pytest.fixture
def launcher(tmp_path):
    return Reading(tmp_path)


@pytest.fixture
def directory(launcher):
    """That of a job that is prepared."""
    found = launcher.directory(launcher.handle(SPEC))
    found.path.mkdir()
    found.spec.write_text(json.dumps(SPEC.to_json()))
    return found


def test_logs_end_with_whole_lines_while_the_job_runs(launcher, directory):
    handle = launcher.handle(SPEC)
    assert launcher.logs(handle, 0) == ("", 0)
    directory.log.write_text("one\ntw")
    launcher.running = True
    assert launcher.logs(handle, 0) == ("one\n", 4)
    assert launcher.logs(handle, 4) == ("", 4)
    launcher.running = False
    assert launcher.logs(handle, 4) == ("tw", 6)
    assert launcher.logs(handle, 100) == ("one\ntw", 6)  # the job was started again, with a shorter log


def test_a_log_without_end_is_shown_in_part(launcher, directory, monkeypatch):
    monkeypatch.setattr(directory_launcher, "LOG_MOST", 8)
    directory.log.write_text("0123456789")
    handle, text, offset = launcher.handle(SPEC), "", 0
    for _ in range(4):
        more, offset = launcher.logs(handle, offset)
        text += more
    assert text == f"01234567The log goes on in {directory.log}\n"


def test_results(launcher, directory):
    handle = launcher.handle(SPEC)
    launcher.running = True
    with pytest.raises(LaunchError, match="has not ended"):
        launcher.result(handle)
    launcher.running = False
    with pytest.raises(JobDiedError, match="without a result"):
        launcher.result(handle)
    directory.result.write_text(json.dumps(GOOD.to_json()))
    assert launcher.result(handle) == GOOD
    for wrong, error, told in (
        ({**GOOD.to_json(), "job_key": "f" * 64}, JobDiedError, "another job's result"),
        ({"contract_version": 1}, JobDiedError, "malformed result"),
        ({**GOOD.to_json(), "contract_version": 2}, ContractError, "another contract version"),
    ):
        directory.result.write_text(json.dumps(wrong))
        with pytest.raises(error, match=told):
            launcher.result(handle)
    launcher.discard(handle)
    assert not directory.result.exists()


def test_what_has_just_ended_well_is_fresh(directory):
    assert not fresh(directory, SPEC)
    directory.result.write_text(json.dumps(GOOD.to_json()))
    assert fresh(directory, SPEC)
    assert not fresh(directory, JobSpec("test", "digits", "/elsewhere", code_version="c", image="i"))
    old = time.time() - 100
    os.utime(directory.result, (old, old))
    assert not fresh(directory, SPEC)
    assert fresh(directory, SPEC, 1000)
    failed = JobResult(SPEC.key, SPEC.stage, error=JobError("user", "SomeError", "no"))
    directory.result.write_text(json.dumps(failed.to_json()))
    assert not fresh(directory, SPEC)
