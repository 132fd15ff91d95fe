"""What the Docker Engine says of a job's container: whether it lives, how long it did, how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from airflow_mlplat.launchers.base import Limits

LIVING = ("running", "paused", "restarting")
"""States of a container that was started and has not ended."""
START_SECONDS = 60
"""How long one that was made may take until it is started; whoever made it has died since, if it takes longer."""


def living(found: dict[str, Any]) -> bool:
    """Whether an inspected container has not ended."""
    status, made = found["State"]["Status"], _time(found["Created"])
    starts = status == "created" and made is not None and time.time() - made.timestamp() < START_SECONDS
    return starts or status in LIVING


def at_work(workers: list[dict[str, Any] | None], is_well: Callable[[int], bool]) -> bool:
    """Whether a job goes on: worker 0 lives, and no other has failed or is gone.

    Args:
        workers: The inspected containers of its workers, by number; None for one that is not there.
        is_well: Whether a worker that has ended did all that it should: an exit code of 0 does not say so.
    """
    lives = [one is not None and living(one) for one in workers]
    return lives[0] and all(alive or is_well(number) for number, alive in enumerate(lives))


def seconds(found: dict[str, Any]) -> float:
    """For how long a container has run, or ran."""
    state = found["State"]
    stopped = None if state["Status"] in LIVING else _time(state["FinishedAt"])
    stopped = stopped or datetime.now(timezone.utc)
    return (stopped - (_time(state["StartedAt"]) or stopped)).total_seconds()


def ended(found: dict[str, Any], launch: dict[str, Any] | None) -> dict[str, Any]:
    """What a job's `exit.json` would say, told from its container.

    Args:
        found: The inspected container.
        launch: Content of the job's `launch.json`, if that is there.
    """
    state = found["State"]
    code = state["ExitCode"]
    return {
        "reason": "memory limit" if state["OOMKilled"] else "exited",
        "exit_code": code if code <= 128 else None,
        "signal": code - 128 if code > 128 else None,
        "seconds": seconds(found),
        "limits": (launch or {}).get("limits", Limits().to_json()),
    }


def _time(text: str) -> datetime | None:
    """An instant as the engine tells it, in nanoseconds; None for the zero that means never."""
    if text.startswith("0001"):
        return None
    return datetime.fromisoformat(text[:19]).replace(tzinfo=timezone.utc)
