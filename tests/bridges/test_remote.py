from __future__ import annotations

import os

import fsspec
import pytest

from airflow_mlplat.bridges import remote
from airflow_mlplat.bridges.reasons import BadRecord
from airflow_mlplat.bridges.remote import RemoteFiles
from airflow_mlplat.errors import ConfigError, PlatformError
from airflow_mlplat.store import retry


def reason(call, *arguments) -> str:
    with pytest.raises(BadRecord) as bad:
        call(*arguments)
    return bad.value.reason


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("a/b.png", "/a/b.png"),
        ("a b#?.png", "/a%20b%23%3F.png"),
        ("é.png", "/%C3%A9.png"),
        ("{url}/a.png?v=1", "/a.png?v=1"),
    ],
)
def test_locations(value, path):
    files = RemoteFiles("http://host/images/")
    assert files.locate(value.format(url="http://host/images")) == f"http://host/images{path}"


def test_other_schemes_quote_nothing():
    assert RemoteFiles("memory://images").locate("a b#?.png") == "memory://images/a b#?.png"


@pytest.mark.parametrize(
    "value",
    ["../x", "a/../../x", "%2e%2e/x", "a\\..\\x", "/x", "http://evil/x", "http://host/images2/x", "file:///etc/passwd",
     "http://host/images/../x", "http://host/images/%2E%2E/x", "zip::x"],
)  # fmt: skip
def test_locations_outside(value):
    assert reason(RemoteFiles("http://host/images").locate, value) == "media outside its root"


def test_reading_from_the_web(web):
    (web.folder / "a b#é.png").write_bytes(b"png")
    os.utime(web.folder / "a b#é.png", (1_700_000_000, 1_700_000_000))
    files = RemoteFiles(web.url)
    location = files.locate("a b#é.png")
    size, state = files.look(location)
    assert size == 3 and files.read(location) == b"png"
    os.utime(web.folder / "a b#é.png", (1_700_000_001, 1_700_000_001))
    assert files.look(location)[1] != state


@pytest.mark.parametrize(
    ("status", "expected"),
    [(404, "missing media"), (410, "missing media"), (403, "unreadable media"), (401, "unreadable media")],
)
def test_answers_about_one_file(web, status, expected):
    web.put("a.png", b"png")
    web.answers["/a.png"] = [status] * 4
    files = RemoteFiles(web.url)
    assert reason(files.look, files.locate("a.png")) == expected
    web.answers["/a.png"] = [status]
    assert reason(files.read, files.locate("a.png")) == expected


def test_what_is_told_does_not_depend_on_the_root_and_the_rest_is_logged(web, caplog):
    for root, value in ((web.url, "sub/a.png"), (f"{web.url}/sub", "a.png")):
        files = RemoteFiles(root)
        with pytest.raises(BadRecord) as bad:
            files.read(files.locate("none.png"))
        assert bad.value.detail == "'none.png'"
        web.answers["/sub/a.png"] = [403]
        with pytest.raises(BadRecord) as bad:
            files.read(files.locate(value))
        assert bad.value.detail == f"'{value}' answers 403"
        assert f"{web.url}/sub/a.png cannot be read: ClientResponseError: 403" in caplog.text
        caplog.clear()


def test_the_drivers_words_are_logged_of_some_and_kept_of_none(caplog):
    class Closed:
        def cat_file(self, path):
            raise PermissionError(f"request {path} refused")

    files = RemoteFiles("memory://images", lambda protocol: Closed())
    for number in range(30):
        with pytest.raises(BadRecord) as bad:
            files.read(files.locate(f"{number}.png"))
        assert bad.value.detail == f"'{number}.png' may not be read"
    assert len(caplog.messages) == 20
    assert caplog.messages[0].endswith("0.png cannot be read: PermissionError: request memory://images/0.png refused")


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_passing_failure_is_survived(web, monkeypatch, status):
    monkeypatch.setattr(retry, "PAUSE_SECONDS", 0.01)
    web.put("a.png", b"png")
    web.answers["/a.png"] = [status] * (remote.ATTEMPTS - 1)
    files = RemoteFiles(web.url)
    assert files.read(files.locate("a.png")) == b"png"


