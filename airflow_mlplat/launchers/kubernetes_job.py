"""The manifests of a job's Kubernetes Job, of its pods, and of the Service by which several workers are found."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from airflow_mlplat.contract import CACHE, WORKER, WORKERS
from airflow_mlplat.errors import ConfigError
from airflow_mlplat.launchers import container
from airflow_mlplat.launchers.base import Limits
from airflow_mlplat.launchers.directory import JobDirectory
from airflow_mlplat.launchers.kubernetes_options import KubernetesOptions
from airflow_mlplat.launchers.start import Launch

CONTAINER = "job"
GRACE_SECONDS = 3
"""Between SIGTERM, after which the supervisor in the container ends the job, and SIGKILL."""
NAME_LABEL = {"app.kubernetes.io/name": "airflow-mlplat"}
"""What a NetworkPolicy can select all jobs' pods by."""


INDEX = "batch.kubernetes.io/job-completion-index"
"""Label and annotation of an indexed Job's pods: the worker's number."""


def worker_of(pod: dict[str, Any]) -> int:
    """The number of a pod's worker."""
    return int((pod["metadata"].get("labels") or {}).get(INDEX, 0))


def job_manifest(name: str, launch: Launch, pod: dict[str, Any], keep_seconds: int, workers: int = 1) -> dict[str, Any]:
    """A Job of one pod for each worker, none of which is ever started again; when one fails, all are ended.

    Args:
        name: Of the Job.
        launch: Its labels.
        pod: Its pods' `spec`.
        keep_seconds: How long the cluster keeps the Job once it has ended.
        workers: How many. Several are indexed, and found as the hosts that the launch tells, by a `service_manifest`.
    """
    indexed = {"completionMode": "Indexed"} if workers > 1 else {}
    if workers > 1:
        pod = {**pod, "subdomain": launch.variables[WORKERS].split(":")[0].split(".")[1]}
    metadata = {
        "labels": {**NAME_LABEL, **{key: label_value(value) for key, value in launch.labels.items()}},
        "annotations": dict(launch.labels),  # exact: labels are short, and of few characters
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, **metadata},
        "spec": {
            "parallelism": workers,
            "completions": workers,
            **indexed,
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",  # not already while the first one is still ending
            "ttlSecondsAfterFinished": keep_seconds,
            "template": {"metadata": metadata, "spec": pod},
        },
    }


def worker_host(name: str, worker: int, subdomain: str) -> str:
    """The name under which a Job's pods find one of them, by its number."""
    return f"{name}-{worker}.{subdomain}"


def subdomain_of(job: dict[str, Any]) -> str:
    """That of a Job's pods."""
    found: str = job["spec"]["template"]["spec"]["subdomain"]
    return found


def service_manifest(name: str, uid: str, subdomain: str) -> dict[str, Any]:
    """A headless Service that gives names to the pods of an indexed Job, and goes with it.

    Args:
        name: Of the Job.
        uid: Of the Job.
        subdomain: Of its pods, which is the Service's name.
    """
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": subdomain, "labels": NAME_LABEL, "ownerReferences": [owner]},
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {"batch.kubernetes.io/controller-uid": uid},
        },
    }


