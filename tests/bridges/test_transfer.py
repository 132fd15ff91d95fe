from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa

from airflow_mlplat.bridges import Bridged, Column, File, Previous, SqlSource, bridge
from airflow_mlplat.errors import (
    DataError,
    PartitionError,
    PlatformError,
    SourceChangedError,
    StoreError,
)
from airflow_mlplat.store import Samples, check_store, open_store

DAY = "2026-01-31"


def run(shop, store, source=None, partition=DAY, dataset="photos", **options) -> Bridged:
    return bridge(source or shop.source(), shop.engine, store, dataset=dataset, partition=partition, **options)


def after(bridged: Bridged) -> Previous:
    return Previous(bridged.ref, bridged.fingerprint)


def quarantine(store, bridged) -> list[dict]:
    name = bridged.document["files"].get("quarantine.jsonl")
    return [json.loads(line) for line in store.blob(name).splitlines()] if name else []


def visible(store) -> list:
    return list(store.manifests("span"))


@pytest.fixture
def photos(shop):
    """250 good photos, and one of another day."""
    with shop.engine.begin() as connection:
        for n in range(250):
            (shop.folder / f"{n}.png").write_bytes(b"\x89PNG photo %d" % n)
            values = {"i": n, "p": f"{n}.png", "l": ("shirt", "coat")[n % 2], "a": f"2026-01-31 10:{n % 60:02}"}
            connection.execute(sa.text(f"INSERT INTO photos VALUES (:i, :p, :l, '{DAY}', 'ann', :a)"), values)
    shop.add("other", day="2026-02-01")
    return shop


def test_a_partition_becomes_a_span(photos, store):
    bridged = run(photos, store, photos.source(metadata=("taken_by",), watermark="updated_at"))
    samples = Samples(store, bridged.ref)
    assert bridged.ref.kind == "span" and bridged.ref.name == "photos"
    assert (bridged.samples, len(samples), bridged.quarantined, bridged.reused, bridged.restates) == (
        250,
        250,
        {},
        False,
        None,
    )
    assert bridged.watermark == "2026-01-31 10:59" and bridged.seconds > 0
    assert bridged.document == store.manifest(bridged.ref) and bridged.document["partition"] == DAY
    assert samples.classes == ["shirt", "coat"]
    keys = [samples.key(row) for row in range(250)]
    assert keys == sorted(str(n) for n in range(250))
    row = keys.index("17")
    assert samples.media(row) == b"\x89PNG photo 17" and samples.labels[row] == 1
    assert samples.metadata(row) == {"taken_by": "ann"}
    assert check_store(store).problems == []


def test_an_unchanged_partition_reads_no_media(photos, store):
    first = run(photos, store)
    for n in range(250):
        (photos.folder / f"{n}.png").chmod(0)  # root may still read them: the digest below tells as well
    again = run(photos, store, previous=after(first))
    assert again.reused and again.restates is None
    assert (again.ref, again.fingerprint, again.document) == (first.ref, first.fingerprint, first.document)
    assert (again.samples, again.quarantined, again.watermark) == (first.samples, first.quarantined, first.watermark)


def test_an_unchanged_partition_is_not_even_fetched_from_the_web(photos, store, web):
    for n in range(250):
        web.put(f"{n}.png", b"photo %d" % n)
    source = photos.source(media=File("path", web.url))
    first = run(photos, store, source)
    assert {method for method, _ in web.asked} == {"HEAD", "GET"}
    web.asked.clear()
    assert run(photos, store, source, previous=after(first)).reused
    assert {method for method, _ in web.asked} == {"HEAD"}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE photos SET label = 'coat' WHERE id = 0",
        "UPDATE photos SET path = '4.png' WHERE id = 2",
        "DELETE FROM photos WHERE id = 249",
        f"INSERT INTO photos VALUES (250, '1.png', 'coat', '{DAY}', 'bob', NULL)",
    ],
)
def test_a_changed_row_restates(photos, store, change):
    first = run(photos, store)
    photos.run(change)
    second = run(photos, store, previous=after(first))
    assert not second.reused and second.restates == first.ref and second.ref != first.ref
    assert len(visible(store)) == 2


