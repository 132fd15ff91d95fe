"""Run jobs in pods of a Kubernetes cluster: a Job for each, with one pod for each of its workers.

A Job's name follows from the job's key, so that a job is found again, whoever started it, and never started twice. Its
uid is kept beside the jobs' directories: a Job of that name which somebody else has made since is not ours.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlplat.contract import CACHE, JobSpec, digest
from airflow_mlplat.errors import ConfigError, LaunchError, MlplatError
from airflow_mlplat.launchers import container, ending
from airflow_mlplat.launchers.base import Handle, Image, JobState, Limits
from airflow_mlplat.launchers.container import Mount
from airflow_mlplat.launchers.container_launcher import INSTALLATION_LABEL, JOB_LABEL, ContainerLauncher
from airflow_mlplat.launchers.directory import JobDirectory
from airflow_mlplat.launchers.files import read_json, write_json
from airflow_mlplat.launchers.kubernetes_claim import Claim, Seen
from airflow_mlplat.launchers.kubernetes_cluster import Cluster
from airflow_mlplat.launchers.kubernetes_ending import Life, ending_of, is_lost, is_well, life, running_seconds
from airflow_mlplat.launchers.kubernetes_errors import told
from airflow_mlplat.launchers.kubernetes_job import (
    job_manifest,
    pod_spec,
    service_manifest,
    subdomain_of,
    worker_host,
    worker_of,
)
from airflow_mlplat.launchers.kubernetes_options import KubernetesOptions
from airflow_mlplat.launchers.kubernetes_pending import EVENTS_SECONDS, Waiting
from airflow_mlplat.launchers.start import Launch

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

LOG = logging.getLogger(__name__)
FORCE_SECONDS = 3.5
"""How long a pod may take to end until it is killed."""
OUTAGE_SECONDS = 60
"""For how long jobs count as what they were when the API server answered last: it may be upgraded."""
OVERDUE_SECONDS = 30
"""So long after its time limit a job is ended from here: the supervisor in its pod did not; user code may starve it."""
SAY_SECONDS = 30
"""Between two lines in the log about why a job does not begin: the cluster may find one reason, then another."""
START_SECONDS = 1
"""How long a new Job's pod is waited for, so that it is not made behind the back of who deletes the Job."""


