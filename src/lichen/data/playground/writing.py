"""Folders of made data: whole or absent, with a digest of every file.

```
DIR/
  manifest.json         what made it, counts, and a digest of each file beside it
  train.jsonl …         Scenes, one a line; paths in them start from DIR
  train.sha256 …        digests of the pictures, as `sha256sum -c` reads them
  images/train/*.png …
```
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from PIL import Image

from ...errors import InputError
from ...files import MANIFEST, sha256, to_json
from ...scene import Scene
from .samples import Samples

Report = Callable[[str, int, int], None]
"""Called with the split, how many of its samples are made, and of how many."""
_STAGE = ".making."
_DAY = 86_400
_LOOK = 50
"""Samples between two reports."""


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield a folder beside `target` that becomes it when the block ends well; otherwise nothing is kept.

    Raises:
        InputError: the folder holds something already, or cannot be written.
    """
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise InputError(
                f"{str(target)!r} exists already and is not an empty folder. Choose another name, or remove it first."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        stage = Path(tempfile.mkdtemp(dir=target.parent, prefix=f"{_STAGE}{target.name}."))
        try:
            yield stage
            # One call for tens of thousands of small files, before the rename that makes them visible.
            os.sync()
            os.chmod(stage, 0o755)
            os.replace(stage, target)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    except OSError as error:
        raise InputError(
            f"Cannot write the playground to {str(target)!r}: {error.strerror or error}. "
            "Nothing was kept; choose a folder that you may write to and that has free space."
        ) from error


def _sweep(target: Path) -> None:
    """Remove what a killed run left a day ago or earlier; younger folders may belong to one that is at work."""
    for path in target.parent.glob(f"{_STAGE}{target.name}.*"):
        if time.time() - path.stat().st_mtime > _DAY:
            shutil.rmtree(path, ignore_errors=True)


def write_world(
    target: Path,
    about: Mapping[str, Any],
    splits: Mapping[str, Samples[Any]],
    write: Callable[[SplitWriter, Any], None],
    report: Report | None = None,
) -> dict[str, Any]:
    """Write the samples of all splits, and a manifest.

    Args:
        target: a folder that does not exist yet or is empty. It is built beside it and renamed when it is complete:
            after an interruption nothing is there.
        about: what the manifest says of their making.
        splits: samples by the name of their split.
        write: hands a sample's pictures and its scene to the writer.
        report: is told of the progress.

    Returns:
        The manifest.

    Raises:
        InputError: the folder holds something already, or cannot be written.
    """
    digests: dict[str, str] = {}
    with new_folder(target) as stage:
        for split, samples in splits.items():
            with SplitWriter(stage, split, len(samples), report) as writer:
                for sample in samples:
                    write(writer, sample)
            digests |= writer.digests()
        manifest = {**about, "counts": {split: len(samples) for split, samples in splits.items()}, "sha256": digests}
        (stage / MANIFEST).write_bytes(to_json(manifest))
    return manifest


class SplitWriter:
    """Writes the samples of one split, one after the other."""

    def __init__(self, stage: Path, split: str, count: int, report: Report | None = None) -> None:
        """
        Args:
            stage: the folder.
            split: its name.
            count: samples that will come.
            report: is told of the progress.
        """
        self.split = split
        self.done = 0
        """Samples that are written."""
        self._stage, self._count, self._report = stage, count, report
        self._paths = (stage / f"{split}.jsonl", stage / f"{split}.sha256")
        self._files = ExitStack()

    def __enter__(self) -> SplitWriter:
        self._scenes, self._sums = (self._files.enter_context(path.open("wb")) for path in self._paths)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def picture(self, name: str, pixels: np.ndarray) -> str:
        """Write an array of 8 or 16 bits as PNG and note its digest.

        Args:
            name: path from the folder; folders on the way are made.
            pixels: rows, columns, and 3 channels or none.

        Returns:
            The name.
        """
        data = BytesIO()
        Image.fromarray(pixels).save(data, "PNG", compress_level=4)
        path = self._stage / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.getbuffer())
        self._sums.write(f"{hashlib.sha256(data.getbuffer()).hexdigest()}  {name}\n".encode())
        return name

    def scene(self, scene: Scene) -> None:
        """Write the scene of a sample whose pictures are written."""
        self._scenes.write(scene.to_json().encode() + b"\n")
        self.done += 1
        if self._report is not None and (self.done % _LOOK == 0 or self.done == self._count):
            self._report(self.split, self.done, self._count)

    def digests(self) -> dict[str, str]:
        """Digests of the split's own files, once it is closed."""
        return {path.name: sha256(path) for path in self._paths}