def label_value(text: str) -> str:
    """The text as a label's value: at most 63 of [A-Za-z0-9._-], letters or digits at both ends."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", text)[:63].strip("._-")


def pod_spec(
    options: KubernetesOptions, directory: JobDirectory, launch: Launch, image: str, mounts: list[container.Mount]
) -> dict[str, Any]:
    """Not root, no capability, no new privilege, root file system read-only, no token of the cluster.

    Args:
        options: Of the cluster.
        directory: The job's.
        launch: Its limits.
        image: Name of the image; with `GPU_SUFFIX` it gets GPUs.
        mounts: What it sees of the volume.

    Raises:
        ConfigError: The volume does not hold that.
    """
    uid, gid = container.user()
    limits, (name, gpu, _) = launch.limits, image.partition(container.GPU_SUFFIX)
    amounts = resources(limits, {options.gpu_resource: max(options.gpus, launch.devices)} if gpu else {})
    several = len(directory.workers()) > 1
    volumes, seen = _volumes(options, launch, mounts, several=several)
    index = {"fieldRef": {"fieldPath": f"metadata.annotations['{INDEX}']"}}
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # No fsGroup: a job runs as the owner of its folders, and the kubelet would give the whole store another group.
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": uid, "runAsGroup": gid, "seccompProfile": {"type": "RuntimeDefault"},
        },
        "nodeSelector": dict(options.node_selector),
        "tolerations": options.tolerations,
        "imagePullSecrets": [{"name": secret} for secret in options.image_pull_secrets],
        "volumes": volumes,
        "containers": [
            {
                "name": CONTAINER,
                "image": name,
                "imagePullPolicy": options.image_pull_policy,
                "command": [container.PYTHON, "-I", "-m", "airflow_mlplat.launchers.contained", str(directory.path)],
                "workingDir": "/",
                **({"env": [{"name": WORKER, "valueFrom": index}]} if several else {}),
                "securityContext": {
                    "readOnlyRootFilesystem": True,
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                },
                "resources": {"limits": amounts, "requests": amounts},
                # What it says before it finds the job's directory, and so its log, is told by the pod alone.
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "volumeMounts": seen,
            }
        ],
    }  # fmt: skip
    return pod if options.service_account is None else {**pod, "serviceAccountName": options.service_account}


def resources(limits: Limits, others: dict[str, int]) -> dict[str, str]:
    """Amounts as Kubernetes spells them: bytes, thousandths of a processor, whole devices."""
    found = {name: str(count) for name, count in others.items()}
    if limits.memory_bytes is not None:
        found["memory"] = str(limits.memory_bytes)
    if limits.cpus is not None:
        found["cpu"] = f"{round(limits.cpus * 1000)}m"
    return found


def _volumes(
    options: KubernetesOptions, launch: Launch, mounts: list[container.Mount], *, several: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A pod's `volumes`, and its container's `volumeMounts`."""
    limits = launch.limits
    volumes: list[dict[str, Any]] = [
        {"name": "platform", **options.volume},
        {"name": "scratch", "emptyDir": {"sizeLimit": f"{container.SCRATCH_BYTES >> 20}Mi"}},
    ]
    seen: list[dict[str, Any]] = [{"name": "scratch", "mountPath": "/tmp"}]
    if limits.shared_memory_bytes is not None:
        volumes.append(
            {"name": "shared", "emptyDir": {"medium": "Memory", "sizeLimit": str(limits.shared_memory_bytes)}}
        )
        seen.append({"name": "shared", "mountPath": "/dev/shm"})
    if limits.secrets:
        items = [{"key": name, "path": name} for name in limits.secrets]
        volumes.append({"name": "secrets", "secret": {"secretName": options.secret, "items": items}})
        seen.append({"name": "secrets", "mountPath": container.SECRETS, "readOnly": True})
    for mount in mounts:
        if mount.source == launch.variables.get(CACHE):  # its locks are for one host: not in a volume that hosts share
            volumes.append({"name": "cache", **options.cache})
            seen.append({"name": "cache", "mountPath": mount.target})
            continue
        below = below_volume(mount.source, options.mounted_at)
        part = {"name": "platform", "mountPath": mount.target, "readOnly": not mount.writable}
        if mount.each:
            where = {"subPathExpr": f"{below}/$({WORKER})"} if several else {"subPath": f"{below}/0"}
        else:
            where = {} if below == "." else {"subPath": below}
        seen.append({**part, **where})
    return volumes, seen


def below_volume(folder: str, mounted_at: str) -> str:
    """Where a folder is in the volume that is mounted here; links are followed here, as nodes may see no targets.

    Raises:
        ConfigError: It is not in there, or is not there at all: a node would make it, as root's.
    """
    path, root = os.path.realpath(folder), os.path.realpath(mounted_at)
    if not Path(path).is_dir():
        raise ConfigError("a folder that a job shall see is not there", got=folder, fix=f"make it: mkdir {folder}")
    if os.path.commonpath([path, root]) != root:
        raise ConfigError(
            "a folder that a job shall see is not in the volume that pods mount",
            expected=f"below {mounted_at} (mounted_at)",
            got=folder,
            fix="set MLPLAT_HOME and MLPLAT_STORE to folders there",
        )
    return os.path.relpath(path, root)
