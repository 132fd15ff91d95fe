from __future__ import annotations

import pytest

from airflow_mlplat.errors import NotFoundError


@pytest.fixture
def world(make):
    names = {
        "test-1": make.dataset(1, "2026-01-01", "fashion-test"),
        "test-3": make.dataset(3, "2026-01-03", "fashion-test"),
        "model-2": make.model(2, "2026-01-02"),
        "model-4": make.model(4, "2026-01-04"),
    }
    make.promote(names["model-2"].digest, None, "2026-01-02")
    make.promote(names["model-4"].digest, names["model-2"].digest, "2026-01-04")
    return names


@pytest.mark.parametrize(
    ("text", "partition", "expected"),
    [
        ("fashion-test", None, "test-3"),
        ("fashion-test", "2026-01-03", "test-3"),
        ("fashion-test", "2026-01-02", "test-1"),
        ("dataset:fashion-test", "2026-01-02", "test-1"),
        ("fashion@champion", None, "model-4"),
        ("fashion@champion", "2026-01-09", "model-4"),
        ("fashion@champion", "2026-01-03", "model-2"),
        ("model:fashion@champion", None, "model-4"),
        ("model:fashion", None, "model-4"),
        (" fashion@champion ", None, "model-4"),
    ],
)
def test_names(catalog, world, text, partition, expected):
    assert catalog.resolve(text, partition=partition) == world[expected]


def test_digests(catalog, world):
    ref = world["model-2"]
    for length in (6, 12, 64):
        for form in ("{}", "model:{}", "fashion@{}", "model:fashion@{}"):
            assert catalog.resolve(form.format(ref.digest[:length])) == ref


@pytest.mark.parametrize(
    ("text", "partition", "message"),
    [
        ("fashion-tset", None, r"no dataset is named 'fashion-tset' \(did you mean fashion-test\?\). write NAME"),
        ("zebra", None, r"no dataset is named 'zebra'. write NAME \(its newest dataset\), NAME@champion"),
        ("fashion", None, "no dataset is named 'fashion'; got model of that name. write model:fashion"),
        (
            "fashion-test",
            "2025-12-31",
            "no dataset 'fashion-test' of partition 2025-12-31 or earlier; got only later ones, up to 2026-01-03",
        ),
        (
            "fashion@champion",
            "2026-01-01",
            "'fashion' has no champion of partition 2026-01-01 or earlier; got one of 2026",
        ),
        ("fashion@winner", None, "'fashion' has no alias 'winner'. promote a model of 'fashion' first"),
        ("fashoin@champion", None, r"'fashoin' has no alias 'champion' \(did you mean fashion\?\)"),
        ("fashion@0000000", None, "no artifact 'fashion' has a digest that begins with 0000000"),
        ("model:fashion-test@0000000", None, "no model 'fashion-test' has a digest"),
        ("0000000", None, "no artifact has a digest that begins with 0000000"),
        (
            "modle:fashion",
            None,
            r"'modle:fashion' begins with an unknown kind; expected span \| dataset .*; got 'modle'",
        ),
        ("", None, "'' names nothing. write NAME"),
        ("@champion", None, "'@champion' names nothing"),
        ("fashion@", None, "'fashion@' names nothing"),
    ],
)
def test_absence_says_what_to_do(catalog, world, text, partition, message):
    with pytest.raises(NotFoundError, match=message):
        catalog.resolve(text, partition=partition)


def test_name_that_looks_like_a_digest_is_a_name_first(catalog, make):
    ref = make.dataset(1, name="decade")
    assert catalog.resolve("decade") == ref
