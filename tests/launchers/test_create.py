"""Making a framework's environment: which Python, which commands, and what is told when it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlplat.errors import ConfigError, LaunchError
from airflow_mlplat.launchers.create import REQUIREMENTS, create_environment, frameworks, within


def test_every_framework_says_which_python_it_supports() -> None:
    assert frameworks() == ["mxnet", "tensorflow"]
    for framework in frameworks():
        assert "\n# python: >=3." in (REQUIREMENTS / f"{framework}.txt").read_text()


@pytest.mark.parametrize(
    ("version", "versions", "fits"),
    [
        ((3, 11), ">=3.8,<3.12", True),
        ((3, 12), ">=3.8,<3.12", False),
        ((3, 9), ">=3.10,<3.14", False),
        ((3, 13), ">=3.10", True),
    ],
)
def test_a_range_of_pythons(version: tuple[int, int], versions: str, fits: bool) -> None:
    assert within(version, versions) is fits


def test_an_unknown_framework_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown framework; expected mxnet \| tensorflow; got 'theano'"):
        create_environment(tmp_path, "theano")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_installation_says_which_command_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text("#!/bin/sh\necho no route to the registry >&2\nexit 2\n")
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", str(uv.parent), prepend=":")
    with pytest.raises(LaunchError, match=r"uv venv .* no route to the registry\. see that the package registry"):
        create_environment(tmp_path / "environments", "mxnet")
