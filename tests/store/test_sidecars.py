"""Sidecars are verified once, and read by record or mapped."""

from __future__ import annotations

import os

import numpy as np
import pytest

from airflow_mlplat.contract import digest
from airflow_mlplat.errors import CorruptionError
from airflow_mlplat.store import npy_bytes
from airflow_mlplat.store.sidecars import Sidecars

PATH = "shards/x.npy"
ROWS = np.array([(n, -n) for n in range(50)], [("a", "<u4"), ("b", "<i8")])
CONTENT = npy_bytes(ROWS)


@pytest.fixture
def put(store):
    """A function that puts bytes where the sidecar lies; gives their SHA-256."""

    def put(content=CONTENT):
        store.backend.put_if_absent(PATH, content)
        return digest(content)

    return put


@pytest.mark.parametrize("mapped", [True, False])
def test_records(store, put, monkeypatch, mapped):
    if not mapped:
        monkeypatch.setattr(type(store.backend), "local_path", lambda self, path: None)
    sidecar = Sidecars(store).open(PATH, put(), 50)
    assert sidecar.mappable == mapped
    assert np.array_equal(sidecar.array(), ROWS)
    assert not sidecar.array().flags.writeable
    if mapped:
        assert [sidecar.record(row) for row in (0, 49)] == [ROWS[0].tobytes(), ROWS[49].tobytes()]


def test_wrong_number_of_rows(store, put):
    with pytest.raises(CorruptionError, match=r"x\.npy has another number of rows; expected \(51,\); got \(50,\)"):
        Sidecars(store).open(PATH, put(), 51)


@pytest.mark.parametrize("content", [b"", b"nonsense", CONTENT[:-1], b"\x93NUMPY\x02\x00" + CONTENT[8:]])
def test_not_an_array(store, put, content):
    with pytest.raises(CorruptionError, match=r"shards/x\.npy is not an array; got "):
        Sidecars(store).open(PATH, put(content), 50)


def test_damage_is_found_when_it_is_opened_first(store, put):
    put()
    with pytest.raises(CorruptionError, match=r"shards/x\.npy of the store .* is damaged; expected SHA-256 0{12}"):
        Sidecars(store).open(PATH, "0" * 64, 50)


@pytest.mark.parametrize("left", [0, 200, len(CONTENT) - 1])
def test_one_that_is_cut_off_before_it_is_mapped(store, put, left):
    sidecar, path = Sidecars(store).open(PATH, put(), 50), store.backend.local_path(PATH)
    path.chmod(0o644)
    os.truncate(path, left)
    with pytest.raises(
        CorruptionError, match=r"x\.npy of the store .* has lost its end; expected \(50,\) records; got"
    ):
        sidecar.array()


def test_another_thread_that_maps_a_file_that_was_cut_off_hides_nothing(store, put, monkeypatch):
    """Both find it not mapped yet; the second one comes too late."""
    sidecar, path = Sidecars(store).open(PATH, put(), 50), store.backend.local_path(PATH)
    make = sidecar._map

    def late():
        first = make()
        monkeypatch.setattr(sidecar, "_map", make)
        path.chmod(0o644)
        os.truncate(path, 200)
        with pytest.raises(CorruptionError, match="has lost its end"):
            sidecar.array()
        return first

    monkeypatch.setattr(sidecar, "_map", late)
    sidecar.array()
    with pytest.raises(CorruptionError, match=rf"has lost its end; expected {len(CONTENT)} bytes; got 200"):
        sidecar.check()


def test_one_that_is_cut_off_while_it_is_mapped(store, put):
    sidecar, path = Sidecars(store).open(PATH, put(), 50), store.backend.local_path(PATH)
    sidecar.check()
    assert len(sidecar.array()) == 50
    sidecar.check()
    path.chmod(0o644)
    os.truncate(path, 0)
    told = rf"x\.npy of the store .* has lost its end; expected {len(CONTENT)} bytes; got 0\."
    with pytest.raises(CorruptionError, match=told):
        sidecar.check()


def test_what_goes_afterwards(store, put):
    sidecars, sha256 = Sidecars(store), put()
    sidecar, path = sidecars.open(PATH, sha256, 50), store.backend.local_path(PATH)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        CorruptionError, match=r"shards/x\.npy of the store .* has lost its end; expected 12 bytes; got 11\. restore"
    ):
        sidecar.record(49)
    path.unlink()
    for use in (lambda: sidecar.record(0), sidecar.array):
        with pytest.raises(CorruptionError, match=r"shards/x\.npy is missing from the store file:///.*\. restore"):
            use()
