"""`python -m airflow_mlplat.runtime DIRECTORY/spec.json`: run one job; exits with an `ExitCode`, or with 143."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from airflow_mlplat.contract import WORKERS, ExitCode
from airflow_mlplat.runtime.process import exit_now, prepare
from airflow_mlplat.runtime.runner import run_file


def main(arguments: list[str]) -> int:
    """Run the job of the one spec file that is named."""
    if len(arguments) != 1:
        print("usage: python -m airflow_mlplat.runtime DIRECTORY/spec.json", file=sys.stderr)
        return ExitCode.USER_ERROR
    prepare()
    code = run_file(Path(arguments[0]))
    if WORKERS in os.environ:
        exit_now(code)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
