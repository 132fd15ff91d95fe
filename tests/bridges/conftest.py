"""A shop with photos: a real database, real files, a real web server."""

from __future__ import annotations

import http.server
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from airflow_mlplat.bridges import File, SqlSource
from airflow_mlplat.store import open_store

DAY = "2026-01-31"
CLASSES = ("shirt", "coat")
QUERY = "SELECT id, path, label, taken_by, updated_at FROM photos WHERE taken_on = :partition"


@dataclass
class Shop:
    """Photos in a table, their files in a folder."""

    engine: sa.Engine
    folder: Path

    def add(  # noqa: PLR0917
        self, key, path="", label="shirt", day=DAY, by="ann", at="2026-01-31 10:00", content=b"\x89PNG a photo"
    ) -> None:
        path = path or f"{key}.png"
        if content is not None:
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_bytes(content + str(key).encode() if content else b"")
        self.run("INSERT INTO photos VALUES (:i, :p, :l, :d, :b, :a)", i=key, p=path, l=label, d=day, b=by, a=at)

    def run(self, statement: str, **values) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement), values)

    def source(self, **changes) -> SqlSource:
        options = {"conn_id": "shop", "query": QUERY, "key": "id", "label": "label", "classes": CLASSES}
        return SqlSource(**{**options, "media": File("path", str(self.folder)), **changes})


@pytest.fixture
def shop(tmp_path) -> Iterator[Shop]:
    """An empty shop on SQLite."""
    engine = sa.create_engine(f"sqlite:///{tmp_path}/shop.db")
    shop = Shop(engine, tmp_path / "photos")
    shop.folder.mkdir()
    shop.run("CREATE TABLE photos (id, path TEXT, label, taken_on TEXT, taken_by TEXT, updated_at TEXT)")
    yield shop
    engine.dispose()


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def postgres() -> Iterator[sa.Engine]:
    """A schema of its own on a real PostgreSQL server."""
    url = os.environ.get("MLPLAT_TEST_POSTGRES")
    if not url:
        if os.environ.get("MLPLAT_TEST_FORBID_SKIPS") == "1":
            pytest.fail("MLPLAT_TEST_POSTGRES is not set")
        pytest.skip("MLPLAT_TEST_POSTGRES is not set; tests/services/postgres start prints it")
    # Time limits: a test that leaves a connection open fails instead of hanging.
    schema, limits = f"bridges_{uuid.uuid4().hex[:12]}", "-c lock_timeout=5s"
    address = sa.make_url(url).set(drivername="postgresql+psycopg")
    server = sa.create_engine(address, connect_args={"options": limits}, poolclass=sa.NullPool)
    with server.begin() as connection:
        connection.execute(sa.text(f"CREATE SCHEMA {schema}"))
    engine = sa.create_engine(address, connect_args={"options": f"{limits} -c search_path={schema}"})
    yield engine
    engine.dispose()
    with server.begin() as connection:
        connection.execute(sa.text(f"DROP SCHEMA {schema} CASCADE"))


@dataclass
class Web:
    """A web server over a folder.

    Attributes:
        url: Where it is.
        asked: Method and path of every request so far.
        answers: Path → status to answer with instead of the file, so many times as the list is long.
        before: Called with method and path before each answer.
    """

    url: str
    folder: Path
    asked: list[tuple[str, str]] = field(default_factory=list)
    answers: dict[str, list[int]] = field(default_factory=dict)
    before: Callable[[str, str], None] | None = None

    def put(self, path: str, content: bytes) -> None:
        """A file of some age: one written this second could change again unseen, and is waited for."""
        (self.folder / path).write_bytes(content)
        os.utime(self.folder / path, (1_700_000_000, 1_700_000_000))


class _Handler(http.server.SimpleHTTPRequestHandler):
    web: Web

    def log_message(self, *arguments) -> None:
        pass

    def send_head(self):
        self.web.asked.append((self.command, self.path))
        if self.web.before:
            self.web.before(self.command, self.path)
        if self.web.answers.get(self.path):
            self.send_error(self.web.answers[self.path].pop(0))
            return None
        return super().send_head()


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128  # the default of 5 drops connections, and each costs its client a second

    def handle_error(self, request, client_address) -> None:
        pass  # clients are killed on purpose


@pytest.fixture
def web(tmp_path) -> Iterator[Web]:
    """A web server on this machine, over an empty folder."""
    folder = tmp_path / "web"
    folder.mkdir()
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    handler.web = Web(f"http://127.0.0.1:{server.server_port}", folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield handler.web
    server.shutdown()
    thread.join()
    server.server_close()
