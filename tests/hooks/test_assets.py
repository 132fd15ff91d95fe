"""The assets that stand for datasets."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.airflow


def test_a_dataset_has_one_asset() -> None:
    from airflow_mlplat.hooks.assets import span_asset

    asset = span_asset("fashion")
    assert (asset.name, asset.uri) == ("mlplat-spans-fashion", "mlplat://spans/fashion")
    assert span_asset("fashion") == asset != span_asset("fashion-test")
