"""From a source to what it is read with."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.airflow


def test_local_files_need_no_client_and_an_unknown_one_is_told() -> None:
    from airflow_mlplat.bridges import CsvSource, File, WebDatasetSource
    from airflow_mlplat.errors import SpecError
    from airflow_mlplat.hooks.sources import source_client

    assert source_client(CsvSource(path="/x.csv", key="id", media=File("file", root="/"))) is None
    assert source_client(WebDatasetSource("/x.tar")) is None
    with pytest.raises(
        SpecError, match="unknown kind of source; expected CsvSource, SqlSource, WebDatasetSource; got dict"
    ):
        source_client({})


def test_media_take_the_connections_file_system() -> None:
    from airflow_mlplat.hooks.sources import media_filesystem

    assert media_filesystem(None) is None
    filesystem = media_filesystem("files")
    assert filesystem is not None
    assert filesystem("file").protocol[0] == "file"
