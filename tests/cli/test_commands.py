from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_mlplat.catalog import open_catalog


def test_every_command_has_its_function(parser):
    from airflow.cli.cli_config import GroupCommand

    from airflow_mlplat.cli import commands

    def actions(command):
        if isinstance(command, GroupCommand):
            for one in command.subcommands:
                yield from actions(one)
        else:
            yield command

    found = [action for command in commands.commands() for action in actions(command)]
    assert len(found) == 13
    for action in found:
        (path,) = [cell.cell_contents for cell in action.func.__closure__]
        module, _, name = path.rpartition(".")
        assert callable(getattr(importlib.import_module(module), name)) and action.help


@pytest.mark.parametrize("words", [["models", "list", "--limit", "0"], ["models", "list", "-o", "xml"], ["models"]])
def test_wrong_words_are_refused_by_the_parser(mlplat, words):
    code, out, err = mlplat(*words)
    assert code == 2 and out == "" and "usage" in err


@pytest.mark.airflow
def test_airflow_knows_the_commands(tmp_path, places):
    env = {**os.environ, "AIRFLOW_HOME": str(tmp_path / "airflow")}
    airflow = Path(sys.executable).with_name("airflow")

    def mlplat(*words):
        return subprocess.run([airflow, "mlplat", *words], env=env, capture_output=True, text=True, check=False)

    done = mlplat("models", "list")  # in the wrong folder, say
    assert (done.returncode, done.stdout, places.home.joinpath("catalog.db").exists()) == (64, "", False)
    assert "there is no catalog yet; expected" in done.stderr and "set MLPLAT_HOME" in done.stderr
    open_catalog(places.catalog)
    done = mlplat("models", "list", "-o", "json")
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
    done = mlplat("models", "show", "x")
    assert done.returncode == 64
    assert done.stderr.splitlines()[-1] == "NotFoundError: no model is named 'x'. `airflow mlplat models list`."
