"""Settings of an image processor for converted vision models, in the form that transformers reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def square_preprocessor(size: int, mean: Sequence[float], std: Sequence[float]) -> dict[str, Any]:
    """Contents of `preprocessor_config.json`: resize the whole picture to a square, scale to 0 to 1, normalise.

    Nothing is cut off, so that boxes scale by one factor an axis.

    Args:
        size: of the square, in pixels.
        mean, std: of each of the three channels, after scaling.
    """
    return {
        "image_processor_type": "BitImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"height": size, "width": size},
        "resample": 3,
        "do_center_crop": False,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(mean),
        "image_std": list(std),
    }
