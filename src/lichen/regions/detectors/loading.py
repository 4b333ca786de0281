"""From a name to a detector."""

from __future__ import annotations

import os
from collections.abc import Callable

import torch

from ... import __version__
from ...errors import InputError, pick
from ...packages import PackageFile
from .detector import Detector, DetectorConfig

PREFIX = "embedded:"
PLAYGROUND = PackageFile(
    "embedded detector 'playground-detector'",
    "lichen",
    __version__,
    "lichen",
    "published/playground-detector/model.safetensors",
    "836fab972b95a68450275bfbdbe2992d30b5d17b182a5bb5b2bcfd9ae494c916",
)
"""The weights of the library's own detector; its settings and its card lie beside them."""


def _ssd_mobilenet(config: DetectorConfig, device: torch.device | str) -> Detector:
    from .ssd_mobilenet import SSDMobileNet

    if torch.device(device).type != "cpu":
        raise InputError(f"embedded:ssd-mobilenet runs on the CPU only; got device {str(device)!r}.")
    return SSDMobileNet(config)


def _playground_detector(config: DetectorConfig, device: torch.device | str) -> Detector:
    from .huggingface import HuggingFaceDetector

    return HuggingFaceDetector.from_pretrained(PLAYGROUND.verified().parent, config, device=device)


EMBEDDED: dict[str, Callable[[DetectorConfig, torch.device | str], Detector]] = {
    "ssd-mobilenet": _ssd_mobilenet,
    "playground-detector": _playground_detector,
}
"""Detectors that come with Lichen or out of a package, by name. Each loads what it needs when it is called."""


def load_detector(
    name: str | os.PathLike[str],
    config: DetectorConfig | None = None,
    *,
    device: torch.device | str = "cpu",
    revision: str | None = None,
) -> Detector:
    """Load a detector by "embedded:<name>", local folder, or hub id. `GivenBoxes` is built with class names instead.

    Args:
        config: which boxes are kept.
        device: where a transformers model runs; embedded:ssd-mobilenet runs on the CPU.
        revision: of a hub id.

    Raises:
        InputError: nothing is found under this name.
        MissingPackageError: the package of an embedded detector is not installed.
        CheckpointError: its files are not the pinned ones.
    """
    name = os.fspath(name)
    config = DetectorConfig() if config is None else config
    if name.startswith(PREFIX):
        return EMBEDDED[pick("embedded detector", name.removeprefix(PREFIX), EMBEDDED)](config, device)
    from .huggingface import HuggingFaceDetector

    return HuggingFaceDetector.from_pretrained(name, config, device=device, revision=revision)
