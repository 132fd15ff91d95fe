from __future__ import annotations

import json
import os

import pytest


def garbage(world):
    """A blob that no manifest names, from long ago."""
    path = world.store.put_blob(b"garbage")
    (file,) = [found for found in world.home.rglob(f"*{path}*") if found.is_file()]
    os.utime(file, (0, 0))
    return file


@pytest.fixture
def world(world, places):
    world.home = places.home
    return world


def test_gc(mlplat, world):
    file = garbage(world)
    assert mlplat("gc", "--dry-run")[1] == "would remove 1 files, 7 bytes; ended jobs: 0\n" and file.exists()
    assert mlplat("gc", "--grace-seconds", "1e12")[1] == "removed 0 files, 0 bytes; ended jobs: 0\n" and file.exists()
    assert json.loads(mlplat("gc", "--output", "json")[1]) == {"dry_run": False, "files": 1, "bytes": 7, "jobs": 0}
    assert not file.exists() and mlplat("fsck")[0] == 0


def test_gc_leaves_what_a_job_was_given(mlplat, world):
    file = garbage(world)
    spec = world.home / "jobs" / ("1" * 64) / "spec.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"files": {"build.py": file.name}}))
    assert mlplat("gc")[1] == "removed 0 files, 0 bytes; ended jobs: 0\n" and file.exists()


def old_job(home, launcher, key):
    """The directory of a job that ended long ago, as its launcher leaves it."""
    told = home / "jobs" / key / "told"
    told.mkdir(parents=True)
    (told / "launch.json").write_text(json.dumps({"labels": {"airflow-mlplat.launcher": launcher}}))
    (told / "lease").touch()
    os.utime(told / "lease", (0, 0))
    return told.parent


@pytest.mark.parametrize("words", [("gc",), ("gc", "--dry-run")], ids=" ".join)
def test_gc_tells_once_that_an_engine_is_down_and_what_it_has_done(mlplat, world, monkeypatch, caplog, words):
    pytest.importorskip("docker")
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    for number in range(3):
        old_job(world.home, "docker", f"{number:064}")
    garbage(world)
    code, out, err = mlplat(*words)
    assert code == 70 and "1 files, 7 bytes; ended jobs: 0\n" in out
    assert err.startswith("LaunchError: the Docker Engine at tcp://127.0.0.1:1 does not answer")
    assert err.count("\n") == 1
    assert [record for record in caplog.records if record.name.startswith("airflow_mlplat")] == []


def test_gc_removes_nothing_where_a_launcher_is_not_told_right(mlplat, world, monkeypatch):
    monkeypatch.setenv("MLPLAT_KUBERNETES", "/no/such/file")
    file = garbage(world)
    code, out, err = mlplat("gc")
    assert code == 64 and out == "" and "ConfigError: MLPLAT_KUBERNETES '/no/such/file'" in err and file.exists()


@pytest.mark.airflow
def test_gc_sees_connections_of_airflows_database(mlplat, world, monkeypatch, airflow_home, tmp_path):
    pytest.importorskip("airflow.providers.cncf.kubernetes")
    from airflow.models import Connection
    from airflow.utils.session import create_session

    cluster = {"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    user = {"name": "u", "user": {"token": "t"}}
    config = {"clusters": [cluster], "users": [user], "contexts": [context], "current-context": "x"}
    extra = json.dumps({"kube_config": json.dumps(config)})
    with create_session() as session:
        session.add(Connection(conn_id="mlplat_gc", conn_type="kubernetes", extra=extra))
    image = {"image": "x/prep:1", "code_version": "c", "contract_version": 1}
    options = {"volume": {"hostPath": {"path": "/x"}}, "mounted_at": "/x", "images": {"prep": image}}
    (tmp_path / "kubernetes.json").write_text(json.dumps({**options, "conn_id": "mlplat_gc"}))
    monkeypatch.setenv("MLPLAT_KUBERNETES", str(tmp_path / "kubernetes.json"))
    old_job(world.home, "kubernetes", "0" * 64)
    try:
        code, out, err = mlplat("gc")
    finally:
        with create_session() as session:
            session.query(Connection).filter_by(conn_id="mlplat_gc").delete()
    assert code == 70 and "removed 0 files" in out
    assert "LaunchError: cannot sweep jobs: the Kubernetes API server does not answer" in err


@pytest.mark.parametrize("seconds", ["-1", "nan"])
def test_gc_refuses_times_that_are_none(mlplat, world, seconds):
    code, _, err = mlplat("gc", f"--grace-seconds={seconds}")
    assert code == 64 and "--grace-seconds is no time; expected seconds >= 0" in err


def test_fsck_of_a_sound_installation(mlplat, world):
    code, out, err = mlplat("fsck")
    assert (code, err) == (0, "") and out.endswith(": 0 problems\n")
    assert "8 samples" in out and "6 artifacts" in out and "4 jobs" in out and "0 unrecorded" in out


def test_fsck_finds_damage(mlplat, world):
    shard = next(file for file in world.home.rglob("shard-*.tar"))
    content = bytearray(shard.read_bytes())
    content[520] ^= 1
    shard.chmod(0o600)
    shard.write_bytes(content)
    code, out, err = mlplat("fsck")
    assert code == 1 and shard.name in err and not out.endswith(": 0 problems\n")
    report = json.loads(mlplat("fsck", "--output", "json")[1])
    assert any(shard.name in problem["path"] for problem in report["problems"])


def test_fsck_finds_what_the_catalog_misses_in_the_store(mlplat, world):
    (manifest,) = world.home.rglob(f"{world.models[1].digest}.json")
    manifest.unlink()
    code, _, err = mlplat("fsck")
    assert code == 1
    assert f"catalog: {world.models[1]}: its manifest is missing from the store" in err


def test_fsck_goes_on_past_a_damaged_manifest(mlplat, world):
    (manifest,) = world.home.rglob(f"{world.models[1].digest}.json")
    manifest.chmod(0o600)
    manifest.write_text("{}")
    code, out, err = mlplat("fsck")
    assert code == 1 and manifest.name in err and "6 artifacts, 4 jobs, 1 aliases" in out
    assert "Restore what is damaged from a copy" in err


def test_platform_errors_have_their_own_exit_code(mlplat, places):
    (places.home / "catalog.db").write_text("no database at all, for sure" * 20)
    code, _, err = mlplat("models", "list")
    assert code == 70 and err.startswith("CatalogError: the catalog sqlite") and err.count("\n") == 1
