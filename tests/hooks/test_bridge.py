"""A partition from a real file into the store and the catalog."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.airflow


def test_a_partition_is_bridged_once_and_mended_when_its_shard_is_lost(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, digits: tuple, png
) -> None:
    from airflow_mlplat.bridges import CsvSource, File
    from airflow_mlplat.catalog import RunInfo
    from airflow_mlplat.errors import DataError
    from airflow_mlplat.hooks.bridge import BridgeHook
    from airflow_mlplat.hooks.jobs import JobHook
    from airflow_mlplat.store import Samples

    monkeypatch.setenv("MLPLAT_HOME", str(tmp_path))
    (tmp_path / "0.png").write_bytes(png(digits[0][0]))
    (tmp_path / "rows.csv").write_text("id,file\n0,0.png\n")
    source = CsvSource(path=str(tmp_path / "rows.csv"), key="id", media=File("file", root=str(tmp_path)))
    run = RunInfo("dag", "run", "bridge", -1, "2026-01-03")
    bridged = BridgeHook().bridge(source, "digits", run)
    again = BridgeHook().bridge(source, "digits", run)
    assert (bridged.reused, again.reused, again.ref) == (False, True, bridged.ref)
    assert JobHook().catalog.current_span("digits", "2026-01-03").ref == bridged.ref
    (shard,) = (tmp_path / "store").rglob("*.tar")
    shard.unlink()
    mended = BridgeHook().bridge(source, "digits", run)
    assert (mended.reused, mended.ref) == (False, bridged.ref)
    assert Samples(JobHook().store, mended.ref).media(0) == png(digits[0][0])
    with pytest.raises(DataError, match="has no samples"):
        (tmp_path / "rows.csv").write_text("id,file\n")
        BridgeHook().bridge(source, "digits", run)
