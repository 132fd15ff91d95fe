"""What a Docker Engine refuses, in words for whoever can mend it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from airflow_mlplat.errors import ConfigError, LaunchError, MlplatError

if TYPE_CHECKING:
    from docker import APIClient


class Refusal(NamedTuple):
    """One kind of refusal.

    Args:
        text: Pattern of a part of the engine's message, in lower case.
        kind: Whether running again may help.
        what: The fact.
        fix: What to do.
    """

    text: str
    kind: type[MlplatError]
    what: str
    fix: str


REFUSALS = (
    Refusal(
        "could not select device driver", ConfigError, "the Docker Engine has no GPU to give",
        "install NVIDIA's driver and container toolkit on its machine, or ask for limits gpu 'auto' or 'off'",
    ),
    Refusal(
        "bind source path does not exist", ConfigError, "the Docker Engine's machine does not see a folder of ours",
        "MLPLAT_HOME and the store must have the same paths there as here",
    ),
    Refusal(
        "minimum memory limit", ConfigError, "limits memory_bytes is too small for a container", "raise memory_bytes"
    ),
    Refusal(
        "range of cpus is from", ConfigError, "limits cpus is more than the Docker Engine's machine has", "lower cpus"
    ),
    Refusal(
        r"network \S+ not found", ConfigError, "the Docker Engine has no such network",
        "docker network ls lists those that it has",
    ),
    Refusal(
        "no space left on device", LaunchError, "the disk of the Docker Engine's machine is full",
        "make room there: airflow mlplat gc, docker system prune",
    ),
    Refusal(
        "dial tcp|i/o timeout|tls handshake", LaunchError, "the registry of images does not answer",
        "see that the engine's machine reaches it; or build the image there (make images), or set MLPLAT_IMAGES",
    ),
    Refusal(
        "pull access denied", ConfigError, "there is no such image",
        "build it (make images), or set MLPLAT_IMAGES to where it is",
    ),
    Refusal(
        "manifest unknown", ConfigError, "the registry has no such image",
        "build it (make images), or set MLPLAT_IMAGES to where it is",
    ),
    Refusal(
        "no such image", ConfigError, "the image is not there any more",
        "build it again (make images), then clear the task: another image is another job",
    ),
)  # fmt: skip
"""Looked at in this order."""


NO_ANSWER = "see that it runs (docker info) and that this user may use it, or set DOCKER_HOST"
"""What to do where no engine answers."""


def no_provider(error: ImportError) -> ConfigError:
    """The error to raise where the extra is not installed."""
    fix = "pip install 'airflow-mlplat[docker]'"
    return ConfigError("the docker launcher needs Airflow's Docker provider", got=error, fix=fix)


def refusal(error: Exception, doing: str) -> MlplatError:
    """The error to raise for what the engine, or its client, raised.

    Args:
        error: It.
        doing: What was tried: `start job 9f3a1c`.
    """
    from docker.errors import APIError

    if not isinstance(error, APIError):
        return LaunchError(
            f"cannot {doing}: the Docker Engine does not answer", got=f"{type(error).__name__}: {error}",
            fix=NO_ANSWER,
        )  # fmt: skip
    return _refused(str(error.explanation or error), doing)


def _refused(said: str, doing: str) -> MlplatError:
    for known in REFUSALS:
        if re.search(known.text, said.lower()):
            return known.kind(f"cannot {doing}: {known.what}", got=said, fix=known.fix)
    return LaunchError(f"cannot {doing}", got=said, fix="see the Docker Engine's log")


@contextmanager
def told(doing: str) -> Iterator[None]:
    """Turn what the engine and its client raise into errors of ours; see `refusal`.

    Raises:
        ConfigError: Or there is no client.
    """
    try:
        from docker.errors import DockerException
        from requests.exceptions import RequestException
    except ImportError as error:
        raise no_provider(error) from error
    try:
        yield
    except (DockerException, RequestException) as error:
        raise refusal(error, doing) from error


def pull(engine: APIClient, image: str) -> None:
    """Fetch an image. The engine's client tells of no failure that comes while it is at it.

    Raises:
        ConfigError: There is none of that name.
        LaunchError: It could not be fetched now.
    """
    for line in engine.pull(image, stream=True, decode=True):
        if "error" in line:
            raise _refused(str(line["error"]), f"use image {image!r}")
