"""The pages, through Airflow's own API server and its own authentication."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.airflow

HOSTILE = "<script>alert('x')</script>\" onload=\"y"
"""What may stand in a name or a reason: it must never become markup."""

PAGES = ["/mlplat/", "/mlplat/datasets", "/mlplat/models", "/mlplat/decisions"]


def routes(server):
    """(path, methods) of every route of our app as Airflow has mounted it; path parameters filled in."""
    (mount,) = [route for route in server.routes if getattr(route, "path", "") == "/mlplat"]
    for route in mount.app.routes:
        path = re.sub(r"\{[^}]*\}", "ab" * 32, route.path)
        yield "/mlplat" + path, sorted(route.methods)


class TestAuthentication:
    def test_no_route_answers_without_a_login(self, server, anonymous):
        asked = [(method, path) for path, methods in routes(server) for method in methods]
        assert len(asked) >= 15
        for method, path in asked:
            assert anonymous.request(method, path).status_code == 401, (method, path)

    @pytest.mark.parametrize(
        "path", ["openapi.json", "docs", "redoc", "docs/oauth2-redirect", "nowhere", "a/b/c", "..%2f"]
    )
    def test_nor_does_an_unknown_path(self, anonymous, path):
        assert anonymous.get(f"/mlplat/{path}").status_code == 401

    @pytest.mark.parametrize("path", PAGES)
    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
    def test_nor_another_method_on_a_known_path(self, anonymous, method, path):
        assert anonymous.request(method, path).status_code == 401

    def test_nor_a_malformed_question(self, anonymous):
        assert anonymous.get("/mlplat/models?limit=many").status_code == 401

    @pytest.mark.parametrize("token", ["nonsense", "e30.e30.e30"])
    def test_a_made_up_token_is_refused(self, anonymous, token):
        answer = anonymous.get("/mlplat/", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code in (401, 403)
        assert "Overview</h1>" not in answer.text

    def test_the_refusal_is_a_page(self, anonymous):
        answer = anonymous.get("/mlplat/")
        assert "Please log in" in answer.text
        assert answer.headers["content-type"].startswith("text/html")

    def test_a_token_in_the_header_will_do_as_well(self, anonymous, token, history):
        answer = anonymous.get("/mlplat/", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200


def test_the_api_has_no_description(browser):
    for path in ("openapi.json", "docs", "redoc"):
        assert browser.get(f"/mlplat/{path}").status_code == 404


@pytest.mark.parametrize("path", PAGES)
def test_pages_bring_no_scripts_and_nothing_from_elsewhere(browser, history, path):
    answer = browser.get(path)
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert not re.search(r"""(src|href)=["'](https?:)?//""", answer.text)


def test_links_lead_to_pages(browser, history):
    """Every link that can be reached from the overview answers."""
    waiting, seen = ["/mlplat/"], set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        answer = browser.get(path)
        assert answer.status_code == 200, path
        links = {link.replace("&amp;", "&") for link in re.findall(r'href="([^"]*)"', answer.text)}
        full = {path.split("?")[0] + link if link.startswith("?") else link for link in links}
        waiting += sorted(full - seen - set(waiting))
    assert len(seen) > 30
    assert any("/decisions/" in path for path in seen)


def test_an_empty_catalog_says_what_to_do(browser):
    text = browser.get("/mlplat/").text
    assert "Nothing here yet" in text
    assert "BridgeOperator" in text
    assert "catalog.db" in text
    for path in PAGES[1:]:
        answer = browser.get(path)
        assert answer.status_code == 200
        assert "yet" in answer.text


def test_the_overview_shows_champions_and_decisions(browser, history):
    text = browser.get("/mlplat/").text
    champion = history.refs["model"].digest
    assert champion[:12] in text
    assert "90.00 %" in text
    assert "85.00 % to 95.00 %" in text
    assert "better: 15 against 2" in text
    assert "too few samples differ" in text


def test_a_name_without_a_champion_is_on_the_overview(browser, history):
    history.model("shoes", "2026-01-01", history.refs["dataset"], "mxnet")
    assert "no model of this name has passed the gate" in browser.get("/mlplat/").text


def test_datasets_show_spans_labels_and_what_was_left_out(browser, history):
    text = browser.get("/mlplat/datasets?name=fashion").text
    assert "coat 98, bag 10" in text
    assert "2 truncated" in text
    assert "2 undecodable, 1 duplicate-key" in text
    assert "2 spans, 2026-01-01 to 2026-01-02" in text
    assert "fashion-test</a> <code" not in text


