"""This installation's launchers, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mlplat.contract import JobSpec
from airflow_mlplat.errors import ConfigError, LaunchError, SpecError
from airflow_mlplat.hooks.settings import Settings
from airflow_mlplat.launchers import (
    DockerLauncher,
    KubernetesLauncher,
    Launcher,
    ProcessLauncher,
    docker_errors,
    kubernetes_errors,
)
from airflow_mlplat.launchers.kubernetes_options import read_options

if TYPE_CHECKING:
    from docker import APIClient
    from kubernetes.client import ApiClient


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


def _kubernetes(settings: Settings) -> Launcher:
    if settings.kubernetes is None:
        raise ConfigError("the kubernetes launcher is told of no cluster", fix="set MLPLAT_KUBERNETES")
    options = read_options(settings.kubernetes)
    return KubernetesLauncher(
        settings.jobs,
        options,
        lambda: kubernetes_client(options.conn_id),
        settings.orphan_seconds,
        settings.job_variables,
        grant=readable,
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
        raise docker_errors.no_provider(error) from error
    from airflow.sdk.exceptions import AirflowException

    try:
        return DockerHook(docker_conn_id=None, base_url=url).api_client
    except AirflowException as error:
        raise LaunchError(
            f"the Docker Engine at {url} does not answer", got=str(error).rstrip("."), fix=docker_errors.NO_ANSWER
        ) from error


def kubernetes_client(conn_id: str | None) -> ApiClient:
    """A client of a cluster's API server, by the provider's hook.

    Args:
        conn_id: Airflow connection; None: the cluster that this process runs in, or ~/.kube/config.

    Raises:
        ConfigError: The provider is not installed, or there is no such connection or file.
    """
    try:
        from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook
    except ImportError as error:
        raise kubernetes_errors.no_provider(error) from error
    from airflow.sdk.exceptions import AirflowException
    from kubernetes.config import ConfigException

    try:
        return KubernetesHook(conn_id=conn_id, kubernetes_conn_id=None).get_conn()
    except (AirflowException, ConfigException) as error:
        fix = "set conn_id, in the file that MLPLAT_KUBERNETES names, to a connection of type kubernetes"
        raise ConfigError("nothing says where the Kubernetes cluster is", got=error, fix=fix) from error


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


def launchers(settings: Settings) -> list[Launcher]:
    """All launchers that the installation may have started jobs with."""
    return [make(settings) for make in LAUNCHERS.values() if make is not _kubernetes or settings.kubernetes]


LAUNCHERS: dict[str, Callable[[Settings], Launcher]] = {
    "process": _process,
    "docker": _docker,
    "kubernetes": _kubernetes,
}
