from __future__ import annotations

import os

import pytest

from airflow_mlplat.bridges.readers import open_reader
from airflow_mlplat.bridges.scan import MediaScan, RowScan
from airflow_mlplat.bridges.spool import Spool
from airflow_mlplat.errors import SourceError

DAY = "2026-01-31"


def scan(shop, **changes):
    source = shop.source(**changes)
    rows = RowScan(source, shop.engine, DAY, open_reader(source.media))
    return rows, list(rows)


def test_rows_with_fingerprint_and_watermark(shop):
    shop.add(1, at="2026-01-31 11:00")
    shop.add(2, at="2026-01-31 10:00")
    shop.add(3, label="hat")
    rows, found = scan(shop, watermark="updated_at")
    assert [row.key for row in found] == [b"1", b"2", b"3"] and found[2].reason == "label outside the class list"
    assert rows.watermark == "2026-01-31 11:00" and rows.fingerprint.text.startswith("3-")
    again, _ = scan(shop, watermark="updated_at")
    assert again.fingerprint.text == rows.fingerprint.text


def test_a_touched_row_changes_the_fingerprint(shop):
    shop.add(1)
    before, _ = scan(shop, watermark="updated_at")
    shop.run("UPDATE photos SET updated_at = '2026-01-31 12:00'")
    after, _ = scan(shop, watermark="updated_at")
    assert before.fingerprint.text != after.fingerprint.text
    assert scan(shop)[0].watermark is None


def test_watermarks_of_mixed_types(shop):
    shop.add(1, at=5)
    shop.add(2, at="text")
    shop.run("CREATE TABLE mixed AS SELECT id, path, label, taken_on, id AS mark FROM photos")
    shop.run("UPDATE mixed SET mark = 'text' WHERE id = 2")
    with pytest.raises(SourceError, match="watermarks of different types"):
        scan(shop, query="SELECT * FROM mixed WHERE taken_on = :partition", watermark="mark")


def test_states_of_media(shop):
    shop.add(1)
    shop.add(2, content=None)
    shop.add(3, content=b"")
    reader = open_reader(shop.source().media)

    def look():
        with Spool() as spool:
            spool.fill(scan(shop)[1])
            media = MediaScan(reader, spool)
            return [(state.state is None, state.reason) for state in media], media.fingerprint.text

    states, text = look()
    assert states == [(False, None), (True, "missing media"), (True, "empty media")]
    assert look() == (states, text)
    os.utime(shop.folder / "1.png", (1, 1))
    assert look()[1] != text
    os.utime(shop.folder / "1.png")
    (shop.folder / "2.png").write_bytes(b"here now")
    assert look()[0][1] == (False, None)
