"""Lichen teaches a frozen pretrained model new skills without back-propagating through it.

Importing this package loads neither torch nor transformers: a public name is fetched when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .backbones.backbone import Backbone
    from .backbones.features import Features
    from .errors import CheckpointError, GradientLeakError, InputError, LichenError, MissingPackageError
    from .features.config import StoreConfig
    from .features.store import FeatureStore
    from .memory import MemoryReport, memory_report
    from .scene import Scene
    from .side.attach import attach, detach, load
    from .side.config import LSTConfig, PooledConfig, ProbeConfig, PyramidConfig, SHERLConfig, UniPTConfig
    from .side.lst import LST
    from .side.pooled import Pooled
    from .side.probe import Probe
    from .side.reference import load_reference
    from .side.sherl import SHERL
    from .side.unipt import UniPT
    from .video.pipeline import LichenVideoPipeline

__version__ = "0.1.0"

__all__ = [
    "LST",
    "SHERL",
    "Backbone",
    "CheckpointError",
    "FeatureStore",
    "Features",
    "GradientLeakError",
    "InputError",
    "LSTConfig",
    "LichenError",
    "LichenVideoPipeline",
    "MemoryReport",
    "MissingPackageError",
    "Pooled",
    "PooledConfig",
    "Probe",
    "ProbeConfig",
    "PyramidConfig",
    "SHERLConfig",
    "Scene",
    "StoreConfig",
    "UniPT",
    "UniPTConfig",
    "__version__",
    "attach",
    "detach",
    "load",
    "load_reference",
    "memory_report",
]

_NAMES_OF_MODULE = {
    "backbones.backbone": ("Backbone",),
    "backbones.features": ("Features",),
    "errors": ("CheckpointError", "GradientLeakError", "InputError", "LichenError", "MissingPackageError"),
    "features.config": ("StoreConfig",),
    "features.store": ("FeatureStore",),
    "memory": ("MemoryReport", "memory_report"),
    "scene": ("Scene",),
    "side.attach": ("attach", "detach", "load"),
    "side.config": ("LSTConfig", "PooledConfig", "ProbeConfig", "PyramidConfig", "SHERLConfig", "UniPTConfig"),
    "side.lst": ("LST",),
    "side.pooled": ("Pooled",),
    "side.probe": ("Probe",),
    "side.reference": ("load_reference",),
    "side.sherl": ("SHERL",),
    "side.unipt": ("UniPT",),
    "video.pipeline": ("LichenVideoPipeline",),
}
_HOME = {name: module for module, names in _NAMES_OF_MODULE.items() for name in names}


def __getattr__(name: str) -> object:
    """Import the module that defines a public name on its first use (PEP 562)."""
    module = _HOME.get(name)
    if module is None:
        # Python asks for dunder names that need not exist, and hasattr() for anything: only a person needs advice.
        advice = "" if name.startswith("_") else " " + import_module(".errors", __name__).nearest(name, __all__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}.{advice}")
    value = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Public names, fetched already or not."""
    return sorted({*globals(), *__all__})
