"""What an operator needs to know of the task it runs in."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from airflow_mlplat.contract import Ref
from airflow_mlplat.errors import SpecError, UserError, did_you_mean
from airflow_mlplat.hooks.jobs import JobHook
from airflow_mlplat.launchers import Limits

if TYPE_CHECKING:
    from airflow_mlplat.catalog import RunInfo


@contextmanager
def task_errors() -> Iterator[None]:
    """Turn a user error into a failure that Airflow does not retry; let everything else through."""
    try:
        yield
    except UserError as error:
        raise AirflowFailException(f"{type(error).__name__}: {error}") from error


def labels(context: Mapping[str, Any]) -> dict[str, str]:
    """Which task a job belongs to: dag_id, run_id, task_id, map_index, try_number as text."""
    ti = context["ti"]
    return {name: str(getattr(ti, name, "")) for name in ("dag_id", "run_id", "task_id", "map_index", "try_number")}


def limits_of(given: Mapping[str, Any] | None) -> Limits:
    """What a job may use, from an operator's argument.

    Raises:
        SpecError: A limit is unknown or out of range.
    """
    known = {field.name for field in dataclasses.fields(Limits)}
    unknown = sorted(set(given or {}) - known)
    if unknown:
        names, fix = sorted(known), did_you_mean(unknown, sorted(known))
        raise SpecError("unknown limits", expected=" | ".join(names), got=", ".join(unknown), fix=fix)
    return Limits(**(given or {}))


def whole_number(name: str, value: Any) -> int:
    """An argument that a template may have made text of.

    Raises:
        SpecError: It is no whole number above 0.
    """
    try:
        number = value if isinstance(value, int) and not isinstance(value, bool) else int(str(value))
    except ValueError:
        number = 0
    if number < 1:
        raise SpecError(f"{name} must be a whole number", expected="1 or more", got=repr(value))
    return number


def run_info(context: Mapping[str, Any], partition: str) -> RunInfo:
    """Who did it, for the catalog."""
    from airflow_mlplat.catalog import RunInfo

    ti = context["ti"]
    return RunInfo(ti.dag_id, ti.run_id, ti.task_id, ti.map_index, partition)


def as_ref(value: Any, kind: str, hook: JobHook, partition: str) -> Ref:
    """A reference from what an operator was given: another task's output, or a name like `fashion@champion`.

    Raises:
        SpecError: Neither of them, or something of another kind.
        NotFoundError: Nothing is named so.
    """
    if isinstance(value, str):
        value = hook.catalog.resolve(value if ":" in value else f"{kind}:{value}", partition=partition).to_json()
    if not isinstance(value, Mapping) or value.get("kind") != kind:
        raise SpecError(
            f"the task needs {kind} to work on",
            expected=f"the output of a task that makes {kind}, or its name",
            got=repr(value),
        )
    return Ref.from_json(value)
