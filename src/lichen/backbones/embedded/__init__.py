"""Small pretrained models that come as ordinary Python packages, so that everything runs offline.

Each package is pinned by version and by the SHA-256 of its weight file. None of the packages is ever imported: only
its weight file is read, after its digest was checked. See `docs/embedded.md`.
"""

from __future__ import annotations

from .architectures import register_architectures
from .configs import embedded_config
from .loading import embedded_id, load_embedded, load_embedded_folder, load_processor
from .registry import EMBEDDED, EmbeddedModel

__all__ = [
    "EMBEDDED",
    "EmbeddedModel",
    "embedded_config",
    "embedded_id",
    "load_embedded",
    "load_embedded_folder",
    "load_processor",
    "register_architectures",
]
