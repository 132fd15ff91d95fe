"""Whose Job it is, in a cluster of a few dicts; a real one's is in test_kubernetes."""

from __future__ import annotations

import time

import pytest

kubernetes = pytest.importorskip("kubernetes.client", reason="the Kubernetes client is not in the job half")

from airflow_mlplat.errors import LaunchError  # noqa: E402
from airflow_mlplat.launchers import kubernetes_claim  # noqa: E402
from airflow_mlplat.launchers.kubernetes_claim import Claim, Seen  # noqa: E402
from airflow_mlplat.launchers.kubernetes_cluster import Cluster  # noqa: E402

OWN = {"airflow-mlplat.job": "k"}


class FewDicts(Cluster):
    """A cluster without a server: one Job at most, and any pods."""

    def __init__(self) -> None:
        self.there, self.made_pods, self.deleted = None, [], []

    def create_job(self, manifest):
        if self.there is not None:
            raise kubernetes.ApiException(status=409, reason="Conflict")
        self.there = job("made", manifest["metadata"]["annotations"])
        return self.there

    def job(self, name):
        return self.there

    def pods(self, job_uid):
        return [pod for pod in self.made_pods if pod["of"] == job_uid]

    def delete_job(self, name, uid):
        if self.there is not None and self.there["metadata"]["uid"] == uid:
            self.there = None

    def delete_pod(self, pod, grace_seconds):
        self.deleted.append(grace_seconds)
        if grace_seconds == 0 or pod["obeys"]:
            self.made_pods.remove(pod)


def job(uid: str, annotations: dict | None = None, **metadata) -> dict:
    """A Job of some uid."""
    return {"metadata": {"uid": uid, "annotations": annotations, **metadata}, "status": {}}


def pod(of: str, *, obeys: bool = True, phase: str = "Pending") -> dict:
    """A pod of a Job, which ends when it is asked to, or only when it is killed."""
    state = {"running": {}} if phase == "Running" else {}
    metadata = {"uid": "p", "name": "p", "creationTimestamp": "2026-01-31T12:00:00Z"}
    status = {"phase": phase, "containerStatuses": [{"state": state}]}
    return {"of": of, "obeys": obeys, "metadata": metadata, "status": status}


@pytest.fixture
def cluster():
    """An empty one."""
    return FewDicts()


@pytest.fixture
def claim(cluster, tmp_path):
    """A claim in it."""
    return Claim(cluster, "x", OWN, tmp_path / "uid.json")


MANIFEST = {"metadata": {"annotations": OWN}}


def test_what_was_made_is_found(claim, cluster):
    assert claim.look() is None
    claim.create(MANIFEST)
    assert claim.look() == Seen("made", cluster.there, None)
    cluster.made_pods = [pod("made"), pod("other")]
    assert claim.look() == Seen("made", None, cluster.made_pods[0])
    cluster.there = None
    assert claim.look().pod is cluster.made_pods[0]  # it is still ending
    cluster.made_pods = []
    assert claim.look() is None


def test_one_of_the_name_with_another_uid_is_not_ours(claim, cluster):
    claim.create(MANIFEST)
    cluster.there = job("anew", OWN)
    assert claim.look() is None
    with pytest.raises(LaunchError, match=r"Job x is there, and is not the one that we made; got uid anew.*delete it"):
        claim.check_free()


@pytest.mark.parametrize(("annotations", "ours"), [(OWN, True), ({}, False), (None, False)], ids=str)
def test_without_a_uid_annotations_tell(claim, cluster, annotations, ours):
    cluster.there = job("u", annotations)
    assert (claim.look() is not None) is ours
    if ours:
        claim.create(MANIFEST)
        assert claim.holds("u")
    else:
        with pytest.raises(kubernetes.ApiException, match="Conflict"):
            claim.create(MANIFEST)


def test_a_job_made_since_is_told_from_the_one_before(claim):
    assert claim.holds("any")
    claim.create(MANIFEST)
    assert claim.holds("made")
    assert not claim.holds("before")


def test_one_that_is_being_deleted_is_waited_for(claim, cluster, monkeypatch):
    cluster.there = job("u", OWN, deletionTimestamp="2026-01-31T12:00:00Z")
    monkeypatch.setattr(kubernetes_claim, "FREE_SECONDS", 0.2)
    with pytest.raises(LaunchError, match="Job x is there"):
        claim.check_free()
    monkeypatch.setattr(time, "sleep", lambda _: cluster.delete_job("x", "u"))
    claim.check_free()


@pytest.mark.parametrize(
    ("made", "graces"),
    [
        ([], []),
        ([pod("made")], [1]),
        ([pod("made", obeys=False)], [1, 0]),
        ([pod("made", phase="Running", obeys=False)], [3, 0]),
        ([pod("made", phase="Running")], [3]),
        ([pod("made", phase="Failed")], [1]),
    ],
    ids=["none", "waiting", "deaf", "deaf and running", "running", "ended"],
)
def test_the_end(claim, cluster, made, graces):
    claim.create(MANIFEST)
    cluster.made_pods = list(made)
    assert claim.end(claim.look(), time.monotonic() + 0.05)
    assert (cluster.there, cluster.deleted) == (None, graces)


def test_a_pod_that_even_force_does_not_end(claim, cluster, monkeypatch):
    claim.create(MANIFEST)
    cluster.made_pods = [pod("made", phase="Running")]
    monkeypatch.setattr(cluster, "delete_pod", lambda *_: None)
    assert not claim.end(claim.look(), time.monotonic())


def test_only_what_has_not_begun_is_waited_for(claim, cluster):
    assert claim.waiting(Seen("u", None, pod("u", phase="Running")), 1) is None
    cluster.warnings = lambda *uids: [f"FailedMount: {uids}"]
    assert claim.waiting(Seen("u", None, pod("u")), 1).what.endswith("(FailedMount: ('p',))")
    made = job("u", creationTimestamp="2026-01-31T12:00:00Z")
    assert claim.waiting(Seen("u", made, None), 1).what.endswith("(FailedMount: ('u',))")


WELL, FAILED = {"terminated": {"exitCode": 0}}, {"terminated": {"exitCode": 1}}
RUNNING, PENDING = {"running": {}}, {}


def in_state(state: dict, index: int = 0) -> dict:
    """A pod of a worker whose container is in some state."""
    labels = {"batch.kubernetes.io/job-completion-index": str(index)}
    return {"of": "made", "metadata": {"labels": labels}, "status": {"containerStatuses": [{"state": state}]}}


@pytest.mark.parametrize(
    ("first", "others", "expected"),
    [
        (RUNNING, [RUNNING], "running"),
        (RUNNING, [PENDING], "pending"),
        (RUNNING, [WELL], "running"),
        (RUNNING, [FAILED], "running"),  # until the cluster has ended it
        (FAILED, [RUNNING], "running"),
        (FAILED, [PENDING], "running"),
        (FAILED, [FAILED], "ended"),
        (WELL, [RUNNING], "ended"),
        (WELL, [FAILED], "ended"),
    ],
)
def test_how_far_several_workers_are(first, others, expected):
    pods = tuple(in_state(state, 1) for state in others)
    assert Seen("u", None, in_state(first), pods).life.value == expected


def test_the_first_workers_pod_is_told_from_the_others(claim, cluster):
    claim.create(MANIFEST)
    second, first = in_state(PENDING, 1), in_state(RUNNING, 0)
    cluster.made_pods = [second]
    assert claim.look() == Seen("made", cluster.there, None, (second,))
    cluster.made_pods = [second, first]
    assert claim.look() == Seen("made", None, first, (second,))
    assert claim.look().pending == second