class KubernetesLauncher(ContainerLauncher):
    """The launcher for a cluster whose nodes mount the volume that holds our folders.

    What a pod reaches over the network is not said here: isolate jobs by a NetworkPolicy that selects the label
    `app.kubernetes.io/name: airflow-mlplat`. Without one they reach all that the cluster does.

    Args:
        jobs: Folder of the jobs' directories, in the volume.
        options: Of the cluster.
        connect: Makes a client of its API server; called when it is first needed.
        orphan_seconds: A job that nobody asked for its state for so long ends itself.
        variables: Environment variables that every job gets.
        grant: Says which folder a job sees as its store; None: none.
        keep_days: How long `sweep`, and the cluster, leave what an ended job left.
        command: What to run for a spec in a directory, instead of the runtime.
    """

    name = "kubernetes"
    own_folder = ".kubernetes"
    """Beside the jobs' directories: the uids of their Jobs; there once one was started."""

    def __init__(
        self,
        jobs: Path,
        options: KubernetesOptions,
        connect: Callable[[], ApiClient],
        orphan_seconds: float = 900,
        variables: Mapping[str, str] | None = None,
        *,
        grant: container.Grant | None = None,
        keep_days: float = 7,
        command: Callable[[JobSpec, Path], list[str]] = container.runtime_command,
    ) -> None:
        super().__init__(jobs, orphan_seconds, variables, grant=grant, keep_days=keep_days, command=command)
        self._options, self._connect = options, connect
        self._cluster: Cluster | None = None
        self._seen: dict[str, tuple[float, Seen | None]] = {}
        self._said: dict[str, tuple[float, str | None]] = {}

    @property
    def cluster(self) -> Cluster:
        """The cluster, connected once."""
        if self._cluster is None:
            self._cluster = Cluster(self._connect(), self._options.namespace)
        return self._cluster

    def image(self, framework: str | None, limits: Limits | None = None) -> Image:
        """See `Launcher.image`; the name that the options give, as the cluster does not tell what is in an image."""
        role = framework or container.PREP
        found = self._options.images.get(role)
        if found is None:
            raise ConfigError(
                f"the options of Kubernetes name no image for {role!r}", expected=sorted(self._options.images),
                fix="add it to images: scripts/images --describe prints it",
            )  # fmt: skip
        gpu = limits is not None and (limits.gpu == "required" or (limits.gpu == "auto" and self._has_gpu()))
        labels = {container.CODE_LABEL: found["code_version"], container.CONTRACT_LABEL: str(found["contract_version"])}
        return container.checked_image(found["image"], found["image"] + container.GPU_SUFFIX * gpu, labels)

    def told(self, doing: str) -> AbstractContextManager[None]:
        """See `kubernetes_errors.told`."""
        return told(doing)

    def check(self, spec: JobSpec, limits: Limits) -> list[container.Mount]:
        """See `ContainerLauncher.check`; secrets are no files of ours, see `pod_spec`."""
        others = [name for name in ("processes", "network") if getattr(limits, name) is not None]
        if others:
            raise ConfigError(
                f"the kubernetes launcher cannot limit {', '.join(others)}",
                fix="leave them out: nodes limit processes (podPidsLimit), a NetworkPolicy the network",
            )
        if limits.secrets and self._options.secret is None:
            fix = (
                "make a Kubernetes Secret with these keys, and name it in the file that MLPLAT_KUBERNETES names: secret"
            )
            raise ConfigError(f"there is no secret {limits.secrets[0]!r}", fix=fix)
        cache = self._variables.get(CACHE)
        return [] if cache is None or container.local_store(spec) else [Mount(cache, cache, writable=True)]

    def vacate(self, directory: JobDirectory) -> bool:
        """See `ContainerLauncher.vacate`."""
        claim = self._claim(directory)
        seen = claim.look()
        if seen is not None and seen.life is not Life.ENDED:
            claim.record(seen.uid)
            self._serve(directory, seen)  # whoever made the Job may have died before it made that
            return True
        if seen is not None:
            if any(is_lost(pod) for pod in (seen.pod, *seen.others) if pod is not None):
                directory.ask_to_end()  # its node may only be out of the cluster's sight
            claim.end(seen, time.monotonic() + FORCE_SECONDS)
        claim.check_free()
        return False

    def start(self, directory: JobDirectory, launch: Launch, image: str, mounts: list[container.Mount]) -> None:
        """See `ContainerLauncher.start`."""
        pod, claim = pod_spec(self._options, directory, launch, image, mounts), self._claim(directory)
        keep_seconds, workers = int(self.keep_days * 86400), len(directory.workers())
        made = Seen(claim.create(job_manifest(claim.name, launch, pod, keep_seconds, workers)), None, None)
        try:
            self._serve(directory, made)
        except Exception:
            claim.delete(made)
            raise

    def hosts(self, directory: JobDirectory, workers: int) -> list[str]:
        """See `ContainerLauncher.hosts`. Other ones each time: the cluster may still be removing the Service before."""
        subdomain = f"{self._container_name(directory)}-{secrets.token_hex(2)}"
        return [worker_host(self._container_name(directory), number, subdomain) for number in range(workers)]

    def _serve(self, directory: JobDirectory, seen: Seen) -> None:
        """Give several workers names, in the subdomain that the Job's pods really have."""
        if len(directory.workers()) == 1:
            return
        name = self._container_name(directory)
        job = seen.job or self.cluster.job(name)
        if job is not None and job["metadata"]["uid"] == seen.uid:
            self.cluster.create_service(service_manifest(name, seen.uid, subdomain_of(job)))

    def state(self, handle: Handle) -> JobState:
        """See `Launcher.state`. A job whose pod cannot start, or did not in time, or runs on and on, is given up."""
        directory = self.directory(handle)
        directory.renew_lease()
        claim, seen = self._claim(directory), self._look(directory)
        if seen is None or seen.life is Life.ENDED:
            return JobState.ENDED
        with told(f"give up job {handle.job_key[:12]}"):
            waiting = claim.waiting(seen, self._options.pending_seconds)
            if waiting is not None and waiting.is_stuck:
                end: dict[str, Any] | None = {"reason": "cluster", **waiting.to_json()}
            else:
                self._say(handle.job_key, waiting)
                end = _overdue(directory, seen)
            if end is None and not _is_deserted(directory, seen):
                return JobState.RUNNING
            claim.end(seen, time.monotonic() + FORCE_SECONDS)
            if end is None:
                return JobState.ENDED
        _note(directory, claim, seen, end)
        return JobState.ENDED

    def alive(self, directory: JobDirectory) -> bool:
        """Whether the job's pod has not ended."""
        seen = self._look(directory)
        return seen is not None and seen.life is not Life.ENDED

    def _say(self, job_key: str, waiting: Waiting | None) -> None:
        """Log what a job waits for, if that is not over at once, and when it is something else, now and then."""
        if waiting is None or waiting.said is None or waiting.seconds < EVENTS_SECONDS:
            return
        when, why = self._said.get(job_key, (-SAY_SECONDS, None))
        if waiting.why == why or time.monotonic() - when < SAY_SECONDS:
            return
        self._said[job_key] = time.monotonic(), waiting.why
        LOG.warning(
            "Job %s has not begun after %.0f s, is waited for up to %.0f s: %s (%s). %s.",
            job_key[:12], waiting.seconds, waiting.patience_seconds, waiting.why, waiting.said, waiting.fix,
        )  # fmt: skip

    def _look(self, directory: JobDirectory) -> Seen | None:
        """What the cluster has of a job; what it had a short time ago, while its API server does not answer."""
        key = directory.path.name
        try:
            with told(f"look at job {key[:12]}"):
                seen = self._claim(directory).look()
        except LaunchError as error:
            when, seen = self._seen.get(key, (-OUTAGE_SECONDS, None))
            if time.monotonic() - when > OUTAGE_SECONDS:
                raise
            LOG.warning("Asking again: %s", error)
            return seen
        self._seen[key] = time.monotonic(), seen
        return seen

    def remove(self, directory: JobDirectory) -> None:
        """See `ContainerLauncher.remove`."""
        claim = self._claim(directory)
        seen = claim.look()
        if seen is not None:
            claim.delete(seen)

    def died(self, directory: JobDirectory, job_key: str) -> MlplatError:
        """How the job ended, if need be by what the cluster says of its pod."""
        with told(f"look at job {job_key[:12]}"):
            seen = self._claim(directory).look()
        pods = [] if seen is None else [pod for pod in (seen.pod, *seen.others) if pod is not None]
        pod = next((pod for pod in pods if worker_of(pod) == directory.worker), None)
        return ending.died(directory, job_key, {"reason": "gone"} if pod is None else ending_of(pod, directory))

    def cancel(self, handle: Handle, by: Mapping[str, str] | None = None) -> None:
        """See `Launcher.cancel`."""
        directory, asked = self.directory(handle), time.monotonic()
        with told(f"cancel job {handle.job_key[:12]}"):
            claim = self._claim(directory)
            seen = claim.look()
            if seen is None or seen.life is Life.ENDED:
                return
            with suppress(FileNotFoundError):  # somebody removed the directory
                directory.ask_to_end(by)
            while seen.pod is None and time.monotonic() < asked + START_SECONDS:
                time.sleep(0.05)
                seen = claim.look() or seen
            # Its SIGTERM comes sooner than `cancel`, where the volume's clients look for changes now and then.
            gone = claim.end(seen, asked + FORCE_SECONDS)
        if not gone:
            fix = "see the pod's node; it ends as soon as that answers"
            raise LaunchError(f"job {handle.job_key[:12]} does not end", got=seen.life.value, fix=fix)
        with suppress(FileNotFoundError):  # somebody removed the directory; else from the launch: pods are waited for
            seconds = time.time() - directory.launch.stat().st_mtime
            _note(directory, claim, seen, {"reason": "cancelled", "seconds": seconds})

    def answer(self) -> None:
        """See `ContainerLauncher.answer`."""
        self.cluster.jobs(self._own, 1)

    @property
    def _own(self) -> str:
        """Selects the Jobs that are this installation's, with those that only say so."""
        return f"{INSTALLATION_LABEL}={self.installation}"

    def sweep(self, dry_run: bool = False) -> list[str]:
        """See `Launcher.sweep`; and of Jobs whose directories are gone, what is left of them in the cluster."""
        swept = super().sweep(dry_run)
        if not (self.jobs / self.own_folder).exists():  # no pod was ever started, there may be no cluster at all
            return swept
        with told("look for jobs"):
            for job in self.cluster.jobs(self._own):
                key = (job["metadata"].get("annotations") or {}).get(JOB_LABEL, "")
                # One without a key is somebody else's, with our labels.
                if re.fullmatch("[0-9a-f]{64}", key) and not (self.jobs / key).exists():
                    swept.append(key)
                    if not dry_run:
                        self.remove(JobDirectory(self.jobs / key, apart=True))
        for path in (self.jobs / self.own_folder).glob("[!.]*"):  # no file that is just being written
            if not dry_run and not (self.jobs / path.stem).exists():
                path.unlink(missing_ok=True)
        return swept

    def _has_gpu(self) -> bool:
        with told("look for GPUs"):
            return self.cluster.has(self._options.gpu_resource)

    def _claim(self, directory: JobDirectory) -> Claim:
        own = {INSTALLATION_LABEL: self.installation, JOB_LABEL: directory.path.name}
        uid_file = self.jobs / self.own_folder / f"{directory.path.name}.json"
        return Claim(self.cluster, self._container_name(directory), own, uid_file)

    @property
    def installation(self) -> str:
        """See `ContainerLauncher.installation`; two of them may have the same paths, in volumes of their own."""
        return digest([str(self.jobs), dict(self._options.volume)])[:12]


