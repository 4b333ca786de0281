"""`lichen env`: what this machine and this installation are, in a form to paste into a report of a problem."""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from .. import __version__

if TYPE_CHECKING:
    from ..backbones.embedded import EmbeddedModel

HELP = "Print versions, devices, threads, embedded models and the cache folder. Nothing is downloaded or converted."

PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "huggingface-hub",
    "numpy",
    "pillow",
    "jaxtyping",
    "rich",
    "tyro",
    "accelerate",
    "peft",
    "gguf",
    "scikit-learn",
    "matplotlib",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def run(args: argparse.Namespace) -> int:
    """Print the report on stdout."""
    report = describe()
    print(json.dumps(report, indent=2) if args.json else as_table(report))
    return 0


def describe() -> dict[str, Any]:
    """Collect the report.

    Returns:
        `lichen`, `python`, `platform`: version texts; `cores`: CPU cores this process may use; `threads`: torch's CPU
        threads; `devices`: torch devices; `packages`: name to version, None where not installed; `embedded`: name to
        `package`, `installed` (the version, or None) and `problem` (what to do, or None); `cache`: where converted
        models are kept.
    """
    import torch

    from ..backbones.embedded import EMBEDDED
    from ..backbones.embedded.loading import cache_root

    return {
        "lichen": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "devices": _devices(),
        "packages": {name: _installed(name) for name in PACKAGES},
        "embedded": {name: _embedded(entry) for name, entry in EMBEDDED.items()},
        "cache": str(cache_root()),
    }


def as_table(report: dict[str, Any]) -> str:
    """The report as aligned rows."""
    rows = [(name, str(report[name])) for name in ("lichen", "python", "platform")]
    rows.append(("cores", f"{report['cores']}, of which torch uses {report['threads']}"))
    rows += [("device", device) for device in report["devices"]]
    rows += [(name, installed or "not installed") for name, installed in report["packages"].items()]
    rows += [
        (f"embedded:{name}", model["problem"] or f"{model['package']} {model['installed']}")
        for name, model in report["embedded"].items()
    ]
    rows.append(("cache", report["cache"]))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def _devices() -> list[str]:
    """The CPU with the instructions torch uses on it, then each accelerator."""
    import torch

    devices = [f"cpu ({torch.backends.cpu.get_cpu_capability()})"]
    if torch.accelerator.is_available():
        kind = torch.accelerator.current_accelerator()
        for index in range(torch.accelerator.device_count()):
            title = f" ({torch.cuda.get_device_name(index)})" if torch.cuda.is_available() else ""
            devices.append(f"{kind}:{index}{title}")
    return devices


def _embedded(entry: EmbeddedModel) -> dict[str, str | None]:
    """Whether the package of an embedded model is there with its weight file; digests are left to the loading."""
    from ..backbones.embedded.registry import locate_weights
    from ..errors import InputError

    problem = None
    try:
        locate_weights(entry)
    except InputError as error:
        problem = str(error)
    return {"package": entry.distribution, "installed": _installed(entry.distribution), "problem": problem}


def _installed(name: str) -> str | None:
    """Version of an installed distribution, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
