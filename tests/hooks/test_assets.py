"""The assets that stand for datasets."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.airflow


def test_a_name_that_would_look_like_a_reference_is_refused():
    from airflow_mlplat.errors import SpecError
    from airflow_mlplat.hooks.assets import span_asset

    for name in ("a@b", "span:a", "a b", "", "../x", None):
        with pytest.raises(SpecError, match="that is no name for a dataset or a model; expected letters, digits"):
            span_asset(name)


def test_a_dataset_has_one_asset() -> None:
    from airflow_mlplat.hooks.assets import span_asset

    asset = span_asset("fashion")
    assert (asset.name, asset.uri) == ("mlplat-spans-fashion", "mlplat://spans/fashion")
    assert span_asset("fashion") == asset != span_asset("fashion-test")
