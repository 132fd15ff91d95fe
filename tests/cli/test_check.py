from __future__ import annotations

import sqlalchemy as sa

from airflow_mlplat.catalog.tables import ALIAS, ARTIFACT, JOB
from airflow_mlplat.cli.check import check_catalog


def problems(world):
    return [f"{problem.path}: {problem.what}" for problem in check_catalog(world.catalog, world.store).problems]


def test_sound(world):
    report = check_catalog(world.catalog, world.store)
    assert report.problems == []
    assert report.checked == {"artifacts": 6, "jobs": 4, "aliases": 1, "unrecorded": 0}


def test_unrecorded_manifests_are_counted(world):
    world.store.put_manifest({"format": 1, "kind": "model", "name": "new", "files": {}, "parents": []})
    report = check_catalog(world.catalog, world.store)
    assert report.problems == [] and report.checked["unrecorded"] == 1


def test_wrong_rows_are_found(world):
    with world.catalog._session.writing("test") as connection:
        model = ARTIFACT.c.digest == world.models[0].digest
        connection.execute(sa.update(ARTIFACT).where(model).values(document={"kind": "model"}))
        connection.execute(sa.update(ALIAS).values(digest="0" * 64))
        stage = JOB.c.stage == "train"
        row = connection.execute(sa.select(JOB).where(stage).limit(1)).one()
        connection.execute(
            sa.update(JOB).where(JOB.c.key == row.key).values(result={**row.result, "job_key": "0" * 64})
        )
    assert problems(world) == [
        f"catalog: {world.models[0]}: its manifest in the catalog is not what its digest says",
        "catalog: job " + "0" * 64 + ": its result is missing from the store",
        "catalog: fashion@champion: points to an unknown model " + "0" * 64,
    ]
