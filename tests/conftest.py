"""What every test runs under: shapes checked at run time, no network, one thread, conversions kept between runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# Small matrices gain nothing from a second thread, and sums come out the same on every machine size.
os.environ["OMP_NUM_THREADS"] = "1"
ROOT = Path(__file__).resolve().parents[1]
# Of several processes of one test run each keeps its own: none may find what another has half written.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
if WORKER and "LICHEN_CACHE" in os.environ:
    os.environ["LICHEN_CACHE"] = str(Path(os.environ["LICHEN_CACHE"], WORKER))
os.environ.setdefault("LICHEN_CACHE", str(ROOT / ".pytest_cache" / "lichen" / WORKER))

# A shell lets what it starts in the background ignore Ctrl-C, and the tests of Ctrl-C may be started so.
signal.signal(signal.SIGINT, signal.default_int_handler)

import jaxtyping

# Before anything imports the package: from here on every annotated shape in it is checked at each call.
jaxtyping.install_import_hook("lichen", "beartype.beartype")

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real annotation samples beside the checkout; skips where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real annotation samples (../shared/data beside the checkout) are absent")
    return folder


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Switches the run-time type check off, for a test that hands a wrong type over as an unchecked caller would.

    Without it the check answers first, and the library's own message is never reached.
    """
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
