"""Links to what a task made."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.airflow


@pytest.mark.parametrize(
    ("value", "link"),
    [({"kind": "span", "name": "x", "digest": "ab"}, "/mlplat/artifacts/ab"), (None, ""), ([1], "")],
)
def test_the_link_is_the_artifacts_page(monkeypatch: pytest.MonkeyPatch, value: object, link: str) -> None:
    from airflow_mlplat.operators import links

    monkeypatch.setattr(links, "XCom", SimpleNamespace(get_value=lambda ti_key, key: value))
    assert links.ArtifactLink().get_link(None, ti_key=None) == link
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://example.org/airflow/")
    assert links.ArtifactLink().get_link(None, ti_key=None) == (f"/airflow{link}" if link else "")


@pytest.mark.parametrize(("state", "asked"), [("success", 1), ("deferred", 0), ("failed", 0)])
def test_only_a_task_that_has_returned_something_is_asked_for_it(monkeypatch, state: str, asked: int) -> None:
    from airflow.sdk import TaskInstanceState

    from airflow_mlplat.operators import links

    keys: list[str] = []
    monkeypatch.setattr(links, "XCom", SimpleNamespace(get_value=lambda ti_key, key: keys.append(key)))
    ti = SimpleNamespace(state=TaskInstanceState(state))
    assert links.ArtifactLink().get_link(None, ti_key=ti) == ""
    assert len(keys) == asked
