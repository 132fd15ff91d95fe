from __future__ import annotations

import os
import threading

import pytest

import airflow_mlplat.catalog
from airflow_mlplat.catalog import open_catalog
from airflow_mlplat.errors import CatalogError


def test_every_public_name_is_there_and_no_other():
    room = airflow_mlplat.catalog
    assert all(getattr(room, name).__doc__ for name in room.__all__) and len(room.__all__) <= 12
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = room.nothing


def test_url_has_no_password(catalog):
    assert "mlplat:mlplat@" not in catalog.url


def test_two_openings_are_one_catalog(url, make):
    ref = make.model(1)
    assert open_catalog(url).artifact(ref).ref == ref


def test_threads_share_a_catalog(catalog, make):
    threads = [threading.Thread(target=make.model, args=(version,)) for version in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(catalog.artifacts("model")) == len(catalog.jobs()) == 8


def test_catalog_survives_a_fork(catalog, make):
    make.model(1)
    child = os.fork()
    if not child:
        try:
            make.model(2)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert len(catalog.artifacts("model")) == 2


def test_file_that_is_no_database(tmp_path):
    (tmp_path / "catalog.db").write_text("not a database, though long enough to be taken for one" * 10)
    with pytest.raises(CatalogError, match="failed; got DatabaseError: file is not a database"):
        open_catalog(f"sqlite:///{tmp_path}/catalog.db")
