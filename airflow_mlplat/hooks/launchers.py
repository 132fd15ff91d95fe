"""This installation's launchers, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mlplat.contract import JobSpec
from airflow_mlplat.errors import ConfigError, LaunchError, SpecError
from airflow_mlplat.hooks.settings import Settings
from airflow_mlplat.launchers import DockerLauncher, Launcher, ProcessLauncher
from airflow_mlplat.launchers.docker_errors import NO_ANSWER

if TYPE_CHECKING:
    from docker import APIClient


def launcher(name: str, settings: Settings) -> Launcher:
    """A launcher by name.

    Raises:
        SpecError: There is none of that name.
    """
    if name not in LAUNCHERS:
        raise SpecError("unknown launcher", expected=" | ".join(sorted(LAUNCHERS)), got=repr(name))
    return LAUNCHERS[name](settings)


def _process(settings: Settings) -> Launcher:
    return ProcessLauncher(settings.jobs, settings.environments, settings.orphan_seconds, settings.job_variables)


def _docker(settings: Settings) -> Launcher:
    return DockerLauncher(
        settings.jobs,
        lambda: docker_engine(settings.docker_url),
        settings.images,
        settings.orphan_seconds,
        settings.job_variables,
        grant=readable,
        secrets=settings.secrets,
    )


def docker_engine(url: str) -> APIClient:
    """A client of the Docker Engine at a URL, by the provider's hook.

    Raises:
        ConfigError: The provider is not installed.
        LaunchError: The engine does not answer.
    """
    try:
        from airflow.providers.docker.hooks.docker import DockerHook
    except ImportError as error:
        fix = "pip install 'airflow-mlplat[docker]'"
        raise ConfigError("the docker launcher needs Airflow's Docker provider", got=error, fix=fix) from error
    from airflow.sdk.exceptions import AirflowException

    try:
        return DockerHook(docker_conn_id=None, base_url=url).api_client
    except AirflowException as error:
        raise LaunchError(
            f"the Docker Engine at {url} does not answer", got=str(error).rstrip("."), fix=NO_ANSWER
        ) from error


def readable(spec: JobSpec, folder: Path) -> Path | None:
    """The folder that a job sees as its store: see `container.Grant`.

    User code runs in frameworks' jobs alone, and reads there nothing but the job's inputs.
    """
    from airflow_mlplat.store import grant, open_store

    store = open_store(spec.store)
    root = store.backend.local_path("")
    if root is None or spec.framework is None:
        return root
    grant(store, folder, [ref for refs in spec.inputs.values() for ref in refs], spec.files.values())
    return folder


LAUNCHERS: dict[str, Callable[[Settings], Launcher]] = {"process": _process, "docker": _docker}
