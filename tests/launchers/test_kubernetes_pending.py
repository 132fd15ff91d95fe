"""Why pods do not start, in the words of Kubernetes 1.37."""

from __future__ import annotations

import time
from datetime import datetime, timezone

import pytest

from airflow_mlplat.launchers.kubernetes_pending import Waiting, seconds_since, waiting


def at(seconds_ago: float) -> str:
    """An instant as Kubernetes tells it."""
    return datetime.fromtimestamp(time.time() - seconds_ago, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod(age: float, reason: str | None = None, message: str = "", *, scheduled: float | None = None) -> dict:
    """A pod that waits; it got its node some seconds ago."""
    why = {"reason": reason or "ContainerCreating", "message": message}
    conditions = [{"type": "Initialized", "status": "True", "lastTransitionTime": at(age)}]
    if scheduled is not None:
        conditions.append({"type": "PodScheduled", "status": "True", "lastTransitionTime": at(scheduled)})
    status = {"phase": "Pending", "conditions": conditions, "containerStatuses": [{"state": {"waiting": why}}]}
    return {"metadata": {"creationTimestamp": at(age)}, "status": status}


def unscheduled(age: float, message: str) -> dict:
    """A pod that no node takes."""
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {"metadata": {"creationTimestamp": at(age)}, "status": {"phase": "Pending", "conditions": [condition]}}


# What the cluster says → seconds that it is waited for (None: pending_seconds), whether the user can mend it, a part.
PULL = 'Back-off pulling image "x:1": ErrImagePull: failed to resolve reference'
SAID = {
    ("InvalidImageName", "couldn't parse image name"): (0, True, "the name of its image is not valid"),
    ("ErrImageNeverPull", 'Container image "x:1" is not present'): (0, True, "its node has not its image"),
    ("ImagePullBackOff", PULL + ": docker.io/x:1: not found"): (20, True, "push it"),
    ("ErrImagePull", "pull access denied, repository does not exist"): (20, True, "push it"),
    ("ErrImagePull", "dial tcp: lookup registry: i/o timeout"): (60, False, "the node reaches the image's registry"),
    ("CreateContainerConfigError", 'secret "s3" not found'): (20, True, "a secret that it sees is not there"),
    ("CreateContainerConfigError", "image has non-numeric user"): (20, True, "its container cannot be made so"),
}
COMPLAINTS = {
    'FailedMount: MountVolume.SetUp failed for volume "secret-0" : secret "s3" not found': (20, True, "make it in"),
    "FailedMount: MountVolume.SetUp failed for volume: mount.nfs: Connection refused": (None, False, "see the volume"),
    'FailedCreate: pods "x-" is forbidden: exceeded quota: q, requested: pods=1': (None, False, "quota is used up"),
    'FailedCreate: pods "x-" is forbidden: violates PodSecurity "baseline:v1": hostPath': (20, True, "take its pod"),
    'FailedCreate: pods "x-" is forbidden: error looking up service account: serviceaccount "y" not found': (
        20, True, "take its pod",
    ),
    "FailedCreatePodSandBox: mkdir /sys/fs/cgroup/memory/x: cannot allocate memory: unknown": (20, True, "too small"),
    "SomethingNew: of which we know nothing": (None, False, "it was not started (SomethingNew: of which"),
}  # fmt: skip
UNSCHEDULABLE = {
    "0/1 nodes are available: 1 Insufficient memory.": (None, False, "no node has room for it"),
    "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.": (None, False, "no node has room for it"),
    "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.": (
        None,
        False,
        "mend node_selector",
    ),
    "0/1 nodes are available: 1 node(s) had untolerated taint {gpu: }.": (None, False, "mend node_selector"),
    'persistentvolumeclaim "c" not found': (20, True, "make the claim"),
}


def stuck(*of) -> Waiting | None:
    """What is not waited for any more."""
    found = waiting(*of)
    return found if found.is_stuck else None


def check(pending, warnings, expected, age) -> None:
    patience, user, part = expected
    found = waiting(None, pending, lambda: warnings, 900)
    assert found.is_stuck is (age > (900 if patience is None else patience))
    assert found.user is user
    assert part in f"{found.what}. {found.fix}"
    assert found.what.startswith("did not begin: ")
    assert abs(found.seconds - age) < 3
    assert found.to_json()["told"] == found.what


@pytest.mark.parametrize("age", [12, 40, 100, 1000])
@pytest.mark.parametrize("said", SAID, ids=str)
def test_what_containers_say(said, age):
    check(pod(age, *said), [], SAID[said], age)


@pytest.mark.parametrize("age", [12, 40, 1000])
@pytest.mark.parametrize("said", COMPLAINTS)
def test_what_events_say(said, age):
    check(pod(age), ["Something: earlier", said], COMPLAINTS[said], age)


@pytest.mark.parametrize("age", [12, 40, 1000])
@pytest.mark.parametrize("said", UNSCHEDULABLE)
def test_what_the_scheduler_says(said, age):
    check(unscheduled(age, said), [], UNSCHEDULABLE[said], age)


def test_events_are_asked_for_only_when_a_pod_is_silent_for_long():
    def never() -> list[str]:
        raise AssertionError

    assert stuck(None, pod(1), never, 900) is None
    assert stuck(None, pod(100, "ErrImagePull", "i/o timeout"), never, 900) is not None


def test_no_reason_is_waited_for_longer_than_the_options_say():
    assert stuck(None, pod(12, "ErrImagePull", "i/o timeout"), list, 10) is not None


def test_time_counts_from_when_there_was_a_node():
    assert stuck(None, pod(3000, scheduled=2), list, 900) is None
    assert stuck(None, pod(3000, scheduled=1000), list, 900) is not None


def test_a_job_of_which_no_pod_was_made():
    job = {"metadata": {"creationTimestamp": at(30)}}
    assert stuck(job, None, list, 900) is None
    assert stuck(job, None, lambda: ["FailedCreate: forbidden: violates PodSecurity"], 900).user
    assert stuck(job, None, list, 20).what == "did not begin: it was not started"


def test_instants():
    assert seconds_since("2026-01-31T12:00:00Z") == pytest.approx(time.time() - 1769860800, abs=2)
    assert seconds_since("2026-01-31T12:00:00.123456Z") == pytest.approx(time.time() - 1769860800, abs=2)


def test_the_complaint_that_says_most_is_told():
    said = ['Failed: Failed to pull image "x:1": not found', "Failed: Error: ErrImagePull"]
    found = stuck(None, pod(21), lambda: said, 900)
    assert found is not None
    assert "x:1" in found.what