def test_models_show_accuracy_and_champion(browser, history):
    text = browser.get("/mlplat/models").text
    assert "80.00 %" in text
    assert "not evaluated" in text
    assert len(re.findall(r'badge promoted">champion', text)) == 1


def test_decisions_show_the_numbers_of_their_test(browser, history):
    text = browser.get("/mlplat/decisions").text
    for expected in ("undecided", "promoted", "0.0012", "losses"):
        assert expected in text
    assert "No decision about this name" in browser.get("/mlplat/decisions?name=nobody").text


def test_a_list_can_be_cut_short(browser, history):
    answer = browser.get("/mlplat/models?limit=1")
    assert "The newest 1 are shown" in answer.text
    assert browser.get("/mlplat/models?limit=0").status_code == 422
    assert "limit" in browser.get("/mlplat/models?limit=many").text


@pytest.mark.parametrize(
    "kind", ["span", "dataset", "model", "predictions", "evaluation", "decision", "first", "unmeasured"]
)
def test_every_kind_of_artifact_has_a_page(browser, history, kind):
    ref = history.refs[kind]
    answer = browser.get(f"/mlplat/artifacts/{ref.digest}")
    assert answer.status_code == 200
    assert ref.digest in answer.text
    assert browser.get(f"/mlplat/artifacts/{ref.digest[:8]}").status_code == 200
    assert browser.get(f"/mlplat/artifacts/{ref.digest}/lineage").status_code == 200


def test_a_models_page_leads_to_its_data_and_its_decision(browser, history):
    text = browser.get(f"/mlplat/artifacts/{history.refs['model'].digest}").text
    assert "fashion@champion" in text
    for kind in ("dataset", "span", "predictions", "decision"):
        assert f"/mlplat/artifacts/{history.refs[kind].digest}" in text, kind
    assert "SELECT * FROM photos" in text
    assert "fashion_retraining / run-2026-01-02 / train" in text
    assert "0.25" in text


def test_a_rollback_has_a_page_under_its_key(browser, history):
    run = history.run("2026-01-02", "rollback")
    history.catalog.rollback("fashion", expected=history.refs["model"].digest, run=run)
    row = history.catalog.decisions()[0]
    for path in (f"decisions/{row.key}", f"artifacts/{row.key}"):
        answer = browser.get(f"/mlplat/{path}")
        assert answer.status_code == 200
        assert "rolled-back" in answer.text


@pytest.mark.parametrize(
    "path", ["artifacts/" + "ab" * 32, "artifacts/short", "decisions/" + "ab" * 32, "artifacts/abcdef/lineage"]
)
def test_what_is_unknown_is_not_found(browser, history, path):
    answer = browser.get(f"/mlplat/{path}")
    assert answer.status_code == 404
    assert "Not found" in answer.text


def test_what_others_wrote_is_never_markup(browser, history):
    span = history.span(HOSTILE, "2026-01-03", 5, {HOSTILE: 1}, query=HOSTILE)
    dataset = history.dataset(HOSTILE, "2026-01-03", [("2026-01-03", span, 20, 1)], {HOSTILE: 1})
    model = history.model(HOSTILE, "2026-01-03", dataset, HOSTILE)
    history.evaluate("2026-01-03", model, dataset, 0.5)
    row = history.decide("hostile", "2026-01-03", model, None, "promoted", HOSTILE, tests=[{HOSTILE: HOSTILE}])
    digests = (span.digest, dataset.digest, model.digest)
    paths = [*PAGES, f"/mlplat/decisions/{row.key}", *(f"/mlplat/artifacts/{digest}" for digest in digests)]
    for path in [*paths, "/mlplat/models?name=<script>", "/mlplat/artifacts/<script>", "/mlplat/<script>"]:
        text = browser.get(path).text
        assert "<script" not in text, path
        assert 'onload="y' not in text, path
        if path in paths:
            assert "&lt;script&gt;" in text, path


def test_a_catalog_that_fails_is_told(browser, tmp_path, monkeypatch):
    (tmp_path / "broken.db").write_bytes(b"this is no database" * 100)
    monkeypatch.setenv("MLPLAT_CATALOG", f"sqlite:///{tmp_path}/broken.db")
    answer = browser.get("/mlplat/models")
    assert answer.status_code == 503
    assert "Not available now" in answer.text
    monkeypatch.setenv("MLPLAT_CATALOG", "nonsense")
    answer = browser.get("/mlplat/models")
    assert answer.status_code == 500
    assert "MLPLAT_CATALOG" in answer.text
