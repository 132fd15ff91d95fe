"""Options that come as a stage's `params`: plain JSON in, a checked dataclass or a clear word out."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from airflow_mlplat.errors import SpecError, did_you_mean

Options = TypeVar("Options", bound="FromParams")
EXAMPLE = "example"
"""Key in a required field's metadata: what it may look like, for the error when it is missing."""


class FromParams:
    """Base of a stage's options, which are frozen dataclasses."""

    @classmethod
    def from_params(cls: type[Options], params: dict[str, Any]) -> Options:
        """From plain JSON.

        Raises:
            SpecError: An option is unknown, missing or out of range.
        """
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]
        known = sorted(f.name for f in fields)
        for name in params:
            if name not in known:
                raise SpecError(f"unknown option {name!r}", expected=" | ".join(known), fix=_advice(name, known))
        for f in fields:
            required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
            if required and f.name not in params:
                example = f", such as {f.metadata[EXAMPLE]}" if EXAMPLE in f.metadata else ""
                raise SpecError(f"option {f.name!r} is missing", fix=f"give {f.name}{example}")
        return cls(**params)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON that `from_params` takes."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        values = {f.name: getattr(self, f.name) for f in fields}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _advice(name: str, known: list[str]) -> str | None:
    advice = "what build(params) shall get goes into 'params'" if "params" in known else None
    return did_you_mean([name], known) or advice
