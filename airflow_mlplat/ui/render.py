"""From a template and its values to a page: escaped, without scripts, readable as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

HEADERS = {
    # Nothing but our own inline style: neither scripts nor anything from elsewhere, framed by Airflow alone.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def render(
    request: Request, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """A page.

    Args:
        request: Tells where the app is mounted; links begin there.
        template: File name under `templates/`.
        status: HTTP status.
        headers: Further headers.
        values: What the template shows; all text is escaped.
    """
    base = request.scope.get("root_path", "")
    text = environment().get_template(template).render(base=base, status=status, **values)
    return HTMLResponse(text, status, {**HEADERS, **(headers or {})})


NONE = "\N{EN DASH}"


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Jinja with our filters. Everything is escaped, whatever the template's name; a missing value is an error."""
    made = Environment(
        loader=PackageLoader("airflow_mlplat.ui"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        short=short, percent=percent, moment=moment, thousands=thousands, number=number, columns=columns
    )
    return made


def short(digest: str | None) -> str:
    """The first 12 digits of a digest."""
    return digest[:12] if digest else NONE


def percent(share: float) -> str:
    """A share in [0, 1] in percent."""
    return f"{100 * share:.2f} %"


def moment(when: datetime | None) -> str:
    """A moment, in UTC to the minute."""
    return f"{when:%Y-%m-%d %H:%M} UTC" if when else NONE


def thousands(count: int | None) -> str:
    """A count, its thousands apart."""
    return f"{count:,}".replace(",", "\u202f") if count is not None else NONE


def number(value: Any) -> str:
    """Any plain value of a manifest, in words."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def columns(rows: Sequence[Any]) -> list[str]:
    """The columns of a list that is a table: its rows are mappings with the same keys. Of any other list, none."""
    if not rows or not all(isinstance(row, Mapping) and row.keys() == rows[0].keys() for row in rows):
        return []
    return list(rows[0])
