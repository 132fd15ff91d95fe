"""The plugin as Airflow finds it."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.airflow


@pytest.fixture
def plugin(airflow_home):
    """Our plugin among those that Airflow has loaded: once, and without an error."""
    from airflow import plugins_manager

    loaded, errors = plugins_manager._get_plugins()
    assert not errors
    (plugin,) = [plugin for plugin in loaded if plugin.name == "mlplat"]
    return plugin


def test_its_place_is_in_the_navigation(plugin):
    (view,) = plugin.external_views
    assert view == {"name": "mlplat", "href": "mlplat/", "destination": "nav", "url_route": "mlplat"}


def test_its_app_is_made_once(plugin):
    (app,) = plugin.fastapi_apps
    assert app["url_prefix"] == "/mlplat"
    assert plugin.fastapi_apps[0]["app"] is app["app"] is type(plugin).fastapi_apps[0]["app"]


def test_airflow_can_describe_it(plugin):
    from airflow import plugins_manager

    (told,) = [info for info in plugins_manager.get_plugin_info() if info["name"] == "mlplat"]
    assert told["fastapi_apps"] == [{"app": "fastapi.applications.FastAPI", "url_prefix": "/mlplat", "name": "mlplat"}]


def test_loading_it_does_not_load_the_pages(airflow_home):
    """Every worker loads every plugin."""
    script = (
        "import sys; from airflow_mlplat.ui.plugin import MlplatPlugin; print('airflow_mlplat.ui.views' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"
