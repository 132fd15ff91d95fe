"""The frameworks that train and predict: one file each, the only ones of the runtime that import them."""

from __future__ import annotations

FRAMEWORKS = {
    "caffe": "airflow_mlplat.runtime.frameworks.caffe:CaffeTrainer",
    "mxnet": "airflow_mlplat.runtime.frameworks.mxnet:MXNetTrainer",
    "tensorflow": "airflow_mlplat.runtime.frameworks.tensorflow:TensorFlowTrainer",
}
"""`JobSpec.framework` → "module:attribute" of its trainer; importing the module imports no framework yet."""

__all__ = ["FRAMEWORKS"]
