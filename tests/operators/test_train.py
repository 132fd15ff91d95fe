"""What training is asked for; the job itself is in test_job.py."""

from __future__ import annotations

from datetime import datetime

import pytest

pytestmark = pytest.mark.airflow


def operator(**options: object):
    from airflow.sdk import DAG

    from airflow_mlplat.operators import TrainOperator

    with DAG("train", schedule=None, start_date=datetime(2026, 1, 1)):
        return TrainOperator(task_id="train", dataset="digits", framework="mxnet", **options)


def test_the_spec_holds_the_build_file_and_every_option(made, home) -> None:
    (home / "net.py").write_text("def build(params): ...\n")
    _, _, dataset = made("dataset", "dataset", "digits")
    train = operator(build=str(home / "net.py"), options={"epochs": 2})
    spec = train.spec(made.hook, "2026-01-31")
    assert (spec.stage, spec.name, spec.framework, spec.params) == ("train", "digits", "mxnet", {"epochs": 2})
    assert spec.inputs == {"dataset": [dataset]}
    assert made.hook.store.blob(spec.files["build.py"]) == b"def build(params): ...\n"
    assert operator(build=str(home / "net.py"), model="other").spec(made.hook, "2026-01-31").name == "other"
    (home / "net.py").write_text("def build(params): return None\n")
    assert train.spec(made.hook, "2026-01-31").key != spec.key


def test_workers_are_in_the_spec_and_so_in_its_key(made, home) -> None:
    (home / "net.py").write_text("def build(params): ...\n")
    made("dataset", "dataset", "digits")
    one, two = (operator(build=str(home / "net.py"), workers=n).spec(made.hook, "2026-01-31") for n in (1, "2"))
    assert (one.workers, two.workers) == (1, 2)
    assert one.key != two.key


def test_a_missing_build_file_and_an_unknown_framework_are_told(made, home) -> None:
    from airflow_mlplat.errors import BuildError, ConfigError

    made("dataset", "dataset", "digits")
    with pytest.raises(BuildError, match=r"build file '.*nowhere.py' does not exist"):
        operator(build="nowhere.py").spec(made.hook, "2026-01-31")
    (home / "net.py").write_text("")
    train = operator(build=str(home / "net.py"))
    train.framework = "../evil"  # as a trigger's parameter may have it
    with pytest.raises(ConfigError, match=r"unknown framework; expected caffe \| mxnet \| tensorflow; got '../evil'"):
        train.spec(made.hook, "2026-01-31")
    train.framework, train.launcher = "torch", "docker"  # no image of it is asked for
    with pytest.raises(ConfigError, match=r"unknown framework; expected caffe \| mxnet \| tensorflow; got 'torch'"):
        train.spec(made.hook, "2026-01-31")


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"options": {"shape": [8, 8, 1], "epoch": 5}}, "unknown option 'epoch'"),
        ({"options": {"epochs": 2}}, "option 'shape' is missing"),
        ({"options": {"shape": [8, 8, 1], "keep_bytes": "1GB"}}, "keep_bytes must be a whole number"),
        ({"options": {"shape": [8, 8, 1], "devices": 3}}, "expected a multiple of 3; got 64"),
    ],
)
def test_an_option_is_told_before_there_is_a_job(made, home, how: dict, told: str) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    (home / "net.py").write_text("def build(params): ...\n")
    made("dataset", "dataset", "digits")
    with pytest.raises(AirflowFailException, match=f"SpecError: .*{told}"):
        operator(build=str(home / "net.py"), partition="2026-01-31", **how).execute({})
    assert not (home / "jobs").exists()


def test_that_processes_have_one_worker_is_told_before_their_environment_is_looked_for(monkeypatch, home) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    monkeypatch.setenv("MLPLAT_ENVIRONMENTS", str(home / "none"))
    with pytest.raises(AirflowFailException, match=r"the process launcher runs jobs of one worker; got 2\."):
        operator(build="net.py", partition="2026-01-31", workers="2").execute({})
