"""Which Job of a cluster is the one that we started for a job: not just one of its name, but the one of its uid."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from airflow_mlplat.errors import LaunchError
from airflow_mlplat.launchers.files import read_json, write_json
from airflow_mlplat.launchers.kubernetes_cluster import Cluster
from airflow_mlplat.launchers.kubernetes_ending import Life, is_well, life
from airflow_mlplat.launchers.kubernetes_job import GRACE_SECONDS, worker_of
from airflow_mlplat.launchers.kubernetes_pending import Waiting, waiting

POLL_SECONDS = 0.1
FREE_SECONDS = 10
"""How long a Job that is being deleted may take: its pods' grace, and what the cluster does after."""


class Seen(NamedTuple):
    """What the cluster has of a job.

    Args:
        uid: Of its Job.
        job: That, if there is no pod of worker 0.
        pod: Of worker 0.
        others: Pods of the other workers.
    """

    uid: str
    job: dict[str, Any] | None
    pod: dict[str, Any] | None
    others: tuple[dict[str, Any], ...] = ()

    @property
    def life(self) -> Life:
        """How far it is. When one worker has failed, the cluster ends the others, which is waited for."""
        first, others = life(self.job, self.pod), [life(None, pod) for pod in self.others]
        if first is Life.ENDED and (self.pod is None or is_well(self.pod)):
            return Life.ENDED
        failed = first is Life.ENDED or any(
            end is Life.ENDED and not is_well(pod) for end, pod in zip(others, self.others)
        )
        if failed:
            return Life.ENDED if {first, *others} == {Life.ENDED} else Life.RUNNING
        return Life.PENDING if Life.PENDING in (first, *others) else Life.RUNNING

    @property
    def pending(self) -> dict[str, Any] | None:
        """The pod that keeps the job from beginning; None if the one that is missing does."""
        if self.pod is None:
            return None
        return next((pod for pod in (self.pod, *self.others) if life(None, pod) is Life.PENDING), None)


class Claim:
    """One job's claim to a Job.

    Args:
        cluster: Where the Job is, or will be.
        name: Of the Job.
        own: Annotations that tell our Jobs from others', should its uid not be written down.
        uid_file: Where the uid of the Job that we made is written down; where no job can write.
    """

    def __init__(self, cluster: Cluster, name: str, own: Mapping[str, str], uid_file: Path) -> None:
        self.name, self._cluster, self._own, self._uid_file = name, cluster, own, uid_file

    def create(self, manifest: dict[str, Any]) -> str:
        """Make the Job, and write down its uid, which is returned. One of ours that is there is taken for it.

        Raises:
            ApiException: Refused, as for the name of somebody else's Job.
        """
        from kubernetes.client import ApiException

        self._uid_file.unlink(missing_ok=True)  # of an earlier Job; should we die before the new one is written: `_own`
        try:
            made = self._cluster.create_job(manifest)
        except ApiException as error:
            found = self._cluster.job(self.name) if error.status == 409 else None
            if found is None or not self._is_ours(found):
                raise
            made = found  # another host was first: not every file system keeps locks between hosts
        uid: str = made["metadata"]["uid"]
        self.record(uid)
        return uid

    def record(self, uid: str) -> None:
        """Write down that this is the uid of our Job."""
        self._uid_file.parent.mkdir(parents=True, exist_ok=True)
        write_json(self._uid_file, {"uid": uid})

    def holds(self, uid: str) -> bool:
        """Whether no other Job than that of this uid was made since."""
        known = read_json(self._uid_file)
        return known is None or known["uid"] == uid

    def look(self) -> Seen | None:
        """What the cluster has of our Job."""
        known, job = read_json(self._uid_file), None
        if known is None:
            job = self._cluster.job(self.name)
            if job is None or not self._is_ours(job):
                return None
        uid = known["uid"] if job is None else job["metadata"]["uid"]
        pods = self._cluster.pods(uid)
        first = [pod for pod in pods if worker_of(pod) == 0]
        others = tuple(pod for pod in pods if worker_of(pod) != 0)
        if first:
            return Seen(uid, None, first[0], others)
        job = job or self._cluster.job(self.name)
        return None if job is None or job["metadata"]["uid"] != uid else Seen(uid, job, None, others)

    def check_free(self) -> None:
        """Raise LaunchError if there is a Job of our name that is not ours. One that is being deleted is waited for."""
        deadline = time.monotonic() + FREE_SECONDS
        job = self._cluster.job(self.name)
        while job is not None and "deletionTimestamp" in job["metadata"] and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            job = self._cluster.job(self.name)
        if job is not None:
            raise LaunchError(
                f"Job {self.name} is there, and is not the one that we made",
                got=f"uid {job['metadata']['uid']}",
                fix="see whose it is (kubectl describe job), then delete it",
            )

    def waiting(self, seen: Seen, pending_seconds: float) -> Waiting | None:
        """What keeps a job from beginning; None if it has begun."""
        if seen.life is not Life.PENDING:
            return None
        pod = seen.pending
        uids = [seen.uid] if pod is None else [pod["metadata"]["uid"]]
        return waiting(seen.job, pod, lambda: self._cluster.warnings(*uids), pending_seconds)

    def delete(self, seen: Seen) -> None:
        """Delete the Job; the cluster deletes its pod."""
        self._cluster.delete_job(self.name, seen.uid)

    def end(self, seen: Seen, deadline: float) -> bool:
        """Delete the Job and its pod, and wait until that has ended.

        Args:
            seen: It.
            deadline: By the monotonic clock: when the pod is killed, and its node's word is not waited for any more.

        Returns:
            Whether it has ended.
        """
        self.delete(seen)
        for pod in self._cluster.pods(seen.uid):
            self._cluster.delete_pod(pod, GRACE_SECONDS if seen.life is Life.RUNNING else 1)
        while True:
            left = [pod for pod in self._cluster.pods(seen.uid) if life(None, pod) is not Life.ENDED]
            if not left or time.monotonic() > deadline + POLL_SECONDS:
                return not left
            if time.monotonic() > deadline:
                for pod in left:
                    self._cluster.delete_pod(pod, 0)
            time.sleep(POLL_SECONDS)

    def _is_ours(self, job: dict[str, Any]) -> bool:
        annotations = job["metadata"].get("annotations") or {}
        return all(annotations.get(name) == value for name, value in self._own.items())
