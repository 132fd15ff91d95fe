"""Whether a pod lives, and how it ended, in the words of Kubernetes 1.37."""

from __future__ import annotations

import time
from datetime import datetime, timezone

import pytest

from airflow_mlplat.errors import JobDiedError, LimitError
from airflow_mlplat.launchers.directory import NOT_MOUNTED, JobDirectory
from airflow_mlplat.launchers.ending import died
from airflow_mlplat.launchers.files import write_json
from airflow_mlplat.launchers.kubernetes_ending import Life, ending_of, is_lost, life, running_seconds


def at(seconds_ago: float) -> str:
    """An instant as Kubernetes tells it."""
    return datetime.fromtimestamp(time.time() - seconds_ago, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod(phase: str, state: dict | None = None, deleted: float | None = None, **status) -> dict:
    """A pod on the node `n1` whose container is in some state."""
    metadata = {"creationTimestamp": at(100), **({} if deleted is None else {"deletionTimestamp": at(deleted)})}
    statuses = [] if state is None else [{"state": state}]
    return {
        "metadata": metadata,
        "spec": {"nodeName": "n1"},
        "status": {"phase": phase, "containerStatuses": statuses, **status},
    }


def terminated(code: int, reason: str = "Error", **others) -> dict:
    """The state of a container that ran from 50 to 20 seconds ago."""
    return {"terminated": {"exitCode": code, "reason": reason, "startedAt": at(50), "finishedAt": at(20), **others}}


RUNNING = {"running": {"startedAt": "2026-01-31T12:00:00Z"}}


@pytest.mark.parametrize(
    ("job", "found", "expected"),
    [
        (None, None, Life.ENDED),
        ({"status": {}}, None, Life.PENDING),
        ({"status": {"conditions": [{"type": "Failed", "status": "True"}]}}, None, Life.ENDED),
        ({"status": {"conditions": [{"type": "Suspended", "status": "True"}]}}, None, Life.PENDING),
        ({"status": {"failed": 1}}, None, Life.ENDED),
        ({"status": {"uncountedTerminatedPods": {"failed": ["uid"]}}}, None, Life.ENDED),
        ({"status": {"uncountedTerminatedPods": {}}}, None, Life.PENDING),
        (None, lambda: pod("Pending"), Life.PENDING),
        (None, lambda: pod("Pending", {"waiting": {"reason": "ContainerCreating"}}), Life.PENDING),
        (None, lambda: pod("Running", RUNNING), Life.RUNNING),
        (None, lambda: pod("Running", RUNNING, deleted=-3), Life.RUNNING),
        (None, lambda: pod("Running", RUNNING, deleted=50), Life.RUNNING),
        (None, lambda: pod("Running", RUNNING, deleted=70), Life.ENDED),
        (None, lambda: pod("Running", terminated(0, "Completed")), Life.ENDED),
        (None, lambda: pod("Succeeded"), Life.ENDED),
        (None, lambda: pod("Failed"), Life.ENDED),
    ],
    ids=range(16),
)
def test_how_far_a_job_is(job, found, expected):
    assert life(job, found and found()) is expected


def test_a_node_that_does_not_say_that_a_pod_has_ended_is_lost():
    assert not is_lost(pod("Running", RUNNING))
    assert is_lost(pod("Running", RUNNING, deleted=70))


def test_how_long_it_has_run():
    assert 49 < running_seconds(pod("Running", {"running": {"startedAt": at(50)}})) < 60
    assert [running_seconds(found) for found in (pod("Pending"), pod("Succeeded", terminated(0)), {})] == [0, 0, 0]


EVICTED = 'Usage of EmptyDir volume "scratch" exceeds the limit "64Mi". '
LOW = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. "
DRAINED = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "drained"}


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (lambda: pod("Failed", terminated(3)), "exited with code 3 after (29|30|31).* s"),
        (lambda: pod("Failed", terminated(137)), r"was killed by signal 9 \(SIGKILL\) after (29|30|31).* s"),
        (
            lambda: pod("Failed", terminated(137, "OOMKilled")),
            r"ended over its memory limit of 256 MiB \(it used all of it\)",
        ),
        (
            lambda: pod("Failed", terminated(137), reason="Evicted", message=EVICTED),
            r"\(Evicted: Usage of .*64Mi.*TMPDIR",
        ),
        (
            lambda: pod("Failed", None, reason="Evicted", message=LOW),
            r"\(Evicted: .*low on .*memory.*set limits memory_bytes",
        ),
        (
            lambda: pod("Failed", terminated(143), conditions=[DRAINED]),
            r"\(EvictionByEvictionAPI: drained\).*from the last check",
        ),
        (
            lambda: pod("Failed", terminated(128, "StartError", message="no such file")),
            r"\(StartError: no such file\).*make images",
        ),
        (lambda: pod("Running", RUNNING, deleted=70), r"by the cluster \(its node n1 does not answer\) after 10\d"),
        (lambda: pod("Failed"), r"by the cluster \(it does not say why\) after 10\d"),
    ],
    ids=range(9),
)
def test_how_it_ended(tmp_path, found, message):
    directory = JobDirectory(tmp_path)
    write_json(directory.launch, {"limits": {"memory_bytes": 256 << 20}})
    with pytest.raises((JobDiedError, LimitError), match=message):
        raise died(directory, "k", ending_of(found(), directory))


def test_a_volume_that_is_another(tmp_path):
    directory, said = JobDirectory(tmp_path, apart=True), f"/mlplat/told/launch.json {NOT_MOUNTED}"
    found = pod("Failed", terminated(70, message=said, finishedAt=at(50)))
    error = died(directory, "k", ending_of(found, directory))
    assert isinstance(error, JobDiedError)  # a node may not have mounted it yet
    assert "after 0.0 s" in error.what and "volume or mounted_at" in str(error) and said in str(error)
    directory.work.mkdir(parents=True)
    directory.log.write_text(said)  # so the directory was there: a job may say and end as it likes
    assert isinstance(died(directory, "k", ending_of(found, directory)), JobDiedError)


def test_what_a_pod_said_is_told_where_there_is_no_log(tmp_path):
    directory = JobDirectory(tmp_path)
    found = pod("Failed", terminated(1, message="No module named airflow_mlplat"))
    assert "No module named airflow_mlplat" in str(died(directory, "k", ending_of(found, directory)))
    assert str(died(directory, "k", ending_of(pod("Failed", terminated(1)), directory))).endswith("It logged nothing.")


def test_what_stopped_a_job_is_told_by_the_cluster_and_all_else_by_the_job(tmp_path):
    directory, evicted = JobDirectory(tmp_path), pod("Failed", terminated(143), reason="Evicted", message=LOW)
    write_json(directory.exit, {"reason": "stopped", "seconds": 1})
    assert "Evicted: The node was low" in str(died(directory, "k", ending_of(evicted, directory)))
    assert "was stopped from outside" in str(died(directory, "k", ending_of(pod("Failed", terminated(143)), directory)))
    write_json(directory.exit, {"reason": "cancelled", "seconds": 1})
    assert "was cancelled" in str(died(directory, "k", ending_of(evicted, directory)))