def test_changed_media_restates_and_touched_media_is_read_again_but_the_same(photos, store):
    first = run(photos, store)
    os.utime(photos.folder / "3.png", (1, 1))
    touched = run(photos, store, previous=after(first))
    assert (touched.ref, touched.reused, touched.restates) == (first.ref, False, None)
    assert touched.fingerprint != first.fingerprint
    (photos.folder / "3.png").write_bytes(b"another")
    assert run(photos, store, previous=after(touched)).restates == first.ref


def test_a_changed_source_is_read_again(photos, store):
    first = run(photos, store)
    again = run(photos, store, photos.source(classes=("coat", "shirt")), previous=after(first))
    assert not again.reused and again.restates == first.ref


def test_a_previous_span_that_left_the_store_is_made_again(photos, store, tmp_path):
    first = run(photos, store)
    other = open_store(str(tmp_path / "other"))
    again = run(photos, other, previous=after(first))
    assert (again.ref, again.reused, again.restates) == (first.ref, False, None)
    assert again.document == other.manifest(again.ref)


def test_a_previous_span_of_another_dataset_is_not_taken_for_this_one(photos, store):
    first = run(photos, store)
    again = run(photos, store, dataset="pictures", previous=after(first))
    assert not again.reused and again.ref.name == "pictures"


def test_the_order_of_rows_does_not_matter(photos, store):
    first = run(photos, store, photos.source(query="SELECT * FROM photos WHERE taken_on = :partition ORDER BY id DESC"))
    other = run(
        photos, store, photos.source(query="SELECT * FROM photos WHERE taken_on = :partition ORDER BY id", chunk_rows=7)
    )
    assert first.ref == other.ref


def test_every_bad_record_is_quarantined_with_its_reason(photos, store):
    photos.add("missing", content=None)
    photos.add("empty", content=b"")
    photos.add("hat", label="hat")
    photos.add(None, path="1.png")
    photos.add("", path="2.png")
    photos.add("pathless", path="3.png")
    photos.run("UPDATE photos SET path = NULL WHERE id = 'pathless'")
    photos.add("outside", path="../shop.db", content=None)
    photos.add("absolute", path="/etc/passwd", content=None)
    photos.add("same", path="4.png", content=None)
    photos.add("same", path="4.png", content=None)
    photos.add("differs", path="5.png", content=None)
    photos.add("differs", path="6.png", content=None)
    photos.add("x" * 300, path="7.png", content=None)
    photos.add("unlabelled", label=None)
    bridged = run(photos, store, max_bad_fraction=0.1)
    assert bridged.quarantined == {
        "no key": 2,
        "bad key": 1,
        "label outside the class list": 1,
        "missing media": 2,
        "empty media": 1,
        "media outside its root": 2,
        "duplicate key": 3,
    }
    rows = quarantine(store, bridged)
    assert len(rows) == 12 and bridged.samples == 252  # 250, "same" once, "unlabelled"
    assert {"key": "hat", "reason": "label outside the class list", "detail": "'hat'"} in rows
    assert {"key": "same", "reason": "duplicate key", "detail": "identical to the one kept"} in rows
    assert {"key": "absolute", "reason": "media outside its root", "detail": "'/etc/passwd'"} in rows
    samples = Samples(store, bridged.ref)
    keys = [samples.key(row) for row in range(len(samples))]
    assert samples.labels[keys.index("unlabelled")] == -1
    assert check_store(store).problems == []


def test_a_span_does_not_depend_on_where_the_folder_lies(photos, store, tmp_path):
    photos.add("missing", content=None)
    photos.add("folder", path="sub", content=None)
    photos.add("link", path="link.png", content=None)
    (photos.folder / "sub").mkdir()
    (photos.folder / "link.png").symlink_to("/etc/passwd")
    shutil.copytree(photos.folder, tmp_path / "elsewhere", symlinks=True)
    one = run(photos, store, max_bad_fraction=0.1)
    other = run(photos, store, photos.source(media=File("path", str(tmp_path / "elsewhere"))), max_bad_fraction=0.1)
    assert one.ref == other.ref
    assert [(row["key"], row["reason"], row["detail"]) for row in quarantine(store, one)] == [
        ("folder", "unreadable media", "'sub' is no file"),
        ("link", "media outside its root", "'link.png' is a link out of it"),
        ("missing", "missing media", "'missing.png'"),
    ]