def test_lasting_failures_are_the_platforms(web, monkeypatch):
    monkeypatch.setattr(retry, "PAUSE_SECONDS", 0.01)
    web.answers["/a.png"] = [500] * 100
    files = RemoteFiles(web.url)
    for call in (files.look, files.read):
        with pytest.raises(PlatformError, match=r"a\.png' cannot be fetched; got ClientResponseError: 500"):
            call(files.locate("a.png"))
    silent = RemoteFiles("http://127.0.0.1:1")
    for call in (silent.look, silent.read):
        with pytest.raises(PlatformError, match=r"a\.png' cannot be fetched; got .*(Connect|refused)"):
            call(silent.locate("a.png"))


class Clock:
    """Goes on only while somebody sleeps. In seconds since 1970."""

    def __init__(self, now):
        self.now = now

    def time(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.mark.parametrize(("age", "waited"), [(0, 2), (0.5, 1.5), (1.75, 0.25), (2, 0), (-1, 0)])
def test_a_file_of_this_second_is_waited_for(web, monkeypatch, age, waited):
    written = 1_700_000_000
    (web.folder / "a.png").write_bytes(b"one")
    os.utime(web.folder / "a.png", (written, written))
    clock = Clock(written + age)
    monkeypatch.setattr(remote, "time", clock)
    files = RemoteFiles(web.url)
    _, state = files.look(files.locate("a.png"))
    assert clock.now == written + age + waited
    (web.folder / "a.png").write_bytes(b"two")
    os.utime(web.folder / "a.png", (clock.now, clock.now))  # whatever is written from here on has another time
    assert files.look(files.locate("a.png"))[1] != state


class Silent(fsspec.get_filesystem_class("memory")):
    """An object store that tells sizes only."""

    store, pseudo_dirs = {}, [""]

    def info(self, path, **options):
        return {key: value for key, value in super().info(path, **options).items() if key != "created"}


def test_where_nothing_tells_of_changes_the_content_does():
    files = RemoteFiles("memory://images", lambda protocol: Silent())
    filesystem = Silent()
    filesystem.pipe("/images/a.png", b"one")
    location = files.locate("a.png")
    size, state = files.look(location)
    filesystem.pipe("/images/a.png", b"two")
    assert (size, len(state)) == (3, 64) and files.look(location)[1] != state


def test_other_drivers_and_credentials_come_from_outside():
    filesystem = fsspec.filesystem("memory")
    filesystem.pipe("/images/a.png", b"png")
    asked = []

    def connected(protocol):
        asked.append(protocol)
        return filesystem

    files = RemoteFiles("memory://images", connected)
    location = files.locate("a.png")
    assert files.look(location)[0] == 3 and files.read(location) == b"png" and asked == ["memory"]
    assert reason(files.look, files.locate("b.png")) == reason(files.read, files.locate("b.png")) == "missing media"
    filesystem.pipe("/images/folder/c.png", b"png")
    assert reason(files.look, files.locate("folder")) == "unreadable media"
    filesystem.rm("/images", recursive=True)


def test_drivers_that_are_not_there():
    with pytest.raises(ConfigError, match=r"no driver for teleport:// media; got .*teleport"):
        RemoteFiles("teleport://images")


class Refused(Exception):
    """As botocore's ClientError."""

    def __init__(self, status):
        super().__init__(status)
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status}}


@pytest.mark.parametrize(("status", "expected"), [(404, "missing media"), (403, "unreadable media")])
def test_object_stores_answer_in_their_own_way(status, expected):
    class Store:
        def cat_file(self, path):
            raise FileNotFoundError(path) from Refused(status)

    assert reason(RemoteFiles("s3://bucket", lambda protocol: Store()).read, "s3://bucket/a") == expected
