"""The few requests that the launcher sends to a Kubernetes API server; answers are the server's plain JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

REQUEST_SECONDS = 10
"""Until a request counts as unanswered."""


class Cluster:
    """Jobs and pods of one namespace.

    Needs the verbs create, get, list, delete on jobs, list and delete on pods, list on events; create on services for
    jobs of several workers; and list on nodes, which belong to no namespace, for gpu 'auto'.

    Args:
        client: Of the API server.
        namespace: Of all that is asked for.
    """

    def __init__(self, client: ApiClient, namespace: str) -> None:
        from kubernetes.client import BatchV1Api, CoreV1Api

        self._batch, self._core, self._namespace = BatchV1Api(client), CoreV1Api(client), namespace

    def create_job(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Make a Job; returns it as it is then."""
        made: dict[str, Any] = _asked(self._batch.create_namespaced_job, self._namespace, manifest)
        return made

    def create_service(self, manifest: dict[str, Any]) -> None:
        """Make a Service; that it is there already is well too."""
        from kubernetes.client import ApiException

        try:
            _asked(self._core.create_namespaced_service, self._namespace, manifest)
        except ApiException as error:
            if error.status != 409:
                raise

    def job(self, name: str) -> dict[str, Any] | None:
        """The Job of a name."""
        from kubernetes.client import ApiException

        try:
            found: dict[str, Any] = _asked(self._batch.read_namespaced_job, name, self._namespace)
        except ApiException as error:
            if error.status == 404:
                return None
            raise
        return found

    def jobs(self, selector: str, most: int | None = None) -> list[dict[str, Any]]:
        """All Jobs with some labels, or at most so many."""
        asked = {"label_selector": selector, **({} if most is None else {"limit": most})}
        return _items(_asked(self._batch.list_namespaced_job, self._namespace, **asked))

    def pods(self, job_uid: str) -> list[dict[str, Any]]:
        """All pods of a Job, the newest first."""
        selector = f"batch.kubernetes.io/controller-uid={job_uid}"
        found = _items(_asked(self._core.list_namespaced_pod, self._namespace, label_selector=selector))
        return sorted(found, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), reverse=True)

    def warnings(self, *uids: str) -> list[str]:
        """What the cluster complains of about some objects, `FailedMount: …`, the latest last."""
        told = []
        for uid in uids:
            fields = f"involvedObject.uid={uid},type=Warning"
            told += _items(_asked(self._core.list_namespaced_event, self._namespace, field_selector=fields))
        told.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
        return [f"{event['reason']}: {event['message']}" for event in told]

    def delete_job(self, name: str, uid: str) -> None:
        """Delete a Job, and in the background its pods, if it is still the one of that uid."""
        _gone(self._batch.delete_namespaced_job, name, self._namespace, _options(uid, propagationPolicy="Background"))

    def delete_pod(self, pod: dict[str, Any], grace_seconds: int) -> None:
        """End a pod. Without grace it is gone from the API at once, and from its node soon."""
        options = _options(pod["metadata"]["uid"], gracePeriodSeconds=grace_seconds)
        _gone(self._core.delete_namespaced_pod, pod["metadata"]["name"], self._namespace, options)

    def has(self, resource: str) -> bool:
        """Whether a node has any of a resource, `nvidia.com/gpu`."""
        nodes = _items(_asked(self._core.list_node))
        return any(node["status"].get("allocatable", {}).get(resource, "0") != "0" for node in nodes)


def _asked(request: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """The answer as it was sent: the client's models refuse what they do not know."""
    response = request(*arguments, **options, _preload_content=False, _request_timeout=REQUEST_SECONDS)
    return json.loads(response.data)


def _items(document: dict[str, Any]) -> list[dict[str, Any]]:
    return list(document.get("items") or [])


def _options(uid: str, **others: Any) -> dict[str, Any]:
    return {"preconditions": {"uid": uid}, **others}


def _gone(request: Callable[..., Any], name: str, namespace: str, options: dict[str, Any]) -> None:
    """Delete something; that it is gone, or another one of its name is there, is well too."""
    from kubernetes.client import ApiException

    try:
        _asked(request, name, namespace, body=options)
    except ApiException as error:
        if error.status not in (404, 409):
            raise
