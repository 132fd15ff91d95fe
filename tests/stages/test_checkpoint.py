"""Checkpoints: the newest whole one, whatever else lies there."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from airflow_mlplat.stages.checkpoint import Checkpoint, Checkpoints

LOG = logging.getLogger("tests.stages")


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "checkpoints", "k" * 64, LOG)


def made(step):
    return Checkpoint(step, {"epochs": [{"loss": 0.5}]}, {"w": np.full(1000, step, np.float32), "n": np.array(step)})


def files(tmp_path):
    return sorted(path.name for path in (tmp_path / "checkpoints").iterdir())


def test_none_at_first(checkpoints):
    assert checkpoints.newest() is None


def test_the_newest_comes_back_whole(checkpoints):
    for step in (10, 20):
        checkpoints.write(made(step))
    found = checkpoints.newest()
    assert (found.step, found.progress) == (20, {"epochs": [{"loss": 0.5}]})
    np.testing.assert_array_equal(found.arrays["w"], made(20).arrays["w"])
    assert found.arrays["n"] == 20


def test_two_are_kept(checkpoints, tmp_path):
    for step in (9, 10, 100, 1000):
        checkpoints.write(made(step))
    assert files(tmp_path) == ["step-000000000100.npz", "step-000000001000.npz"]


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.99])
def test_a_torn_one_is_ignored_with_a_word(checkpoints, tmp_path, caplog, kept):
    checkpoints.write(made(10))
    checkpoints.write(made(20))
    newest = tmp_path / "checkpoints/step-000000000020.npz"
    content = newest.read_bytes()
    newest.write_bytes(content[: int(len(content) * kept)])
    assert checkpoints.newest().step == 10
    assert "Ignored checkpoint step-000000000020.npz: " in caplog.text


def test_a_flipped_bit_is_noticed(checkpoints, tmp_path):
    checkpoints.write(made(10))
    path = tmp_path / "checkpoints/step-000000000010.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(bytes(content))
    assert checkpoints.newest() is None


def test_another_jobs_is_ignored(checkpoints, tmp_path, caplog):
    checkpoints.write(made(10))
    assert Checkpoints(tmp_path / "checkpoints", "x" * 64, LOG).newest() is None
    assert "is another job's; expected xxxxxxxxxxxx; got kkkkkkkkkkkk." in caplog.text


def test_a_half_written_one_is_not_looked_at(checkpoints, tmp_path):
    checkpoints.write(made(10))
    (tmp_path / "checkpoints/step-000000000020.part").write_bytes(b"half")
    assert checkpoints.newest().step == 10
    checkpoints.write(made(30))
    assert files(tmp_path) == ["step-000000000010.npz", "step-000000000030.npz"]
