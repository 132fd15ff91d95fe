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
