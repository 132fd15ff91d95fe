"""Launchers by name, and what a job sees as its store."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlplat.contract import JobSpec
from airflow_mlplat.errors import LaunchError
from airflow_mlplat.store import open_store

pytestmark = pytest.mark.airflow


@pytest.fixture
def spec(tmp_path: Path) -> JobSpec:
    """Of a job on a store that has one blob, which the job needs, and another."""
    store = open_store(tmp_path / "store")
    store.put_blob(b"another")
    return JobSpec(
        "train", "digits", store.url, "c", "i", files={"build.py": store.put_blob(b"code")}, framework="mxnet"
    )


def test_user_code_sees_what_it_needs(spec: JobSpec, tmp_path: Path) -> None:
    from airflow_mlplat.hooks.launchers import readable

    assert readable(spec, tmp_path / "granted") == tmp_path / "granted"
    assert [path.name for path in (tmp_path / "granted/blobs").iterdir()] == list(spec.files.values())


def test_jobs_without_user_code_see_the_store(spec: JobSpec, tmp_path: Path) -> None:
    import dataclasses

    from airflow_mlplat.hooks.launchers import readable

    without = dataclasses.replace(spec, framework=None)
    assert readable(without, tmp_path / "granted") == tmp_path / "store"
    assert not (tmp_path / "granted").exists()
    assert readable(dataclasses.replace(spec, store="https://example.org/store"), tmp_path / "granted") is None


def test_every_launcher_is_made_of_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from airflow_mlplat.hooks.launchers import LAUNCHERS, launcher
    from airflow_mlplat.hooks.settings import load_settings

    monkeypatch.setenv("MLPLAT_HOME", str(tmp_path))
    for name in LAUNCHERS:
        made = launcher(name, load_settings())
        assert (made.name, made.jobs) == (name, tmp_path / "jobs")


def test_an_engine_that_does_not_answer() -> None:
    from airflow_mlplat.hooks.launchers import docker_engine

    with pytest.raises(LaunchError, match=r"the Docker Engine at tcp://127.0.0.1:1 does not answer.*DOCKER_HOST"):
        docker_engine("tcp://127.0.0.1:1")
