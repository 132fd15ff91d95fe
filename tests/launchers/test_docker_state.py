"""What an engine says of a container."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from airflow_mlplat.launchers.docker_state import at_work, ended, living, seconds

NEVER = "0001-01-01T00:00:00Z"


def ago(count: float) -> str:
    """An instant as the engine tells it."""
    return (datetime.now(timezone.utc) - timedelta(seconds=count)).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")


def inspected(status: str, *, created: float = 100, started: str = NEVER, finished: str = NEVER, **state) -> dict:
    """A part of what `inspect` gives."""
    times = {"StartedAt": started, "FinishedAt": finished}
    return {"Created": ago(created), "State": {"Status": status, "ExitCode": 0, "OOMKilled": False, **times, **state}}


@pytest.mark.parametrize(
    ("status", "created", "lives"),
    [("running", 1e6, True), ("paused", 1e6, True), ("exited", 1, False), ("created", 1, True), ("created", 70, False)],
)
def test_living(status, created, lives):
    assert living(inspected(status, created=created)) == lives


@pytest.mark.parametrize(
    ("workers", "well", "goes_on"),
    [
        (["running"], [], True),
        ([None], [], False),
        (["running", "running"], [], True),
        (["running", "exited"], [1], True),
        (["running", "exited"], [], False),
        (["running", None], [1], True),
        (["running", None], [], False),
        (["exited", "running"], [0], False),
    ],
)
def test_a_job_goes_on_with_all_its_workers(workers, well, goes_on):
    found = [None if status is None else inspected(status) for status in workers]
    assert at_work(found, well.__contains__) == goes_on


def test_seconds():
    assert seconds(inspected("created")) == 0
    assert 9 <= seconds(inspected("running", started=ago(10))) <= 60
    assert seconds(inspected("exited", started=ago(30), finished=ago(10))) == pytest.approx(20, abs=2)


def test_how_it_ended():
    limits = {"limits": {"memory_bytes": 5}}
    killed = ended(inspected("exited", ExitCode=137, OOMKilled=True), limits)
    assert (killed["reason"], killed["signal"], killed["exit_code"], killed["limits"]) == (
        "memory limit", 9, None, {"memory_bytes": 5}
    )  # fmt: skip
    exited = ended(inspected("exited", ExitCode=3), None)
    assert (exited["reason"], exited["signal"], exited["exit_code"]) == ("exited", None, 3)
    assert exited["limits"]["memory_bytes"] is None
