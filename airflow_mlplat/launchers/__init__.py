"""Where jobs run: each launcher obeys `Launcher`; `hooks.launchers` makes those of an installation."""

from __future__ import annotations

from airflow_mlplat.launchers.base import Handle, Image, JobState, Launcher, Limits
from airflow_mlplat.launchers.code_version import code_version
from airflow_mlplat.launchers.docker import DockerLauncher
from airflow_mlplat.launchers.kubernetes import KubernetesLauncher
from airflow_mlplat.launchers.kubernetes_options import KubernetesOptions
from airflow_mlplat.launchers.process import ProcessLauncher

__all__ = [
    "DockerLauncher",
    "Handle",
    "Image",
    "JobState",
    "KubernetesLauncher",
    "KubernetesOptions",
    "Launcher",
    "Limits",
    "ProcessLauncher",
    "code_version",
]
