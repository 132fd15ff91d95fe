"""The command line."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.mark.parametrize("arguments", [[], ["a", "b"]])
def test_usage(arguments):
    command = [sys.executable, "-m", "airflow_mlplat.runtime", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (64, "usage: python -m airflow_mlplat.runtime DIRECTORY/spec.json\n")


def test_a_spec_file_that_is_not_there(tmp_path):
    command = [sys.executable, "-m", "airflow_mlplat.runtime", str(tmp_path / "spec.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 70
    assert json.loads((tmp_path / "result.json").read_text())["error"]["type"] == "FileNotFoundError"


def test_nothing_of_airflow_is_imported():
    code = (
        "import sys, airflow_mlplat.runtime.__main__; print([m for m in sys.modules if m.split('.')[0] == 'airflow'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
