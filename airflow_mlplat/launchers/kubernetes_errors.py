"""What a Kubernetes API server refuses, in words for whoever can mend it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from airflow_mlplat.errors import ConfigError, LaunchError, MlplatError


class Refusal(NamedTuple):
    """One kind of refusal.

    Args:
        status: Of HTTP.
        text: Pattern of a part of the server's message.
        kind: Whether running again may help.
        what: The fact.
        fix: What to do.
    """

    status: int
    text: str
    kind: type[MlplatError]
    what: str
    fix: str


REFUSALS = (
    Refusal(
        401, "", ConfigError, "the API server does not know who asks",
        "renew the credentials of the connection (conn_id), of the service account, or in ~/.kube/config",
    ),
    Refusal(
        403, "exceeded quota", LaunchError, "the namespace's quota is used up",
        "wait for other jobs' end, or have the quota raised",
    ),
    Refusal(403, "being terminated", ConfigError, "the namespace is being deleted", "name another: option namespace"),
    Refusal(
        403, " cannot ", ConfigError, "a permission is missing",
        "bind a Role with the verbs create, get, list, delete on jobs (batch), list and delete on pods, list on events,"
        " create on services for several workers; for gpu 'auto' a ClusterRole with list on nodes",
    ),
    Refusal(403, "", ConfigError, "the cluster's policy forbids it", "ask who runs the cluster"),
    Refusal(404, "namespaces? .* not found", ConfigError, "there is no such namespace", "make it, or set namespace"),
    Refusal(
        409, "already exists", LaunchError, "another Job has its name",
        "see whose it is: kubectl describe job; then delete it",
    ),
    Refusal(
        422, "", ConfigError, "the cluster does not take such a Job",
        "mend the limits, or the file that MLPLAT_KUBERNETES names",
    ),
    Refusal(400, "", ConfigError, "the cluster does not take such a Job", "mend the file that MLPLAT_KUBERNETES names"),
    Refusal(429, "", LaunchError, "the API server has too much to do", "run the task again later"),
)  # fmt: skip
"""Looked at in this order."""


def no_provider(error: ImportError) -> ConfigError:
    """The error to raise where the extra is not installed."""
    fix = "pip install 'airflow-mlplat[kubernetes]'"
    return ConfigError("the kubernetes launcher needs Airflow's Kubernetes provider", got=error, fix=fix)


def refusal(error: Exception, doing: str) -> MlplatError:
    """The error to raise for what the server, or its client, raised.

    Args:
        error: It.
        doing: What was tried: `start job 9f3a1c`.
    """
    status = getattr(error, "status", None)
    if not status:  # 0 where the client found that a certificate does not fit
        return LaunchError(
            f"cannot {doing}: the Kubernetes API server does not answer", got=f"{type(error).__name__}: {error}",
            fix="see that it is reached from here (kubectl version), and how: option conn_id",
        )  # fmt: skip
    said = message(error)
    for known in REFUSALS:
        if status == known.status and re.search(known.text, said):
            return known.kind(f"cannot {doing}: {known.what}", got=said, fix=known.fix)
    return LaunchError(f"cannot {doing}", got=f"{status}: {said}", fix="see the API server's log")


def message(error: Any) -> str:
    """What the server said: the message of its Status document, or whatever came instead."""
    body = error.body or b""
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body)
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text[:500] or str(error.reason)


@contextmanager
def told(doing: str) -> Iterator[None]:
    """Turn what the server and its client raise into errors of ours; see `refusal`.

    Raises:
        ConfigError: Or there is no client.
    """
    try:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError
    except ImportError as error:
        raise no_provider(error) from error
    try:
        yield
    except (ApiException, HTTPError) as error:
        raise refusal(error, doing) from error
