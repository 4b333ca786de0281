"""Files that the tests put down: `write`, and contents as HDF5, MATLAB and pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image
from scipy.io import savemat

Files = dict[str, Any]
"""Contents by path: bytes as they are, text as UTF-8, anything else as JSON."""


def write(files: Files, folder: Path) -> Path:
    """Put files down and return the folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return folder


def h5(arrays: Mapping[str, Any]) -> bytes:
    file = BytesIO()
    with h5py.File(file, "w") as target:
        for name, values in arrays.items():
            target[name] = np.asarray(values, np.int32)
    return file.getvalue()


def mat(variables: Mapping[str, Any]) -> bytes:
    file = BytesIO()
    savemat(file, dict(variables))
    return file.getvalue()


def jpeg(width: int, height: int) -> bytes:
    return _picture(width, height, "JPEG")


def png(width: int, height: int) -> bytes:
    return _picture(width, height, "PNG")


def _picture(width: int, height: int, kind: str) -> bytes:
    file = BytesIO()
    Image.new("RGB", (width, height), "grey").save(file, kind)
    return file.getvalue()
