"""What an engine refuses, as it is told."""

from __future__ import annotations

import sys

import pytest

docker_errors = pytest.importorskip("docker.errors", reason="the Docker SDK is not in the job half")

from airflow_mlplat.errors import ConfigError, LaunchError  # noqa: E402
from airflow_mlplat.launchers.docker_errors import pull, told  # noqa: E402

# Messages of Docker Engine 20.10, as it sent them.
SAID = {
    'could not select device driver "" with capabilities: [[gpu]]': (ConfigError, "has no GPU to give"),
    'invalid mount config for type "bind": bind source path does not exist: /x': (ConfigError, "same paths there as"),
    "Minimum memory limit allowed is 6MB": (ConfigError, "raise memory_bytes"),
    "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available": (ConfigError, "lower cpus"),
    "network nowhere not found": (ConfigError, "has no such network"),
    "write /var/lib/docker/tmp/x: no space left on device": (LaunchError, "is full"),
    "pull access denied for x, repository does not exist or may require 'docker login'": (ConfigError, "MLPLAT_IMAGES"),
    "manifest for x:1 not found: manifest unknown: manifest unknown": (ConfigError, "MLPLAT_IMAGES"),
    "No such image: sha256:00": (ConfigError, "clear the task"),
    "Get https://x.invalid/v2/: dial tcp: lookup x.invalid: no such host": (LaunchError, "registry of images"),
    "something new": (LaunchError, "see the Docker Engine's log"),
}


@pytest.mark.parametrize("said", SAID, ids=range(len(SAID)))
def test_refusals(said):
    kind, message = SAID[said]
    with pytest.raises(kind) as caught, told("start job 12"):
        raise docker_errors.APIError("500 Server Error", explanation=said)
    assert str(caught.value).startswith("cannot start job 12")
    assert message in str(caught.value)


@pytest.mark.parametrize("error", [docker_errors.DockerException("Connection refused"), None])
def test_no_answer(error):
    from requests.exceptions import ConnectionError as NoConnection

    with pytest.raises(LaunchError, match=r"cannot look: the Docker Engine does not answer.*DOCKER_HOST"), told("look"):
        raise error or NoConnection("aborted")


def test_others_pass():
    with pytest.raises(KeyError), told("look"):
        raise KeyError


class Engine:
    """An engine that says something while it pulls."""

    def __init__(self, *lines: dict) -> None:
        self.lines = lines

    def pull(self, image, **how):
        assert how == {"stream": True, "decode": True}
        return iter(self.lines)


def test_a_pull_that_fails_on_the_way():
    pull(Engine({"status": "Downloading"}, {"status": "Done"}), "x")
    with pytest.raises(LaunchError, match=r"cannot use image 'x': the disk of the Docker Engine's machine is full"):
        pull(Engine({"status": "Downloading"}, {"error": "write /x: no space left on device"}), "x")


def test_no_client(monkeypatch):
    monkeypatch.setitem(sys.modules, "docker.errors", None)
    with pytest.raises(ConfigError, match=r"needs Airflow's Docker provider; .*airflow-mlplat\[docker\]"), told("x"):
        pass
