"""The Python that a framework's jobs run in, and a digest of what is installed there, told without starting it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from airflow_mlplat.contract import digest
from airflow_mlplat.errors import ConfigError
from airflow_mlplat.launchers.create import check_framework

OWN_PACKAGE = "airflow_mlplat-"
PACKAGES_FILE = "packages.txt"


def interpreter(environments: Path | None, framework: str | None) -> Path:
    """The Python to run a framework's jobs with; this very one for jobs without a framework.

    Args:
        environments: Folder with one virtual environment, or link to one, per framework, named as it.
        framework: `tensorflow`, `mxnet`, `caffe`, or None.

    Raises:
        ConfigError: It is not there, or the framework is unknown.
    """
    if framework is None:
        return Path(sys.executable)
    check_framework(framework)  # a trigger's parameter may have named it: never part of a path before this
    if environments is None:
        raise ConfigError(f"no folder of environments, for framework {framework!r}", fix="set MLPLAT_ENVIRONMENTS")
    # Resolved, so that a running job keeps its environment when `create` puts a new one in its place.
    python = (environments / framework).resolve() / "bin/python"
    if not os.access(python, os.X_OK):
        fix = f"make it: airflow mlplat environments create {framework} (or set MLPLAT_ENVIRONMENTS)"
        raise ConfigError(f"no Python to run {framework!r} jobs with", expected=str(python), fix=fix)
    return python


def image(environments: Path | None, framework: str | None) -> str:
    """Digest of an environment: its Python's version, and the names and versions of its packages but this one.

    This package's own code, which the launcher supplies, is in `code_version`.

    Raises:
        ConfigError: The environment is not there.
    """
    python = interpreter(environments, framework)
    if framework is None:
        names = set(_distributions(Path(entry) for entry in sys.path if entry))
        version = platform.python_version()
    else:
        home = python.parent.parent
        folders = [*home.glob("lib*/python*/site-packages"), *home.glob("root/usr/local/lib/python*/dist-packages")]
        names = set(_distributions(folders)) | _listed(home)  # the latter folder is that of Caffe's
        version = _version(home)
    return digest({"python": version, "packages": sorted(n for n in names if not n.startswith(OWN_PACKAGE))})


def _distributions(folders: Iterable[Path]) -> Iterator[str]:
    for folder in folders:
        if folder.is_dir():
            with os.scandir(folder) as entries:
                yield from (entry.name for entry in entries if entry.name.endswith(".dist-info"))


def _listed(home: Path) -> set[str]:
    """What an environment that is more than Python packages says of itself, a name and version a line."""
    try:
        return set((home / PACKAGES_FILE).read_text(encoding="utf-8").splitlines())
    except FileNotFoundError:
        return set()


def _version(home: Path) -> str:
    """Of a virtual environment's Python: `version` (venv) or `version_info` (uv, virtualenv) in pyvenv.cfg."""
    try:
        lines = (home / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        lines = []
    settings = {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}
    # A whole Python instead of a virtual environment still has lib/pythonX.Y.
    folders = ",".join(sorted(path.name for path in home.glob("lib/python*")))
    return settings.get("version_info") or settings.get("version") or folders
