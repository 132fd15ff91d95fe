"""How commands print: rows and trees for people, JSON and YAML for programs; and how they fail."""

from __future__ import annotations

import functools
import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airflow_mlplat.contract import ExitCode
from airflow_mlplat.errors import MlplatError, UserError

SHORT = 12
"""Hex digits of a digest in a table."""


def command(function: Callable[[Namespace], int | None]) -> Callable[[Namespace], None]:
    """End a failing command with one line on stderr and an exit code that tells whose fault it is."""

    @functools.wraps(function)
    def run(args: Namespace) -> None:
        try:
            code = function(args)
            sys.stdout.flush()
        except MlplatError as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            code = ExitCode.USER_ERROR if isinstance(error, UserError) else ExitCode.PLATFORM_ERROR
        except BrokenPipeError:  # `| head` has read enough; what is still buffered goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        if code:
            raise SystemExit(int(code))

    return run


def print_rows(rows: Iterable[Mapping[str, Any]], output: str) -> None:
    """Print rows with equal keys: a table has short digests and moments, JSON and YAML have everything."""
    rows = [dict(row) for row in rows]
    if output != "table":
        print_document(rows, output)
        return
    from airflow.cli.simple_table import AirflowConsole

    AirflowConsole().print_as([{key: cell(value) for key, value in row.items()} for row in rows], "table")


def print_document(document: Any, output: str) -> None:
    """Print a document as JSON or YAML; as a table, a line for each of its keys."""
    if output == "table":
        width = max(map(len, document), default=0)
        for key, value in document.items():
            print(f"{key:{width}}  {value if isinstance(value, str) else json.dumps(value)}")
        return
    text = json.dumps(document, indent=2, ensure_ascii=False)
    if output == "yaml":
        import yaml

        text = yaml.safe_dump(json.loads(text), sort_keys=False, allow_unicode=True).rstrip()
    print(text)


def cell(value: Any) -> str:
    """A value in a table: digests are cut, nothing is an empty cell."""
    if value is None:
        return ""
    text = f"{value:.4f}" if isinstance(value, float) else str(value)
    is_digest = len(text) == 64 and set(text) <= set("0123456789abcdef")
    return text[:SHORT] if is_digest else text
