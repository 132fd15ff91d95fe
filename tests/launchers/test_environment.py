"""Environments are found and told apart without starting them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from airflow_mlplat.errors import ConfigError
from airflow_mlplat.launchers.environment import image, interpreter


@pytest.fixture
def environments(tmp_path):
    """One environment, as uv makes them."""
    home = tmp_path / "tensorflow"
    (home / "bin").mkdir(parents=True)
    (home / "bin/python").symlink_to(sys.executable)
    packages = home / "lib/python3.11/site-packages"
    for name in ("numpy-2.0.dist-info", "airflow_mlplat-0.1.0.dist-info", "numpy"):
        (packages / name).mkdir(parents=True)
    (home / "pyvenv.cfg").write_text("home = /usr/bin\nversion_info = 3.11.7\n")
    return tmp_path


def packages(environments: Path) -> Path:
    return environments / "tensorflow/lib/python3.11/site-packages"


def test_the_image_names_packages_and_python(environments):
    before = image(environments, "tensorflow")
    assert before == image(environments, "tensorflow")
    (packages(environments) / "numpy-2.0.dist-info").rename(packages(environments) / "numpy-2.1.dist-info")
    changed = image(environments, "tensorflow")
    (environments / "tensorflow/pyvenv.cfg").write_text("version = 3.11.8\n")
    assert len({before, changed, image(environments, "tensorflow")}) == 3


def test_what_it_says_of_itself_is_part_of_the_image(environments):
    before = image(environments, "tensorflow")
    (environments / "tensorflow/packages.txt").write_text("libcaffe_1.0\n")
    first = image(environments, "tensorflow")
    (environments / "tensorflow/packages.txt").write_text("libcaffe_1.1\n")
    assert len({before, first, image(environments, "tensorflow")}) == 3


def test_a_package_more_in_caffes_own_folder(environments):
    before = image(environments, "tensorflow")
    own = environments / "tensorflow/root/usr/local/lib/python3.9/dist-packages"
    (own / "scikit_learn-1.0.dist-info").mkdir(parents=True)
    assert image(environments, "tensorflow") != before


def test_through_a_link_to_the_environment(environments):
    """As `create` makes them: the link may lead elsewhere while a job runs, its Python's path may not."""
    before = image(environments, "tensorflow")
    plain = interpreter(environments, "tensorflow")
    (environments / "tensorflow").rename(environments / "tensorflow-1")
    (environments / "tensorflow").symlink_to("tensorflow-1")
    assert image(environments, "tensorflow") == before
    assert plain == environments / "tensorflow/bin/python"
    assert interpreter(environments, "tensorflow") == environments / "tensorflow-1/bin/python"


def test_this_packages_own_version_is_no_part_of_the_image(environments):
    before = image(environments, "tensorflow")
    own = packages(environments) / "airflow_mlplat-0.1.0.dist-info"
    own.rename(packages(environments) / "airflow_mlplat-0.2.0.dist-info")
    assert image(environments, "tensorflow") == before


def test_a_python_without_pyvenv_cfg(environments):
    (environments / "tensorflow/pyvenv.cfg").unlink()
    before = image(environments, "tensorflow")
    packages(environments).parent.rename(environments / "tensorflow/lib/python3.12")
    assert image(environments, "tensorflow") != before


def test_jobs_without_a_framework_run_in_this_python():
    assert interpreter(None, None) == Path(sys.executable)
    assert image(None, None) == image(None, None)


def test_no_such_environment(tmp_path):
    made = r"expected .*/mxnet/bin/python\. make it: airflow mlplat environments create mxnet"
    with pytest.raises(ConfigError, match="no Python to run 'mxnet' jobs with; " + made):
        interpreter(tmp_path, "mxnet")
    with pytest.raises(ConfigError, match=r"no folder of environments, for framework 'mxnet'\. set MLPLAT_ENV"):
        interpreter(None, "mxnet")
    (tmp_path / "evil/bin").mkdir(parents=True)
    (tmp_path / "evil/bin/python").symlink_to(sys.executable)
    for name in ("evil", "../evil", str(tmp_path / "evil"), ""):
        with pytest.raises(ConfigError, match=r"unknown framework; expected caffe \| mxnet \| tensorflow; got"):
            interpreter(tmp_path, name)