def test_quarantined_records_are_logged(photos, store, caplog):
    photos.add("hat", label="hat")
    with caplog.at_level(logging.INFO):
        run(photos, store, log=logging.getLogger("task"))
    assert (
        "partition 2026-01-31 of photos: 1 quarantined, label outside the class list, such as 'hat' 'hat'"
        in caplog.text
    )


def test_the_first_bad_records_of_a_refused_partition_are_logged(photos, store, caplog):
    for n in range(25):
        photos.add(f"bad{n:02d}", content=None)
    with caplog.at_level(logging.INFO), pytest.raises(DataError, match="too many bad records"):
        run(photos, store, log=logging.getLogger("task"))
    listed = [message for message in caplog.messages if " is bad: " in message]
    assert len(listed) == 20
    for message, key in zip(listed, ("bad00", "bad01")):
        assert message.startswith(f"partition 2026-01-31 of photos: '{key}' is bad: missing media")


def test_too_many_bad_records_fail_and_leave_nothing(photos, store):
    for n in range(3):
        photos.add(f"bad{n}", content=None)
    with pytest.raises(DataError, match=r"too many bad records; .* got 3 of 253 \(missing media: 3 \(such as 'bad0' "):
        run(photos, store)
    assert visible(store) == []
    assert run(photos, store, max_bad_fraction=3 / 253).quarantined == {"missing media": 3}


def test_a_stricter_limit_is_asked_of_a_reused_span_too(photos, store):
    photos.add("bad", content=None)
    first = run(photos, store)
    assert first.quarantined == {"missing media": 1}
    with pytest.raises(DataError, match="too many bad records"):
        run(photos, store, previous=after(first), max_bad_fraction=0.001)


def test_an_empty_partition_fails_unless_allowed(shop, store):
    with pytest.raises(
        DataError, match=r"partition 2026-01-31 of photos has no samples; expected at least one; got no records"
    ):
        run(shop, store)
    assert visible(store) == []
    empty = run(shop, store, allow_empty=True)
    assert (empty.samples, len(Samples(store, empty.ref)), empty.watermark) == (0, 0, None)
    assert run(shop, store, allow_empty=True, previous=after(empty)).reused
    with pytest.raises(DataError, match="has no samples"):
        run(shop, store, previous=after(empty))


def test_a_partition_that_does_not_parse_reaches_no_database(store):
    source = SqlSource("shop", "SELECT * FROM photos WHERE day = :partition", "id", File("path", "."))
    with pytest.raises(PartitionError, match="partition does not parse"):
        bridge(source, None, store, dataset="photos", partition="2026-01-31' OR '1'='1")


def test_media_from_a_column(shop, store):
    shop.run("CREATE TABLE images (id TEXT, image BLOB, label TEXT, day TEXT)")
    with shop.engine.begin() as connection:
        for n in range(150):
            connection.execute(
                sa.text("INSERT INTO images VALUES (:i, :m, 'coat', :d)"),
                {"i": f"k{n:03}", "m": b"\x89PNG %d" % n, "d": DAY},
            )
        connection.execute(
            sa.text("INSERT INTO images VALUES ('null', NULL, 'coat', :d), ('zero', x'', 'coat', :d)"), {"d": DAY}
        )
    source = shop.source(query="SELECT * FROM images WHERE day = :partition", media=Column("image"))
    bridged = run(shop, store, source, max_bad_fraction=0.1)
    assert bridged.quarantined == {"missing media": 1, "empty media": 1}
    assert Samples(store, bridged.ref).media(7) == b"\x89PNG 7"
    assert run(shop, store, source, previous=after(bridged), max_bad_fraction=0.1).reused
    shop.run("UPDATE images SET image = x'00' WHERE id = 'k007'")
    assert run(shop, store, source, previous=after(bridged), max_bad_fraction=0.1).restates == bridged.ref


