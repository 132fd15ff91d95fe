"""Where things are."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlplat.contract import ENVIRONMENT
from airflow_mlplat.errors import ConfigError
from airflow_mlplat.hooks.settings import load_settings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)


def test_everything_lies_in_one_folder(tmp_path: Path) -> None:
    settings = load_settings()
    home = tmp_path / ".mlplat"
    assert (settings.home, settings.jobs, settings.environments) == (home, home / "jobs", home / "environments")
    assert settings.store == str(home / "store")
    assert settings.catalog == f"sqlite:///{home}/catalog.db"
    assert settings.orphan_seconds == 900
    assert settings.job_variables == {"MLPLAT_CACHE": f"{home}/cache", "MLPLAT_CACHE_BYTES": str(20 * 2**30)}


def test_each_place_may_be_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT:
        monkeypatch.setenv(name, "7" if name.endswith(("SECONDS", "BYTES")) else f"/x/{name}")
    settings = load_settings()
    assert (str(settings.home), settings.store, settings.catalog) == (
        "/x/MLPLAT_HOME",
        "/x/MLPLAT_STORE",
        "/x/MLPLAT_CATALOG",
    )
    assert (str(settings.environments), settings.orphan_seconds) == ("/x/MLPLAT_ENVIRONMENTS", 7)
    assert settings.job_variables == {"MLPLAT_CACHE": "/x/MLPLAT_CACHE", "MLPLAT_CACHE_BYTES": "7"}


@pytest.mark.parametrize("value", ["soon", "-1", "0", "nan", "inf"])
def test_a_wrong_time_is_told(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MLPLAT_ORPHAN_SECONDS", value)
    with pytest.raises(ConfigError, match=f"not a time; expected seconds > 0; got '{value}'"):
        load_settings()


@pytest.mark.parametrize("value", ["20GB", "-1", "0", "1.5"])
def test_a_wrong_size_is_told(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MLPLAT_CACHE_BYTES", value)
    with pytest.raises(ConfigError, match=f"not a size; expected bytes > 0; got '{value}'"):
        load_settings()
