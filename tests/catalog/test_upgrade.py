from __future__ import annotations

import subprocess
import sys
import time

import pytest
import sqlalchemy as sa

from airflow_mlplat.catalog import open_catalog
from airflow_mlplat.catalog.session import Session
from airflow_mlplat.catalog.tables import HEAD, METADATA, VERSION_TABLE
from airflow_mlplat.catalog.upgrade import MIGRATIONS, revision, upgrade
from airflow_mlplat.errors import CatalogError

OPEN = """
import sys
from airflow_mlplat.catalog import open_catalog
sys.stdin.readline()
print(len(open_catalog(sys.argv[1]).artifacts("model")))
"""


def test_head_is_the_newest_migration():
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_migrations_make_the_tables(url):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    session = Session(url)
    upgrade(session)
    with session.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, METADATA) == []


def test_empty_database_is_upgraded_once(url):
    session = Session(url)
    assert revision(session) is None
    upgrade(session)
    assert revision(session) == HEAD
    upgrade(session)
    assert revision(session) == HEAD


def test_eight_processes_open_an_empty_catalog_at_once(url):
    command = [sys.executable, "-W", "error", "-c", OPEN, url]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(8)]
    time.sleep(1)  # let most of them come as far as the line that starts them
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    outcomes = [process.communicate(timeout=120) for process in processes]
    assert [out for out, _ in outcomes] == ["0\n"] * 8, [error[-2000:] for _, error in outcomes if error]


def test_opening_again_is_quick_and_needs_no_alembic(url):
    open_catalog(url)
    code = (
        "import sys, time, sqlalchemy, sqlalchemy.dialects.postgresql, sqlalchemy.dialects.sqlite\n"
        "from airflow_mlplat.catalog import open_catalog; from airflow_mlplat.catalog.session import Session\n"
        "if 'postgres' in sys.argv[1]: import psycopg\n"
        "start = time.process_time(); open_catalog(sys.argv[1]); print(time.process_time() - start)\n"
        "print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, check=True)
    seconds, has_alembic = done.stdout.split()
    assert has_alembic == "False"
    assert float(seconds) < 0.05


def test_sqlite_uses_a_write_ahead_log(tmp_path):
    url = f"sqlite:///{tmp_path}/new/folder/catalog.db"
    open_catalog(url)
    with Session(url).reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_newer_catalog_is_refused(url):
    session = Session(url)
    upgrade(session)
    with session.writing("test") as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(
        CatalogError, match=r"a revision that this version does not know; expected at most 0001; got .*9999"
    ):
        open_catalog(url)


def test_failing_upgrade_leaves_nothing(url):
    session = Session(url)
    with session.writing("test") as connection:
        connection.execute(sa.text("CREATE TABLE mlplat_span (id INTEGER)"))  # stands in the way
    with pytest.raises(CatalogError, match="mlplat_span"):
        upgrade(session)
    with session.reading() as connection:
        assert sa.inspect(connection).get_table_names() == ["mlplat_span"]


def test_importing_the_room_imports_no_sqlalchemy():
    code = "import sys, airflow_mlplat.catalog; print('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
