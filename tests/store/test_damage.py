"""What is told of damaged files."""

from __future__ import annotations

from airflow_mlplat.store.damage import cut_off, missing


def test_missing():
    """There is nothing to delete."""
    assert str(missing("shards/x.tar", "file:///s")) == (
        "shards/x.tar is missing from the store file:///s. restore the file from a copy, or bridge its partition again."
    )


def test_cut_off():
    assert str(cut_off("shards/x.tar", "file:///s", "10 bytes", 4)) == (
        "shards/x.tar of the store file:///s has lost its end; expected 10 bytes; got 4. "
        "restore the file from a copy, or delete it and bridge its partition again."
    )
