"""What is asked of an API server, by an HTTP server that notes it; the real one's answers are in test_kubernetes."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

kubernetes = pytest.importorskip("kubernetes.client", reason="the Kubernetes client is not in the job half")

from airflow_mlplat.launchers.kubernetes_cluster import Cluster  # noqa: E402

JOBS, PODS = "/apis/batch/v1/namespaces/ns/jobs", "/api/v1/namespaces/ns/pods"


class Handler(BaseHTTPRequestHandler):
    """Notes requests; gives the answers that it was told, in their order."""

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests.append((self.command, self.path, json.loads(body) if body else None))
        status, document = self.server.answers.pop(0)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, *_) -> None:
        """Nothing."""


@pytest.fixture
def server():
    """A server with `answers` to give and `requests` that it got."""
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.answers, server.requests = [], []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cluster(server):
    """A cluster behind it."""
    config = kubernetes.Configuration()
    config.host = f"http://127.0.0.1:{server.server_port}"
    with kubernetes.ApiClient(config) as client:
        yield Cluster(client, "ns")


def test_a_job_is_made_and_read(cluster, server):
    server.answers = [(201, {"metadata": {"uid": "u"}, "newer": "than the client"}), (200, {"kind": "Job"}), (404, {})]
    assert cluster.create_job({"kind": "Job"}) == {"metadata": {"uid": "u"}, "newer": "than the client"}
    assert cluster.job("x") == {"kind": "Job"}
    assert cluster.job("x") is None
    assert server.requests == [("POST", JOBS, {"kind": "Job"}), ("GET", JOBS + "/x", None), ("GET", JOBS + "/x", None)]


def test_lists(cluster, server):
    older, newer = ({"metadata": {"creationTimestamp": f"2026-01-31T12:00:0{n}Z"}} for n in range(2))
    server.answers = [(200, {"items": [older]}), (200, {"items": [older, newer]}), (200, {"items": None})]
    assert cluster.jobs("a=b") == [older]
    assert cluster.pods("u") == [newer, older]
    assert cluster.pods("u") == []
    selector = "?labelSelector=batch.kubernetes.io%2Fcontroller-uid%3Du"
    assert [request[1] for request in server.requests] == [
        JOBS + "?labelSelector=a%3Db",
        PODS + selector,
        PODS + selector,
    ]


def test_warnings_of_several_objects_in_their_order(cluster, server):
    def event(number: int, time: str = "lastTimestamp") -> dict:
        return {"reason": "R", "message": str(number), time: f"2026-01-31T12:00:0{number}Z"}

    server.answers = [(200, {"items": [event(3), event(1, "eventTime")]}), (200, {"items": [event(2)]})]
    assert cluster.warnings("u", "v") == ["R: 1", "R: 2", "R: 3"]
    assert "fieldSelector=involvedObject.uid%3Du%2Ctype%3DWarning" in server.requests[0][1]


@pytest.mark.parametrize("status", [200, 404, 409])
def test_only_what_has_the_uid_is_deleted(cluster, server, status):
    server.answers = [(status, {}), (status, {})]
    cluster.delete_job("x", "u")
    cluster.delete_pod({"metadata": {"name": "p", "uid": "v"}}, 0)
    assert server.requests == [
        ("DELETE", JOBS + "/x", {"preconditions": {"uid": "u"}, "propagationPolicy": "Background"}),
        ("DELETE", PODS + "/p", {"preconditions": {"uid": "v"}, "gracePeriodSeconds": 0}),
    ]


def test_what_is_refused_is_raised(cluster, server):
    server.answers = [(403, {"message": "no"})] * 3
    for ask in (lambda: cluster.job("x"), lambda: cluster.delete_job("x", "u"), lambda: cluster.pods("u")):
        with pytest.raises(kubernetes.ApiException, match="403"):
            ask()


@pytest.mark.parametrize(("allocatable", "has"), [({"nvidia.com/gpu": "2"}, True), ({"nvidia.com/gpu": "0"}, False)])
def test_whether_a_node_has_gpus(cluster, server, allocatable, has):
    server.answers = [(200, {"items": [{"status": {}}, {"status": {"allocatable": allocatable}}]})]
    assert cluster.has("nvidia.com/gpu") is has
