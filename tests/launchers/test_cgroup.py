"""The kernel's count of processes that it killed for memory."""

from __future__ import annotations

import pytest

from airflow_mlplat.launchers.cgroup import memory_kills


@pytest.mark.parametrize(
    "content",
    ["low 0\nhigh 0\nmax 9\noom 1\noom_kill 3\n", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"],
    ids=["version 2", "version 1"],
)
def test_the_count(tmp_path, content):
    (tmp_path / "events").write_text(content)
    assert memory_kills((str(tmp_path / "none"), str(tmp_path / "events"))) == 3


@pytest.mark.parametrize("content", [None, "oom_kill_disable 0\n"])
def test_none(tmp_path, content):
    if content is not None:
        (tmp_path / "events").write_text(content)
    assert memory_kills((str(tmp_path / "events"),)) == 0
