"""`load`: from the `[data]` table of a recipe to a `Dataset`. `READERS` has one reader a kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .arrays import read_digits, read_npz
from .coco import read_captions, read_categories
from .config import DataConfig
from .dataset import Dataset
from .easy_vqa import read_easy_vqa
from .folders import read_folder
from .hub import read_datasets
from .playground.reader import read_playground
from .playground.solids.reader import read_playground_solids
from .records import read_labelled, read_pairs
from .scene_files import read_scenes

READERS: dict[str, Callable[[DataConfig], Dataset]] = {
    "folder": read_folder,
    "table": read_labelled,
    "pairs": read_pairs,
    "image-pairs": read_pairs,
    "coco-labels": read_categories,
    "coco-captions": read_captions,
    "npz": read_npz,
    "digits": read_digits,
    "datasets": read_datasets,
    "playground": read_playground,
    "playground-solids": read_playground_solids,
    "scenes": read_scenes,
    "easy-vqa": read_easy_vqa,
}
"""By the kind of `DataConfig`."""


def load(config: DataConfig, root: Path = Path(".")) -> Dataset:
    """Read a data set.

    Args:
        config: its settings.
        root: folder from which relative paths start, such as the one that the recipe is in.

    Returns:
        Rows in the order train, dev, test; within each as in the files.

    Raises:
        InputError: a file is absent, damaged or of another layout; a column is absent; there is one class only; a
            label of dev or test is unseen in training; more than 5 % of the samples are bad.
        MissingPackageError: the kind needs a package that is not installed.
    """
    return READERS[config.kind](config.resolve(root))
