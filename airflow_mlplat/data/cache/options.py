"""How a reader fetches."""

from __future__ import annotations

from dataclasses import dataclass, fields

from airflow_mlplat.errors import SpecError


@dataclass(frozen=True)
class CacheOptions:
    """How a cached reader fetches shards.

    Args:
        connections: Ranges asked for at once.
        range_bytes: Of one request: long enough that the time to the first byte is a small part of it.
        ahead: Shards fetched before they are needed, of those that were hinted at.
        together: Shards fetched ahead at once: the bytes of one are hashed while another's arrive.

    Raises:
        SpecError: One is below 1; `ahead` below 0.
    """

    connections: int = 8
    range_bytes: int = 4 << 20
    ahead: int = 8
    together: int = 2

    def __post_init__(self) -> None:
        for field in fields(self):
            value, least = getattr(self, field.name), 0 if field.name == "ahead" else 1
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise SpecError(f"{field.name} must be a whole number", expected=f"{least} or more", got=repr(value))
