"""Whether a job's pod lives, and how it ended, as the cluster sees it."""

from __future__ import annotations

import re
import time
from enum import Enum
from typing import Any

from airflow_mlplat.contract import ExitCode
from airflow_mlplat.launchers.base import Limits
from airflow_mlplat.launchers.directory import NOT_MOUNTED, JobDirectory
from airflow_mlplat.launchers.files import read_json
from airflow_mlplat.launchers.kubernetes_pending import instant, seconds_since

LOST_SECONDS = 60
"""How long a pod may be past the time of its end until its node counts as lost: it alone says that a pod has ended."""


FIXES = {
    "EmptyDir": "write to TMPDIR, which is in the volume, instead of to /tmp",
    "low on resource: memory": "set limits memory_bytes: its node then keeps that much for it",
    "StartError|ContainerCannotRun": "see that its image is one of ours (make images), and memory_bytes enough",
}
"""Pattern of what the cluster said → what to do."""
_BEGUN = ("Completed", "Error", "OOMKilled")
"""Reasons for the end of a container that was started: what it says then are its own words."""
NOT_THE_VOLUME = "did not find its directory in the volume that its pod mounts"
NOT_THE_VOLUME_FIX = (
    "mend volume or mounted_at in the file that MLPLAT_KUBERNETES names: volume must be what is mounted here at"
    " mounted_at, a hostPath that very folder of the pod's node"
)


class Life(Enum):
    """How far a job's pod is."""

    PENDING = "pending"
    RUNNING = "running"
    ENDED = "ended"


def life(job: dict[str, Any] | None, pod: dict[str, Any] | None) -> Life:
    """How far a job is, by its pod, or by its Job before there is a pod."""
    if pod is None:
        finished = {"Complete", "Failed", "SuccessCriteriaMet", "FailureTarget"}
        status = (job or {}).get("status", {})
        conditions, counted = status.get("conditions") or [], status.get("uncountedTerminatedPods") or {}
        ended = job is None or any(c["type"] in finished and c["status"] == "True" for c in conditions)
        ended = ended or bool(status.get("failed") or counted.get("failed"))  # its pod was there, and is removed
        return Life.ENDED if ended else Life.PENDING
    phase, state = pod["status"].get("phase"), _state(pod)
    if phase in ("Succeeded", "Failed") or "terminated" in state or is_lost(pod):
        return Life.ENDED
    return Life.RUNNING if "running" in state else Life.PENDING


def is_well(pod: dict[str, Any]) -> bool:
    """Whether a pod that has ended did all that it should."""
    return pod["status"].get("phase") == "Succeeded" or _state(pod).get("terminated", {}).get("exitCode") == 0


def is_lost(pod: dict[str, Any]) -> bool:
    """Whether the pod should have ended long ago, but its node says nothing."""
    deleted = pod["metadata"].get("deletionTimestamp")  # the instant at which its grace ends
    return deleted is not None and seconds_since(deleted) > LOST_SECONDS


def running_seconds(pod: dict[str, Any]) -> float:
    """For how long a pod's container has run; 0 if it does not."""
    started = _state(pod).get("running", {}).get("startedAt")
    return 0.0 if started is None else seconds_since(started)


def ending_of(pod: dict[str, Any], directory: JobDirectory) -> dict[str, Any]:
    """What `exit.json` would say, from the cluster's view of a pod that has ended."""
    terminated, launch = _state(pod).get("terminated", {}), read_json(directory.launch) or {}
    code, told = terminated.get("exitCode"), _told(pod)
    said = (terminated.get("message") or "").strip() if terminated.get("reason") in _BEGUN else ""
    ran = {"seconds": _ran_seconds(pod), "limits": launch.get("limits", Limits().to_json()), "said": said}
    if code == ExitCode.PLATFORM_ERROR and NOT_MOUNTED in said and not directory.log.exists():
        return {"reason": "cluster", "told": NOT_THE_VOLUME, "user": False, "fix": NOT_THE_VOLUME_FIX, **ran}
    reason = "memory limit" if terminated.get("reason") == "OOMKilled" else "exited"
    fixes = [fix for text, fix in FIXES.items() if re.search(text, told or "")]
    return {
        "reason": "cluster" if told or code is None else reason,
        "told": f"was ended by the cluster ({told or 'it does not say why'})",
        **({"fix": fixes[0]} if fixes else {}),
        "exit_code": code if code is None or code <= 128 else None,
        "signal": code - 128 if code is not None and code > 128 else None,
        **ran,
    }


def _ran_seconds(pod: dict[str, Any]) -> float:
    """For how long a pod that has ended ran; where its node does not say that, how old it is."""
    terminated = _state(pod).get("terminated", {})
    ended = instant(terminated["finishedAt"]) if terminated.get("finishedAt") else time.time()
    return ended - instant(terminated.get("startedAt") or pod["metadata"]["creationTimestamp"])


def _told(pod: dict[str, Any]) -> str | None:
    """Why the cluster ended the pod, if it did: an eviction, a node that shuts down or is lost, a failed start."""
    status, terminated = pod["status"], _state(pod).get("terminated", {})
    if is_lost(pod):
        return f"its node {pod['spec'].get('nodeName')} does not answer"
    said = [c for c in status.get("conditions") or [] if c["type"] == "DisruptionTarget" and c["status"] == "True"]
    for told in (status, *said, {} if terminated.get("reason") in _BEGUN else terminated):
        if told.get("reason"):
            return f"{told['reason']}: {told.get('message', '')}".rstrip(": ")
    return None


def _state(pod: dict[str, Any]) -> dict[str, Any]:
    """The container's: a dict with one of `waiting`, `running`, `terminated`; empty before it has any."""
    statuses = pod.get("status", {}).get("containerStatuses") or [{}]
    found: dict[str, Any] = statuses[0].get("state") or {}
    return found
