"""Why a pod does not start: what can never become of itself ends its job, what may is waited for."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any, NamedTuple


class Hindrance(NamedTuple):
    """One reason for which pods do not start.

    Args:
        text: Pattern of a part of what the cluster says.
        patience_seconds: How long it may last; the cluster tries again meanwhile. None: as long as any pod may wait.
        user: Whether running again unchanged fails again.
        what: The fact.
        fix: What to do.
    """

    text: str
    patience_seconds: float | None
    user: bool
    what: str
    fix: str


class Waiting(NamedTuple):
    """A pod that has not begun.

    Args:
        why: The fact.
        said: What the cluster said of it; None: nothing.
        user: Whether running again unchanged fails again.
        fix: What to do.
        seconds: How long it was waited for.
        patience_seconds: How long it may be.
    """

    why: str
    said: str | None
    user: bool
    fix: str
    seconds: float
    patience_seconds: float

    @property
    def is_stuck(self) -> bool:
        """Whether it is not worth waiting for any more."""
        return self.seconds > self.patience_seconds

    @property
    def what(self) -> str:
        """The fact, with what the cluster said."""
        return f"did not begin: {self.why}" + (f" ({self.said})" if self.said else "")

    def to_json(self) -> dict[str, Any]:
        """As the part of `exit.json` that `ending` tells."""
        return {"told": self.what, "user": self.user, "fix": self.fix, "seconds": self.seconds}


PULLING = "ErrImagePull|ImagePullBackOff|Failed to pull image"
HINDRANCES = (
    Hindrance(
        "InvalidImageName", 0, True, "the name of its image is not valid",
        "mend images in the file that MLPLAT_KUBERNETES names",
    ),
    Hindrance(
        "ErrImageNeverPull", 0, True, "its node has not its image, and shall not pull it",
        "load the image there, or change image_pull_policy",
    ),
    Hindrance(
        rf"({PULLING}).*(not found|NotFound|manifest unknown|unauthorized|denied|forbidden)", 20, True,
        "its image cannot be pulled", "push it, give nodes the right to pull it (image_pull_secrets), or mend its name",
    ),
    Hindrance(
        PULLING, 60, False, "its image cannot be pulled", "see that the node reaches the image's registry",
    ),
    Hindrance(
        r'secrets? "?\S+ not found|references non-existent secret key', 20, True, "a secret that it sees is not there",
        "make it in the jobs' namespace: a key of the Secret that the file names which MLPLAT_KUBERNETES names",
    ),
    Hindrance(
        r'persistentvolumeclaim "?\S+ not found', 20, True, "the volume that it shall see is not there",
        "make the claim in the jobs' namespace, or mend volume in the file that MLPLAT_KUBERNETES names",
    ),
    Hindrance(
        "CreateContainerConfigError", 20, True, "its container cannot be made so",
        "mend the file that MLPLAT_KUBERNETES names",
    ),
    Hindrance(
        "exceeded quota", None, False, "the namespace's quota is used up",
        "wait for other jobs' end, or have the quota raised",
    ),
    Hindrance(
        "FailedCreate.*(forbidden|violates|not found|Invalid)", 20, True, "the cluster does not take its pod",
        "mend the file that MLPLAT_KUBERNETES names, or ask who runs the cluster",
    ),
    Hindrance(
        "FailedCreatePodSandBox.*cannot allocate memory", 20, True, "limits memory_bytes is too small for a pod",
        "raise memory_bytes",
    ),
    Hindrance(
        r"Insufficient \S+", None, False, "no node has room for it",
        "ask for less: limits memory_bytes, cpus, gpu; or wait for other jobs' end, or have nodes added",
    ),
    Hindrance(
        "node affinity|node selector|untolerated taint", None, False, "it may run on no node that is there",
        "mend node_selector and tolerations in the file that MLPLAT_KUBERNETES names, or have nodes added",
    ),
    Hindrance(
        "FailedMount|FailedAttachVolume", None, False, "a volume cannot be mounted on its node",
        "see the volume, and the node's log",
    ),
)  # fmt: skip
"""Looked at in this order."""
OTHERS = Hindrance("", None, False, "it was not started", "ask who runs the cluster: kubectl describe pod")
EVENTS_SECONDS = 5
"""How long a pod may be silent until the cluster's events are asked for; and wait until its task is told why."""


def waiting(
    job: dict[str, Any] | None, pod: dict[str, Any] | None, warnings: Callable[[], list[str]], pending_seconds: float
) -> Waiting:
    """What keeps a job from beginning, and whether it is still worth waiting for.

    Args:
        job: The Job; needed where there is no pod.
        pod: Its pod.
        warnings: Asks for what the cluster complains of about them, the latest last.
        pending_seconds: How long any pod may wait.
    """
    waited = time.time() - _since(job, pod)
    said = list(_complaints(pod or {}))
    if not said and waited > min(EVENTS_SECONDS, pending_seconds):
        said = warnings()
    text = "; ".join(said)
    found = next((known for known in HINDRANCES if re.search(known.text, text, re.DOTALL)), OTHERS)
    patience = pending_seconds if found.patience_seconds is None else min(found.patience_seconds, pending_seconds)
    about = [part for part in said if re.search(found.text, part, re.DOTALL)] or said
    return Waiting(found.what, max(about, key=len, default=None), found.user, found.fix, waited, patience)


def seconds_since(timestamp: str) -> float:
    """How long ago an instant was, as Kubernetes tells it: `2026-01-31T12:00:00Z`."""
    return time.time() - instant(timestamp)


def instant(timestamp: str) -> float:
    """Seconds since 1970 of what Kubernetes tells."""
    return datetime.fromisoformat(timestamp[:19]).replace(tzinfo=timezone.utc).timestamp()


def _since(job: dict[str, Any] | None, pod: dict[str, Any] | None) -> float:
    """When the pod was given a node; else when it, or its Job, was made."""
    for condition in _conditions(pod or {}):
        if condition["type"] == "PodScheduled" and condition["status"] == "True":
            return instant(condition["lastTransitionTime"])
    return instant((pod or job or {})["metadata"]["creationTimestamp"])


def _complaints(pod: dict[str, Any]) -> Iterator[str]:
    """What the pod says itself."""
    for condition in _conditions(pod):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            yield f"{condition.get('reason')}: {condition.get('message')}"
    for status in pod.get("status", {}).get("containerStatuses", []):
        waiting = status.get("state", {}).get("waiting", {})
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            yield f"{waiting['reason']}: {waiting.get('message', '')}"


def _conditions(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return list(pod.get("status", {}).get("conditions") or [])
