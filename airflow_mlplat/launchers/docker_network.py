"""The network of one job of several workers: they reach each other there, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docker import APIClient


NO_HOST = {"com.docker.network.bridge.inhibit_ipv4": "true"}
"""The machine gets no address there: else its services would be reached by it, which no internal network prevents."""


def host(worker: int) -> str:
    """The name of a worker, by its number, in its job's network."""
    return f"worker-{worker}"


def make_network(engine: APIClient, name: str, labels: Mapping[str, str]) -> None:
    """Make it; one that was left is taken for it.

    Args:
        engine: Where.
        name: Of it.
        labels: As its job's containers have.
    """
    if not engine.networks(names=[f"^{name}$"]):
        engine.create_network(name, driver="bridge", internal=True, options=NO_HOST, labels=dict(labels))


def remove_network(engine: APIClient, name: str) -> None:
    """Remove it, if it is there."""
    from docker.errors import NotFound

    try:
        engine.remove_network(name)
    except NotFound:
        return
