"""Checks the names of trackers (TensorBoard, W&B …) before a training begins, not after its frozen pass."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import MissingPackageError, pick

_PACKAGES = {"azure_ml": "azureml-mlflow"}
"""What to install, where it is not called as the tracker is."""


def check_trackers(names: Sequence[str]) -> None:
    """See that trackers are known and installed.

    Raises:
        InputError: transformers knows no such tracker; the nearest is named.
        MissingPackageError: its package is not installed.
    """
    if not names:
        return
    from transformers.integrations import get_available_reporting_integrations
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    there = get_available_reporting_integrations()
    for name in names:
        pick("[train] tracker", name, INTEGRATION_TO_CALLBACK)
        if name not in there:
            package = _PACKAGES.get(name, name)
            raise MissingPackageError(
                f"[train] trackers: {name} is not installed. Install it: pip install {package}, or leave it out."
            )
