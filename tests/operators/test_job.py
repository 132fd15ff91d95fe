"""Jobs as tasks: run once, reused after; the job's own message when it fails; user errors are not retried."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = [pytest.mark.airflow, pytest.mark.tensorflow, pytest.mark.timeout(600)]

BROKEN = {
    "syntax.py": ("def build(params)\n    return None\n", "BuildError", "line 1"),
    "shape.py": (
        "def build(params):\n    import keras\n"
        "    return keras.Sequential([keras.Input(params['shape']), keras.layers.Flatten(), keras.layers.Dense(7)])\n",
        "BuildError",
        "7",
    ),
}


@pytest.fixture(scope="module")
def stages() -> tuple[str, ...]:
    return ("dataset", "test_set", "train", "predict", "evaluate", "compare")


def test_the_main_job_promotes_a_champion_and_is_not_done_twice(run_dag, catalog, home: Path, stages) -> None:
    first = run_dag()
    assert first.state == "success", first.log[-5000:]
    assert "XCom not found" not in first.log
    champion = catalog.alias("digits")
    assert champion is not None
    assert champion.partition == "2026-01-01"
    jobs = {path: path.stat().st_mtime_ns for path in home.glob("jobs/*/spec.json")}
    again = run_dag()
    assert again.state == "success"
    assert {path: path.stat().st_mtime_ns for path in home.glob("jobs/*/spec.json")} == jobs
    assert again.log.count("Reused the result of job") == len(stages) - 1
    assert "Reused the decision of an earlier run" in again.log
    assert catalog.alias("digits") == champion
    kinds = {name.split(":")[0] for name in catalog.lineage("digits@champion")["nodes"]}
    assert {"source", "partition", "span", "dataset", "file", "code", "job", "model", "decision"} <= kinds


def test_a_recommendation_is_carried_out_by_the_promotion(run_dag, catalog) -> None:
    run = run_dag(promote=False, options={"epochs": 1, "batch_size": 32, "shape": [8, 8, 1]})
    assert run.state == "success", run.log[-5000:]
    outcomes = [row.outcome for row in catalog.decisions("digits")]
    assert outcomes == ["promoted", "recommended"]
    assert catalog.alias("digits").digest == catalog.decisions("digits")[0].challenger


def test_an_earlier_day_does_not_replace_a_later_champion_and_spends_no_look(run_dag, catalog) -> None:
    options = {"epochs": 1, "batch_size": 32, "shape": [8, 8, 1]}
    later = run_dag(day="2026-01-05", options=options)
    assert later.state == "success", later.log[-3000:]
    champion = catalog.alias("digits")
    earlier = run_dag(day="2026-01-03", options={**options, "epochs": 4})
    assert earlier.state == "success", earlier.log[-3000:]
    (decision,) = [row for row in catalog.decisions("digits") if row.partition == "2026-01-03"]
    assert (decision.outcome, decision.challengers) == ("rejected", 0)
    assert "belongs to the later partition 2026-01-05" in decision.reason
    assert catalog.alias("digits") == champion


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_build_file_is_told_and_not_retried(run_dag, catalog, tmp_path: Path, name: str) -> None:
    text, kind, told = BROKEN[name]
    (tmp_path / name).write_text(text)
    run = run_dag(build=str(tmp_path / name))
    assert (run.tasks["train"], run.tasks["predict"]) == ("failed", "upstream_failed")
    assert "AirflowFailException" in run.log  # which Airflow does not retry
    assert kind in run.log
    assert told in failure(run)
    assert catalog.artifacts("model") == []


def test_an_unknown_framework_and_a_missing_build_file_are_told(run_dag) -> None:
    assert "theano" in failure(run_dag(framework="theano"))
    assert "does not exist" in failure(run_dag(build="models/nowhere.py"))


def failure(run) -> str:
    """The lines of the log in which the training failed."""
    assert run.tasks["train"] == "failed"
    return "\n".join(line for line in run.log.splitlines() if "rror" in line)


@pytest.fixture
def cancelled(home: Path):
    """A function: the event of a job that a task with these labels had cancelled."""
    import sys

    from airflow_mlplat.contract import JobSpec
    from airflow_mlplat.hooks.settings import load_settings
    from airflow_mlplat.launchers import ProcessLauncher

    def run(labels: dict[str, str]) -> dict:
        launcher = ProcessLauncher(
            load_settings().jobs, command=lambda *_: [sys.executable, "-c", "import time; time.sleep(60)"]
        )
        handle = launcher.submit(JobSpec("dataset", "digits", "/store", "c", "i"))
        launcher.cancel(handle, labels)
        return {"handle": handle.to_json()}

    return run


@pytest.mark.parametrize("try_number", ["1", "2"])
def test_a_job_that_another_task_had_cancelled_is_started_again(
    cancelled, monkeypatch: pytest.MonkeyPatch, try_number: str
) -> None:
    """Two tasks with the same work share a job; so do a cleared task's first try and its next."""
    from types import SimpleNamespace

    from airflow_mlplat.errors import JobDiedError
    from airflow_mlplat.operators import BuildDatasetOperator
    from airflow_mlplat.operators.task import labels

    context = {"ti": SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, try_number=2)}
    operator = BuildDatasetOperator(task_id="t", dataset="digits")
    monkeypatch.setattr(operator, "execute", lambda _: {"started": "again"})
    event = cancelled({**labels(context), "try_number": try_number})
    if try_number == "1":
        assert operator.execute_complete(context, event) == {"started": "again"}
    else:
        with pytest.raises(JobDiedError, match="was cancelled"):
            operator.execute_complete(context, event)
