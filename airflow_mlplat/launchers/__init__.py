"""Where jobs run. `LAUNCHERS` maps a name to what makes its launcher; all obey `Launcher`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Optional

from airflow_mlplat.launchers.base import Handle, JobState, Launcher, Limits
from airflow_mlplat.launchers.code_version import code_version
from airflow_mlplat.launchers.process import ProcessLauncher

__all__ = ["LAUNCHERS", "Handle", "JobState", "Launcher", "Limits", "ProcessLauncher", "code_version"]

LAUNCHERS: dict[str, Callable[[Path, Optional[Path], float, Mapping[str, str]], Launcher]] = {
    "process": ProcessLauncher
}
"""Name → launcher of (folder of jobs, folder of environments, orphan_seconds, variables of every job)."""
