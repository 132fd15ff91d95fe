"""One installation behind one hook."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlplat.hooks.jobs import Where

pytestmark = pytest.mark.airflow


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from airflow_mlplat.hooks.jobs import JobHook

    monkeypatch.setenv("MLPLAT_HOME", str(tmp_path))
    return JobHook()


def test_a_spec_has_what_the_installation_knows(hook, tmp_path: Path) -> None:
    spec = hook.spec("evaluate", "digits", where=Where("process"), params={"a": 1}, inputs={})
    assert (spec.stage, spec.name, spec.params, spec.store) == (
        "evaluate",
        "digits",
        {"a": 1},
        f"file://{tmp_path}/store",
    )
    assert len(spec.code_version) == len(spec.image) == 64
    assert hook.spec("evaluate", "digits", where=Where("process"), params={"a": 1}, inputs={}).key == spec.key


def test_an_unknown_launcher_and_a_missing_build_file_are_told(hook, tmp_path: Path) -> None:
    from airflow_mlplat.errors import BuildError, SpecError

    with pytest.raises(SpecError, match=r"that is no name .*; expected letters, digits, .*; got 'a@b'"):
        hook.spec("train", "a@b", where=Where("process"), params={}, inputs={})
    with pytest.raises(SpecError, match=r"unknown launcher; expected docker \| kubernetes \| process; got 'abacus'"):
        hook.launcher("abacus")
    with pytest.raises(BuildError, match=r"build file '.*net.py' does not exist"):
        hook.put_build_file(tmp_path / "net.py")


def test_missing_spans_are_those_not_bridged(hook) -> None:
    assert hook.missing_spans("digits", ["2026-01-01", "2026-01-02"]) == ["2026-01-01", "2026-01-02"]


class Ended:
    """A launcher of one job that has ended, with an outbox and a result that it left there."""

    def __init__(self, outbox: Path, spec, result) -> None:
        self._outbox, self._spec, self._result, self.discarded = outbox, spec, result, False

    def outbox(self, handle):
        return self._outbox

    def spec(self, handle):
        return self._spec

    def result(self, handle):
        return self._result

    def discard(self, handle):
        self.discarded = True


@pytest.mark.parametrize("left", ["another job's", "nowhere", "no plain JSON", "a store that fails"])
def test_a_result_that_is_worth_nothing_is_made_again(hook, tmp_path: Path, monkeypatch, left: str) -> None:
    import dataclasses

    from airflow_mlplat.contract import JobResult, JobSpec, Ref
    from airflow_mlplat.errors import MlplatError, StoreError

    spec = JobSpec("train", "x", hook.store.url, "c", "i", framework="mxnet")
    model = {"format": 1, "kind": "model", "name": "x", "framework": "mxnet", "files": {}, "parents": []}
    good = JobResult(spec.key, "train", {"model": hook.store.put_manifest(model)})
    results = {
        "another job's": dataclasses.replace(good, job_key="0" * 64),
        "nowhere": dataclasses.replace(good, outputs={"model": Ref("model", "x", "0" * 64)}),
        "no plain JSON": dataclasses.replace(good, metrics={"loss": float("nan")}),
    }

    def fail(result):
        raise StoreError("the disk is full")

    if left == "a store that fails":
        monkeypatch.setattr(hook.store, "put_result", fail)
    launcher = Ended(tmp_path / "outbox", spec, results.get(left, good))
    with pytest.raises(MlplatError):
        hook.commit(launcher, None)
    assert launcher.discarded == (left in results)