@pytest.mark.postgres
def test_postgres_with_media_in_a_column(postgres, store):
    with postgres.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE images (id bigint, image bytea, label int, day date, at timestamptz)")
        connection.exec_driver_sql(
            "INSERT INTO images SELECT n, decode('89504e47', 'hex') || n::text::bytea, mod(n, 2), '2026-01-31', "
            "timestamptz '2026-01-31 00:00Z' + n * interval '1 minute' FROM generate_series(1, 300) n"
        )
    source = SqlSource(
        "shop", "SELECT * FROM images WHERE day = :partition", "id", Column("image"), label="label", classes=range(2),
        watermark="at",
    )  # fmt: skip
    bridged = bridge(source, postgres, store, dataset="images", partition=DAY)
    samples = Samples(store, bridged.ref)
    assert (bridged.samples, bridged.watermark) == (300, "2026-01-31T05:00:00+00:00")
    assert samples.classes == ["0", "1"] and samples.media(0) == b"\x89PNG1" and samples.labels[0] == 1
    assert bridge(source, postgres, store, dataset="images", partition=DAY, previous=after(bridged)).reused


LARGE = """
import pathlib, sys, sqlalchemy
from airflow_mlplat.bridges import bridge, Column, SqlSource
from airflow_mlplat.store import open_store
source = SqlSource("shop", "SELECT * FROM images WHERE day = :partition", "id", Column("image"))
store = open_store(sys.argv[2])
engine = sqlalchemy.create_engine(sys.argv[1])
peak = lambda: int(pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
source.count(engine, "2026-01-31")
before = peak()
bridge(source, engine, store, dataset="images", partition="2026-01-31")
print(peak() - before)
"""


def test_memory_does_not_grow_with_the_partition(shop, tmp_path):
    shop.run("CREATE TABLE images (id INTEGER, image BLOB, day TEXT)")
    shop.run(
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2000) "
        "INSERT INTO images SELECT n, randomblob(50000), :d FROM n",
        d=DAY,
    )
    command = [sys.executable, "-c", LARGE, str(shop.engine.url), str(tmp_path / "store")]
    grown = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    print(f"100 MB of media: {grown:.0f} MiB of memory")
    assert grown < 48  # MiB: caches and buffers


def test_sources_without_labels(photos, store):
    bridged = run(photos, store, photos.source(label=None, classes=None))
    samples = Samples(store, bridged.ref)
    assert samples.classes == [] and set(samples.labels) == {-1}


# While it is read


def on_first_fetch(web, act) -> None:
    """Act once, when the first file's content is asked for: rows and states are known by then."""
    lock, done = threading.Lock(), []

    def before(method, path):
        with lock:
            if method == "GET" and not done:
                done.append(path)
                act()

    web.before = before


@pytest.fixture
def online(photos, web):
    """The photos on the web."""
    for n in range(250):
        web.put(f"{n}.png", b"\x89PNG photo %d" % n)
    return photos


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE photos SET label = 'coat' WHERE id = 0",
        "DELETE FROM photos WHERE id = 1",
        "INSERT INTO photos SELECT * FROM photos",
    ],
)
def test_rows_that_change_while_media_is_read(online, web, store, change):
    source = online.source(media=File("path", web.url))
    on_first_fetch(web, lambda: online.run(change))
    with pytest.raises(SourceChangedError, match="rows of partition 2026-01-31 of photos changed while they were read"):
        run(online, store, source)
    assert visible(store) == []
    assert run(online, store, source, max_bad_fraction=1.0, allow_empty=True).ref  # at rest, the retry goes through


