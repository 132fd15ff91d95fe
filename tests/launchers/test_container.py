"""What a container for a job is like, whatever the engine."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from airflow_mlplat.contract import JobSpec
from airflow_mlplat.errors import ConfigError, ContractError
from airflow_mlplat.launchers import Image, Limits
from airflow_mlplat.launchers.container import (
    CODE_LABEL,
    CONTRACT_LABEL,
    NOBODY,
    Mount,
    cache_mounts,
    check_reach,
    checked_image,
    hand_over,
    image_name,
    local_store,
    mounts,
    secret_mounts,
    user,
)
from airflow_mlplat.launchers.directory import JobDirectory

SPEC = JobSpec("train", "digits", "file:///a%20store", code_version="c", image="i", framework="caffe")


def test_a_job_is_never_root(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert user() == (NOBODY, NOBODY)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert user()[0] == 1000


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away; not in the job half")
def test_the_directory_is_handed_over(tmp_path):
    directory = JobDirectory(tmp_path, apart=True)
    directory.clear()
    work = directory.work
    directory.scratch.mkdir()
    (directory.scratch / "x").touch()
    outside = tmp_path / "outside"
    outside.touch()
    (work / "link").symlink_to(outside)
    other = directory.parts / "1"
    other.mkdir()
    hand_over(directory)
    assert {path.lstat().st_uid for path in (work, directory.scratch / "x", work / "link", other)} == {NOBODY}
    assert {path.stat().st_uid for path in (outside, tmp_path, directory.told)} == {0}


def test_names_of_images():
    assert image_name("registry/x-{name}:1", "mxnet") == "registry/x-mxnet:1"
    assert image_name("registry/x-{name}:1", None) == "registry/x-prep:1"


def test_what_an_image_says():
    assert checked_image("x", "sha256:1", {CODE_LABEL: "c", CONTRACT_LABEL: "1"}) == Image("sha256:1", "c")
    with pytest.raises(ConfigError, match=r"image 'x' has no airflow-mlplat in it.*make images"):
        checked_image("x", "sha256:1", None)
    with pytest.raises(ContractError, match="expected 1; got 7"):
        checked_image("x", "sha256:1", {CODE_LABEL: "c", CONTRACT_LABEL: "7"})


def test_the_folder_of_a_store():
    assert local_store(SPEC) == Path("/a store")
    assert local_store(dataclasses.replace(SPEC, store="s3://bucket/x")) is None


def test_a_job_sees_parts_of_its_directory_and_what_it_may_read():
    directory = JobDirectory(Path("/jobs/k"), apart=True)
    assert mounts(directory, SPEC, Path("/jobs/k/store")) == [
        Mount("/jobs/k/told", "/jobs/k/told"),
        Mount("/jobs/k/work/0", "/jobs/k/work", writable=True, each=True),
        Mount("/a store", "/jobs/k/store"),
    ]
    assert len(mounts(directory, SPEC, None)) == 2


def test_several_workers_see_the_checkpoints_of_the_first():
    directory = JobDirectory(Path("/jobs/k"), apart=True)
    both = dataclasses.replace(SPEC, workers=2)
    assert mounts(directory, both, None)[2] == Mount("/jobs/k/checkpoints", "/jobs/k/work/0/checkpoints")


def test_only_a_job_with_a_store_elsewhere_gets_the_hosts_cache(tmp_path):
    cache = tmp_path / "cache"
    variables = {"MLPLAT_CACHE": str(cache)}
    assert cache_mounts(SPEC, variables) == []
    assert not cache.exists()
    distant = dataclasses.replace(SPEC, store="https://x/store")
    assert cache_mounts(distant, variables) == [Mount(str(cache), str(cache), writable=True)]
    assert cache.stat().st_uid == user()[0]
    assert cache_mounts(distant, {}) == []


def test_a_store_that_is_elsewhere_needs_a_network():
    distant = dataclasses.replace(SPEC, store="https://x/store")
    check_reach(SPEC, Limits())
    check_reach(distant, Limits(network="bridge"))
    with pytest.raises(ConfigError, match=r"no network of itself.*got https://x/store.*limits="):
        check_reach(distant, Limits())


def test_secrets_are_files_that_are_named(tmp_path):
    (tmp_path / "token").write_text("x")
    assert secret_mounts(Limits(secrets=["token"]), tmp_path) == [Mount("/run/secrets/token", f"{tmp_path}/token")]
    assert secret_mounts(Limits(), None) == []
    with pytest.raises(ConfigError, match=r"there is no secret 'other'; expected a file in .*MLPLAT_SECRETS"):
        secret_mounts(Limits(secrets=["other"]), tmp_path)