def _overdue(directory: JobDirectory, seen: Seen) -> dict[str, Any] | None:
    """How a job ends that has run for longer than it may; None if it has not."""
    limits = (read_json(directory.launch) or {}).get("limits", {})
    limit, ran = limits.get("timeout_seconds"), max(map(running_seconds, (seen.pod or {}, *seen.others)))
    if limit is None or ran <= limit + OVERDUE_SECONDS:
        return None
    return {"reason": "time limit", "limits": limits, "seconds": ran}


def _is_deserted(directory: JobDirectory, seen: Seen) -> bool:
    """Whether a worker has ended with exit code 0, but without a result: the others wait for it."""
    ended = {worker_of(pod) for pod in seen.others if life(None, pod) is Life.ENDED and is_well(pod)}
    return any(worker.worker in ended and not ending.is_well(worker) for worker in directory.workers())


def _note(directory: JobDirectory, claim: Claim, seen: Seen, end: dict[str, Any]) -> None:
    """Say in a job's directory how it ended, where it could not do so itself."""
    if not directory.path.exists():  # it would be made
        return
    with directory.submitting():
        known = read_json(directory.exit)
        stopped = isinstance(known, dict) and known.get("reason") == "stopped"  # by us, which says less
        if claim.holds(seen.uid) and (known is None or stopped):  # else it was submitted again meanwhile
            with suppress(IsADirectoryError):  # the job made that, to have no ending
                write_json(directory.exit, end)
