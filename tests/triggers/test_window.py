"""Waiting for a window."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

pytestmark = pytest.mark.airflow


def test_it_fires_when_the_last_span_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from airflow_mlplat.catalog import RunInfo
    from airflow_mlplat.hooks.jobs import JobHook
    from airflow_mlplat.store import SpanWriter
    from airflow_mlplat.triggers.window import WindowTrigger

    monkeypatch.setenv("MLPLAT_HOME", str(tmp_path))
    hook = JobHook()
    trigger = WindowTrigger("digits", ["2026-01-01"], poll_seconds=0.05)
    path, kwargs = trigger.serialize()
    assert path == "airflow_mlplat.triggers.window.WindowTrigger"
    assert WindowTrigger(**kwargs).serialize() == (path, kwargs)

    async def first() -> dict:
        async for event in trigger.run():
            return event.payload
        raise AssertionError("no event")

    async def main() -> dict:
        waiting = asyncio.ensure_future(first())
        await asyncio.sleep(0.3)
        assert not waiting.done()
        with SpanWriter(hook.store, "digits", "2026-01-01", ["0"]) as writer:
            ref = writer.commit()
        run = RunInfo("d", "r", "t", -1, "2026-01-01")
        document = hook.store.manifest(ref)
        hook.catalog.commit_span(
            ref, "2026-01-01", document, watermark=None, fingerprint=None, source={"kind": "test"}, run=run
        )
        return await asyncio.wait_for(waiting, 10)

    assert asyncio.run(main()) == {"dataset": "digits"}
