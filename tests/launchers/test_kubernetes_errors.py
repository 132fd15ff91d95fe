"""What an API server refuses, as it is told."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import pytest

kubernetes = pytest.importorskip("kubernetes.client", reason="the Kubernetes client is not in the job half")

from airflow_mlplat.errors import ConfigError, LaunchError  # noqa: E402
from airflow_mlplat.launchers.kubernetes_errors import told  # noqa: E402

# Messages of Kubernetes 1.37, as it sent them.
SAID = {
    (401, "Unauthorized"): (ConfigError, "the API server does not know who asks; got Unauthorized. renew the cred"),
    (403, 'jobs.batch is forbidden: User "x" cannot create resource "jobs"'): (
        ConfigError,
        "bind a Role with the verbs",
    ),
    (403, 'pods "x" is forbidden: exceeded quota: q'): (LaunchError, "quota is used up"),
    (403, "unable to create new content in namespace x because it is being terminated"): (ConfigError, "option namesp"),
    (403, "violates the policy of this cluster"): (ConfigError, "ask who runs the cluster"),
    (404, 'namespaces "x" not found'): (ConfigError, "there is no such namespace"),
    (409, 'jobs.batch "x" already exists'): (LaunchError, "another Job has its name"),
    (422, 'Job.batch "x" is invalid: spec.template.spec.tolerations: Required value'): (ConfigError, "mend the limits"),
    (400, "json: cannot unmarshal string into Go struct field"): (ConfigError, "does not take such a Job"),
    (429, "too many requests"): (LaunchError, "run the task again later"),
    (500, "etcdserver: leader changed"): (LaunchError, "got 500: etcdserver: leader changed. see the API server's log"),
}


def answer(status: int, body: bytes) -> kubernetes.ApiException:
    """What the client raises for an answer."""
    headers = SimpleNamespace(status=status, reason="Reason", data=body, getheaders=dict, headers={})
    return kubernetes.ApiException(http_resp=headers)


@pytest.mark.parametrize("said", SAID, ids=str)
def test_refusals(said):
    kind, message = SAID[said]
    with pytest.raises(kind) as caught, told("start job 12"):
        raise answer(said[0], json.dumps({"kind": "Status", "message": said[1]}).encode())
    assert str(caught.value).startswith("cannot start job 12")
    assert message in str(caught.value)


@pytest.mark.parametrize(("body", "got"), [(b"<html>no", "<html>no"), (b"", "Reason"), (b"[]", r"\[\]")], ids=str)
def test_answers_that_come_from_something_else(body, got):
    with pytest.raises(LaunchError, match=f"cannot look; got 502: {got}"), told("look"):
        raise answer(502, body)


@pytest.mark.parametrize("error", ["timed out", "bad certificate"])
def test_no_answer(error):
    from urllib3.exceptions import ReadTimeoutError

    bad = kubernetes.ApiException(status=0, reason="SSLError\ncertificate verify failed")
    message = r"cannot look: the Kubernetes API server does not answer(.|\n)*kubectl version"
    with pytest.raises(LaunchError, match=message), told("look"):
        raise bad if error == "bad certificate" else ReadTimeoutError(None, "/", error)


def test_others_pass():
    with pytest.raises(KeyError), told("look"):
        raise KeyError


def test_no_client(monkeypatch):
    monkeypatch.setitem(sys.modules, "kubernetes.client", None)
    with pytest.raises(ConfigError, match=r"Airflow's Kubernetes provider; .*airflow-mlplat\[kubernetes\]"), told("x"):
        pass
