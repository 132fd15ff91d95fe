"""The routes: each reads the catalog, hands the rows to a page and renders it; none answers without a login."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

from airflow.api_fastapi.core_api.security import requires_authenticated
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse

from airflow_mlplat.catalog import Catalog, open_catalog
from airflow_mlplat.errors import MlplatError, NotFoundError, PlatformError
from airflow_mlplat.hooks.settings import load_settings
from airflow_mlplat.ui import artifact, pages, tree
from airflow_mlplat.ui.render import render

ANY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
MOST = 1000
"""Rows that one page shows at most."""
SOME_OF_TREE = 200
"""Lines of a lineage on an artifact's page; its lineage page has `ALL_OF_TREE`."""
ALL_OF_TREE = 5000

router = APIRouter(default_response_class=HTMLResponse)


def create_app() -> FastAPI:
    """The app that Airflow mounts: no OpenAPI, no docs, every path behind `requires_authenticated`."""
    # Airflow mounts plugins' apps as they are, without a login of its own: github.com/apache/airflow/issues/72655
    protected = [Depends(requires_authenticated())]
    app = FastAPI(title="mlplat", openapi_url=None, docs_url=None, redoc_url=None, dependencies=protected)
    app.include_router(router)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(MlplatError, _failed)
    return app


@lru_cache(maxsize=4)
def _open(url: str) -> Catalog:
    return open_catalog(url)


def this_catalog() -> Catalog:
    """The catalog of this installation, as the environment names it now."""
    return _open(load_settings().catalog)


ThisCatalog = Annotated[Catalog, Depends(this_catalog)]
Limit = Annotated[int, Query(ge=1, le=MOST)]


@router.get("/")
def overview(request: Request, catalog: ThisCatalog) -> HTMLResponse:
    """Champions and the latest decisions; on an empty catalog, what to do first."""
    if not any(catalog.names(kind) for kind in ("span", "dataset", "model")):
        return render(request, "first.html", catalog_url=catalog.url)
    champions = catalog.aliases()
    champion_rows = [catalog.artifact(row.digest) for row in champions]
    models = pages.models(champion_rows, champions, catalog.evaluations(row.digest for row in champions))
    return render(
        request,
        "overview.html",
        places=pages.places(catalog.names("model"), champions, models),
        decisions=pages.decisions(catalog.decisions(limit=10)),
    )


@router.get("/datasets")
def datasets(request: Request, catalog: ThisCatalog, name: str | None = None, limit: Limit = 20) -> HTMLResponse:
    """Dataset versions, each with its spans, and the newest spans."""
    rows = catalog.artifacts("dataset", name, limit)
    spans = catalog.artifacts("span", name, limit)
    known = {row.digest: row for of in {row.name for row in rows} for row in catalog.artifacts("span", of, None)}
    return render(
        request,
        "datasets.html",
        datasets=[pages.dataset(row, known) for row in rows],
        spans=[pages.span(row) for row in spans],
        **_listing(catalog.names("dataset"), name, limit, max(len(rows), len(spans))),
    )


@router.get("/models")
def models(request: Request, catalog: ThisCatalog, name: str | None = None, limit: Limit = 100) -> HTMLResponse:
    """Model versions with their accuracy on each test dataset."""
    rows = catalog.artifacts("model", name, limit)
    shown = pages.models(rows, catalog.aliases(), catalog.evaluations(row.digest for row in rows))
    return render(
        request, "models.html", models=shown, **_listing(catalog.names("model"), name, limit, len(rows))
    )  # fmt: skip


@router.get("/decisions")
def decisions(request: Request, catalog: ThisCatalog, name: str | None = None, limit: Limit = 100) -> HTMLResponse:
    """Outcomes of gates and rollbacks."""
    rows = catalog.decisions(name, limit)
    listing = _listing(catalog.names("model"), name, limit, len(rows))
    return render(request, "decisions.html", decisions=pages.decisions(rows), **listing)


@router.get("/decisions/{key}")
def decision(request: Request, catalog: ThisCatalog, key: str) -> HTMLResponse:
    """One decision, with all numbers of its test."""
    row = catalog.decision(key)
    if row is None:
        raise NotFoundError(f"no decision {key} is recorded", fix="the page Decisions lists those there are")
    lines = tree.lines(catalog.lineage(row.node, "up"), "up", SOME_OF_TREE)
    return render(request, "decision.html", decision=pages.decisions([row])[0], up=lines)


@router.get("/artifacts/{digest}")
def one_artifact(request: Request, catalog: ThisCatalog, digest: str) -> HTMLResponse:
    """Anything that has a digest: its facts, how well it did, what it was made from and what became of it."""
    try:
        row = catalog.artifact(digest)
    except NotFoundError:
        # A rollback is a decision without a manifest; the lineage names it by its key.
        if catalog.decision(digest) is None:
            raise
        return decision(request, catalog, digest)
    page = artifact.page(
        row,
        job=catalog.job(row.job_key) if row.job_key else None,
        aliases=catalog.aliases(),
        evaluations=catalog.evaluations([row.digest]) if row.kind == "model" else [],
        spans=_spans_of(catalog, row),
        decision=_decision_of(catalog, row),
    )
    up, down = (tree.lines(catalog.lineage(row.ref, way), way, SOME_OF_TREE) for way in ("up", "down"))
    return render(request, "artifact.html", page=page, up=up, down=down)


@router.get("/artifacts/{digest}/lineage")
def lineage(request: Request, catalog: ThisCatalog, digest: str) -> HTMLResponse:
    """The whole lineage of an artifact, both ways."""
    row = catalog.artifact(digest)
    up, down = (tree.lines(catalog.lineage(row.ref, way), way, ALL_OF_TREE) for way in ("up", "down"))
    return render(request, "lineage.html", ref=row.ref, up=up, down=down)


@router.api_route("/{path:path}", methods=ANY_METHOD)
def unknown(path: str) -> HTMLResponse:
    """Whatever is no page: without this route, unknown paths would answer before anyone is logged in."""
    raise HTTPException(404, f"there is no page {path!r}")


def _listing(names: list[str], name: str | None, limit: int, shown: int) -> dict[str, Any]:
    return {"names": names, "name": name, "limit": limit, "more": shown >= limit and limit < MOST, "most": MOST}


def _spans_of(catalog: Catalog, row: Any) -> dict[str, Any]:
    if row.kind != "dataset":
        return {}
    return {span.digest: span for span in catalog.artifacts("span", row.name, None)}


def _decision_of(catalog: Catalog, row: Any) -> Any:
    if row.kind != "decision":
        return None
    try:
        return catalog.decision_of(row.ref)
    except NotFoundError:
        return None


def _refused(request: Request, error: Any) -> HTMLResponse:
    return render(request, "error.html", status=error.status_code, headers=error.headers, message=error.detail)


def _malformed(request: Request, error: Any) -> HTMLResponse:
    wrong = [f"{problem['loc'][-1]}: {problem['msg']}" for problem in error.errors()]
    return render(request, "error.html", status=422, message="; ".join(wrong))


def _failed(request: Request, error: Any) -> HTMLResponse:
    status = 404 if isinstance(error, NotFoundError) else 503 if isinstance(error, PlatformError) else 500
    return render(request, "error.html", status=status, message=str(error))
