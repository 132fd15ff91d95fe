"""The Airflow plugin: its pages and their place in Airflow's UI."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from airflow.plugins_manager import AirflowPlugin

URL_PREFIX = "/mlplat"


@lru_cache(maxsize=1)
def _apps() -> list[dict[str, Any]]:
    from airflow_mlplat.ui.views import create_app

    return [{"app": create_app(), "url_prefix": URL_PREFIX, "name": "mlplat"}]


class _WhenAsked:
    """An attribute that is made when it is read, of the class (Airflow holds some plugins so) or of an instance."""

    def __get__(self, plugin: object, owner: type) -> list[dict[str, Any]]:
        return _apps()


class MlplatPlugin(AirflowPlugin):
    """Registered once, by the entry point `airflow.plugins`."""

    name = "mlplat"
    # Relative to the page's <base>, so that an Airflow that is served below a prefix finds it too.
    external_views = [  # noqa: RUF012 - the base class has lists
        {"name": "mlplat", "href": f"{URL_PREFIX[1:]}/", "destination": "nav", "url_route": "mlplat"}
    ]
    # Every Airflow process loads every plugin, but only the API server asks for its pages: workers are spared FastAPI.
    fastapi_apps = _WhenAsked()
