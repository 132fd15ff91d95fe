from __future__ import annotations

import json
import subprocess
import sys
from argparse import Namespace

import pytest
import yaml

from airflow_mlplat.cli.output import cell, command, print_document, print_rows
from airflow_mlplat.errors import SpecError, StoreError


@pytest.mark.parametrize(
    ("error", "code"),
    [(SpecError("bad", fix="mend it"), 64), (StoreError("down"), 70), (None, 0)],
    ids=["user", "platform", "none"],
)
def test_exit_codes(capsys, error, code):
    @command
    def run(args):
        if error:
            raise error

    try:
        run(Namespace())
        ended = 0
    except SystemExit as end:
        ended = end.code
    assert ended == code
    assert capsys.readouterr().err == (f"{type(error).__name__}: {error}\n" if error else "")


def test_other_errors_keep_their_traceback():
    @command
    def run(args):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(Namespace())


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (0.51234, "0.5123"), (3, "3"), ("ab" * 32, "ab" * 6), ("long " * 20, "long " * 20)]
)
def test_cells(value, text):
    assert cell(value) == text


ROWS = [{"name": "é", "digest": "ab" * 32, "accuracy": 0.5, "partition": "2026-01-01", "nothing": None}]


def test_rows(capsys):
    print_rows(ROWS, "json")
    assert json.loads(capsys.readouterr().out) == ROWS
    print_rows(ROWS, "yaml")
    assert yaml.safe_load(capsys.readouterr().out) == ROWS
    print_rows(ROWS, "table")
    out = capsys.readouterr().out
    assert "abababababab " in out and "0.5000" in out


def test_documents(capsys):
    print_document({"name": "x", "counts": [1, 2]}, "table")
    assert capsys.readouterr().out == "name    x\ncounts  [1, 2]\n"


def test_a_reader_that_has_enough_is_no_error():
    code = (
        "from airflow_mlplat.cli.output import command, print_document\n"
        "command(lambda args: [print_document({'line': n}, 'json') for n in range(100_000)] and None)(None)\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe, text=True) as head:
        assert head.stdout.readline() == "{\n"
        head.stdout.close()
        assert head.stderr.read() == ""
        assert head.wait() == 0