@pytest.mark.parametrize("act", [lambda path: path.write_bytes(b"other content"), lambda path: path.unlink()])
def test_media_that_changes_while_it_is_read(online, web, store, act):
    on_first_fetch(web, lambda: act(web.folder / "99.png"))
    with pytest.raises(SourceChangedError, match="media of partition 2026-01-31 of photos changed while it was read"):
        run(online, store, online.source(media=File("path", web.url)))
    assert visible(store) == []


def test_a_writer_that_never_rests(photos, store):
    """A second process's worth of updates, all the while: either the rows are all of one moment, or nothing is."""
    stop = threading.Event()

    def write():
        round_ = 0
        while not stop.wait(0.001):
            round_ += 1
            photos.run("UPDATE photos SET taken_by = :r WHERE taken_on = :d", r=str(round_), d=DAY)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            try:
                bridged = run(photos, store, photos.source(metadata=("taken_by",)))
            except SourceChangedError:
                continue
            samples = Samples(store, bridged.ref)
            assert len({json.dumps(samples.metadata(row)) for row in range(len(samples))}) == 1
    finally:
        stop.set()
        writer.join()
    photos.run("UPDATE photos SET taken_by = 'ann'")
    assert run(photos, store, photos.source(metadata=("taken_by",))).samples == 250


# Platform errors


def test_a_web_server_that_fails_is_no_bad_record(online, web, store):
    web.answers["/7.png"] = [500] * 100
    with pytest.raises(PlatformError, match=r"7\.png' cannot be fetched; got ClientResponseError: 500"):
        run(online, store, online.source(media=File("path", web.url)))
    assert visible(store) == []


def test_a_store_that_cannot_be_written_is_a_platform_error(photos, store, tmp_path):
    def fail(path, content):
        raise StoreError("disk is full")

    store.backend.put_if_absent = fail
    with pytest.raises(StoreError, match="disk is full"):
        run(photos, store)


KILLED = """
import sys, sqlalchemy
from airflow_mlplat.bridges import bridge, File, SqlSource
from airflow_mlplat.store import open_store
database, url, store = sys.argv[1:]
source = SqlSource("shop", "SELECT id, path, label FROM photos WHERE taken_on = :partition", "id", File("path", url),
                   label="label", classes=("shirt", "coat"))
bridge(source, sqlalchemy.create_engine(database), open_store(store), dataset="photos", partition="2026-01-31")
"""


def test_a_killed_bridge_leaves_nothing_visible_and_the_rerun_gives_the_same_span(online, web, store, tmp_path):
    fetched = threading.Event()
    resume = threading.Event()
    count = iter(range(10**6))

    def before(method, path):
        if method == "GET" and next(count) == 120:
            fetched.set()
            resume.wait(20)

    web.before = before
    command = [sys.executable, "-c", KILLED, str(online.engine.url), web.url, str(tmp_path / "store")]
    process = subprocess.Popen(command)
    try:
        assert fetched.wait(30)
        process.send_signal(signal.SIGKILL)
    finally:
        resume.set()
        process.kill()
        assert process.wait(10) == -signal.SIGKILL
    assert visible(store) == []
    web.before = None
    source = online.source(
        query="SELECT id, path, label FROM photos WHERE taken_on = :partition", media=File("path", web.url)
    )
    rerun = run(online, store, source)
    fresh = run(online, open_store(str(tmp_path / "fresh")), source)
    assert rerun.ref == fresh.ref and rerun.samples == 250
    assert check_store(store).problems == []


def test_twelve_thousand_photos_and_nothing_new(shop, store, digits, png):
    images = [png(image) for image in digits[0][:100]]
    with shop.engine.begin() as connection:
        rows = []
        for n in range(12_000):
            (shop.folder / f"{n}.png").write_bytes(images[n % 100])
            rows.append({"i": n, "p": f"{n}.png", "l": "coat", "d": DAY})
        connection.execute(sa.text("INSERT INTO photos VALUES (:i, :p, :l, :d, 'ann', NULL)"), rows)
    first = run(shop, store)
    again = run(shop, store, previous=after(first))
    assert again.reused and first.samples == 12_000
    print(f"12,000 photos: {first.seconds:.2f} s, again {again.seconds:.2f} s")
