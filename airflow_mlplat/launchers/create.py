"""Make a framework's environment: a Python that the framework supports, and its requirements."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from airflow_mlplat.errors import ConfigError, LaunchError

REQUIREMENTS = Path(__file__).parent / "environments"


def frameworks() -> list[str]:
    """The frameworks that jobs may run in."""
    return sorted(path.stem for path in REQUIREMENTS.glob("*.txt"))


def create_environment(environments: Path, framework: str) -> Path:
    """Make or renew `environments/FRAMEWORK`.

    Uses uv when it is on PATH: it finds, or fetches, a Python of the right version. Otherwise this very Python must
    be one.

    Args:
        environments: Folder with one virtual environment per framework.
        framework: One of `frameworks()`.

    Returns:
        The environment's folder.

    Raises:
        ConfigError: An unknown framework, or no Python that it supports.
        LaunchError: The installation failed, for instance without a network.
    """
    if framework not in frameworks():
        raise ConfigError("unknown framework", expected=" | ".join(frameworks()), got=repr(framework))
    requirements, folder = REQUIREMENTS / f"{framework}.txt", environments / framework
    found = re.search(r"^# python: (\S+)$", requirements.read_text(encoding="utf-8"), re.MULTILINE)
    versions = found.group(1) if found else ">=3.9"
    environments.mkdir(parents=True, exist_ok=True)
    for command in _commands(folder, requirements, versions):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LaunchError(
                f"the environment of {framework!r} could not be made",
                got=f"`{' '.join(command)}`: {done.stderr.strip()[-1000:]}",
                fix="see that the package registry can be reached, then run it again",
            )
    return folder


def _commands(folder: Path, requirements: Path, versions: str) -> Iterator[list[str]]:
    uv, python = shutil.which("uv"), str(folder / "bin/python")
    if uv:
        yield [uv, "venv", "--quiet", "--clear", "--python", versions, str(folder)]
        yield [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, "-r", str(requirements)]
        return
    if not within(sys.version_info[:2], versions):
        own = ".".join(map(str, sys.version_info[:2]))
        raise ConfigError(
            "this Python does not fit", expected=f"Python {versions}", got=own, fix="install uv: it finds one that does"
        )
    yield [sys.executable, "-m", "venv", "--clear", str(folder)]
    yield [python, "-m", "pip", "install", "--quiet", "-r", str(requirements)]


def within(version: tuple[int, ...], versions: str) -> bool:
    """Whether (major, minor) lies in a range like `>=3.8,<3.12`."""
    low, _, high = versions.removeprefix(">=").partition(",<")
    return _numbers(low) <= version and (not high or version < _numbers(high))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))
