"""Making a framework's environment: which Python, which commands, and what is told when it cannot be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airflow_mlplat.errors import ConfigError, LaunchError
from airflow_mlplat.launchers.create import REQUIREMENTS, _commands, create_environment, frameworks, within
from airflow_mlplat.launchers.environment import image, interpreter


def test_every_framework_says_which_python_it_supports() -> None:
    assert frameworks() == ["caffe", "mxnet", "tensorflow"]
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


def test_what_no_registry_has_is_made_by_its_script(tmp_path: Path) -> None:
    made = list(_commands(tmp_path / "caffe-1", REQUIREMENTS / "caffe.txt", ">=3.9,<3.10"))
    assert made == [["bash", f"{REQUIREMENTS}/caffe.sh", f"{tmp_path}/caffe-1", f"{REQUIREMENTS}/caffe.txt"]]


def test_an_unknown_framework_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown framework; expected caffe \| mxnet \| tensorflow; got 'theano'"):
        create_environment(tmp_path, "theano")
    assert list(tmp_path.iterdir()) == []


UV = """#!/bin/sh
for last; do :; done
case $1 in
venv)
  mkdir -p "$last/bin" "$last/lib/python3.11/site-packages" && ln -s /bin/true "$last/bin/python"
  echo "version_info = 3.11.7" >"$last/pyvenv.cfg" ;;
pip)
  [ ! -e "$TEST_FAILS" ] || { echo no route to the registry >&2; exit 2; }
  ls -l "$TEST_LIVE" >"$TEST_SEEN"
  mkdir "$(dirname "$(dirname "$6")")/lib/python3.11/site-packages/mxnet-$(cat "$TEST_VERSION").dist-info" ;;
esac
"""


@pytest.fixture
def uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a uv that installs nothing; `version` there is what it pretends to, with `fails` there it fails."""
    folder = tmp_path / "uv"
    folder.mkdir()
    (folder / "uv").write_text(UV)
    (folder / "uv").chmod(0o755)
    (folder / "version").write_text("1")
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setenv("TEST_LIVE", str(tmp_path / "environments/mxnet/bin/python"))
    for name in ("fails", "seen", "version"):
        monkeypatch.setenv(f"TEST_{name.upper()}", str(folder / name))
    return folder


def test_an_environment_is_renewed_beside_the_living_one(tmp_path: Path, uv: Path) -> None:
    environments = tmp_path / "environments"
    assert create_environment(environments, "mxnet") == environments / "mxnet"
    first, python = image(environments, "mxnet"), interpreter(environments, "mxnet")
    (uv / "version").write_text("2")
    create_environment(environments, "mxnet")
    assert "bin/python" in (uv / "seen").read_text(), "the living one was there all the time"
    assert image(environments, "mxnet") != first
    assert python.exists(), "running jobs keep theirs"
    assert interpreter(environments, "mxnet") != python


def test_only_the_one_before_is_kept(tmp_path: Path, uv: Path) -> None:
    environments = tmp_path / "environments"
    own = environments / "mxnet-of-mine-1234"
    own.mkdir(parents=True)
    pythons = []
    for number in range(3):
        create_environment(environments, "mxnet")
        pythons.append(interpreter(environments, "mxnet"))
        long_ago = 1e9 + number
        os.utime(pythons[-1].parents[1], (long_ago, long_ago))
    assert [python.exists() for python in pythons] == [False, True, True]
    assert own.exists()


def test_a_plain_folder_is_moved_aside(tmp_path: Path, uv: Path) -> None:
    environments = tmp_path / "environments"
    (environments / "mxnet/bin").mkdir(parents=True)
    (environments / "mxnet/bin/python").symlink_to("/bin/true")
    assert interpreter(environments, "mxnet") == environments / "mxnet/bin/python"
    create_environment(environments, "mxnet")
    assert (environments / "mxnet").is_symlink()
    assert len(list(environments.glob("mxnet-plain-*/bin/python"))) == 1


def test_a_failed_installation_leaves_all_as_it_was(tmp_path: Path, uv: Path) -> None:
    environments = tmp_path / "environments"
    create_environment(environments, "mxnet")
    before, python = sorted(environments.iterdir()), interpreter(environments, "mxnet")
    (uv / "fails").touch()
    with pytest.raises(
        LaunchError, match=r"uv pip install .* no route to the registry\. see that the package registry"
    ):
        create_environment(environments, "mxnet")
    assert sorted(environments.iterdir()) == before
    assert interpreter(environments, "mxnet") == python
