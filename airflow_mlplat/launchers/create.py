"""Make a framework's environment: a Python that the framework supports, and its requirements.

A virtual environment's scripts hold its absolute path, so it cannot be made elsewhere and moved. Each is made under a
name of its own, `FRAMEWORK-WHEN`, and the link `FRAMEWORK` is then put over the old one by one rename(2): jobs find
the old environment or the new one, whole, and running jobs keep theirs.
"""

from __future__ import annotations

import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from airflow_mlplat.errors import ConfigError, LaunchError

REQUIREMENTS = Path(__file__).parent / "environments"
_OWN_NAME = r"-(\d{8}-\d{6}|plain)-[0-9a-f]{4}"
"""What follows the framework in the names of folders made, or moved, here: nobody else's is ever removed."""


def frameworks() -> list[str]:
    """The frameworks that jobs may run in."""
    return sorted(path.stem for path in REQUIREMENTS.glob("*.txt"))


def check_framework(framework: str) -> None:
    """Raise ConfigError unless the framework is one of `frameworks()`."""
    if framework not in frameworks():
        raise ConfigError("unknown framework", expected=" | ".join(frameworks()), got=repr(framework))


def create_environment(environments: Path, framework: str) -> Path:
    """Make or renew `environments/FRAMEWORK`; the environment before it is left for the jobs that run there.

    Uses uv when it is on PATH: it finds, or fetches, a Python of the right version. Otherwise this very Python must
    be one.

    Args:
        environments: Folder with one virtual environment per framework.
        framework: One of `frameworks()`.

    Returns:
        The link to the environment's folder.

    Raises:
        ConfigError: An unknown framework, or no Python that it supports.
        LaunchError: The installation failed, for instance without a network.
    """
    check_framework(framework)
    requirements = REQUIREMENTS / f"{framework}.txt"
    folder = environments / f"{framework}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
    found = re.search(r"^# python: (\S+)$", requirements.read_text(encoding="utf-8"), re.MULTILINE)
    versions = found.group(1) if found else ">=3.9"
    environments.mkdir(parents=True, exist_ok=True)
    try:
        _make(framework, _commands(folder, requirements, versions))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _put_in_place(environments / framework, folder)


def _make(framework: str, commands: Iterator[list[str]]) -> None:
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LaunchError(
                f"the environment of {framework!r} could not be made",
                got=f"`{' '.join(command)}`: {done.stderr.strip()[-1000:]}",
                fix="see that the package registry can be reached, then run it again",
            )


def _put_in_place(link: Path, folder: Path) -> Path:
    """Let the link lead to the folder; remove what is older than the environment that it led to before."""
    before = link.resolve()
    if link.is_dir() and not link.is_symlink():
        # A plain folder, as `python -m venv` makes: moved aside once, with a moment when there is none.
        before = link.with_name(f"{link.name}-plain-{secrets.token_hex(2)}").resolve()
        link.rename(before)
    temporary = link.with_name(f".{folder.name}")
    temporary.symlink_to(folder.name)
    temporary.replace(link)
    oldest = before.stat().st_mtime if before.exists() else 0.0  # another `create` may be at work on a newer one
    for path in link.parent.iterdir():
        ours = re.fullmatch(re.escape(link.name) + _OWN_NAME, path.name)
        if ours and path.resolve() not in (before, folder.resolve()) and path.stat().st_mtime < oldest:
            shutil.rmtree(path, ignore_errors=True)
    return link


def _commands(folder: Path, requirements: Path, versions: str) -> Iterator[list[str]]:
    uv, python, script = shutil.which("uv"), str(folder / "bin/python"), requirements.with_suffix(".sh")
    if script.exists():  # the framework is in no package registry
        yield ["bash", str(script), str(folder), str(requirements)]
        return
    if uv:
        yield [uv, "venv", "--quiet", "--python", versions, str(folder)]
        yield [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, "-r", str(requirements)]
        return
    if not within(sys.version_info[:2], versions):
        own = ".".join(map(str, sys.version_info[:2]))
        raise ConfigError(
            "this Python does not fit", expected=f"Python {versions}", got=own, fix="install uv: it finds one that does"
        )
    yield [sys.executable, "-m", "venv", str(folder)]
    yield [python, "-m", "pip", "install", "--quiet", "-r", str(requirements)]


def within(version: tuple[int, ...], versions: str) -> bool:
    """Whether (major, minor) lies in a range like `>=3.8,<3.12`."""
    low, _, high = versions.removeprefix(">=").partition(",<")
    return _numbers(low) <= version and (not high or version < _numbers(high))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))
