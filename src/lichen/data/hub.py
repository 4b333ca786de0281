"""Data sets of the Hugging Face package `datasets`: a folder that `save_to_disk` wrote, or one from the hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from ..errors import BadSample, InputError, MissingPackageError, nearest
from ..features.skipped import Tally
from ..scene import Scene
from .assemble import Part, assemble
from .config import DataConfig
from .dataset import SPLITS, Dataset
from .labels import to_labels
from .records import clean_text, label_names
from .splits import ALIASES


def read_datasets(config: DataConfig) -> Dataset:
    """Texts or pictures with labels. Class names and their order are the data set's own where it has them.

    Pictures stay in its Arrow files and are decoded when they are asked for.

    Raises:
        MissingPackageError: the package `datasets` is not installed.
        InputError: nothing is found under this name, it has no such split or column, or a split has no labels.
    """
    package = _package()
    tables = _splits(config, _open(config, package))
    classes: tuple[str, ...] = ()
    parts = {}
    for split, table in tables.items():
        source = f"{config.path!r} ({split})"
        if config.label not in table.column_names:
            raise _no_column(source, table, "label", config.label)
        classes = classes or _class_names(table.features[config.label])
        parts[split] = _part(config, package, table, split, source, _class_names(table.features[config.label]))
    return assemble(config, parts, labelled=True, declared=classes, multi_label=config.multi_label)


class _Stored(Sequence[bytes | Path]):
    """Encoded pictures of chosen rows of an Arrow table."""

    def __init__(self, table: Any, column: str, rows: Sequence[int]) -> None:
        self.table = table
        self.column = column
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> bytes | Path: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes | Path]: ...
    def __getitem__(self, index: int | slice) -> bytes | Path | Sequence[bytes | Path]:
        if isinstance(index, slice):
            return _Stored(self.table, self.column, self.rows[index])
        cell = self.table[self.rows[index]][self.column] or {}
        if cell.get("bytes") is not None:
            return bytes(cell["bytes"])
        return Path(cell["path"]) if cell.get("path") else b""


def _package() -> Any:
    try:
        import datasets
    except ImportError as error:
        raise MissingPackageError(
            "kind = 'datasets' needs the package datasets, which is not installed. Run: pip install datasets"
        ) from error
    return datasets


def _open(config: DataConfig, package: Any) -> Any:
    if config.path is None:
        raise InputError("kind = 'datasets' needs data.path: a folder that save_to_disk wrote, or a hub id.")
    try:
        if Path(config.path).is_dir():
            return package.load_from_disk(config.path)
        return package.load_dataset(config.path, name=config.subset, revision=config.revision)
    except (OSError, ValueError, RuntimeError, KeyError, ImportError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"No usable data set under {config.path!r}: {reason} Give a folder that save_to_disk wrote, or a hub id "
            "(and data.subset where it has several configurations)."
        ) from error


def _splits(config: DataConfig, loaded: Any) -> dict[str, Any]:
    named = {split: value for split in SPLITS if (value := getattr(config, split)) is not None}
    if not isinstance(loaded, Mapping):
        if named:
            raise InputError(
                f"{config.path!r} has no splits, so data.{next(iter(named))} cannot choose one. Remove it."
            )
        return {"train": loaded}
    if not named:
        named = {split: name for split, aliases in ALIASES.items() for name in aliases if name in loaded}
    for split, name in named.items():
        if name not in loaded:
            raise InputError(f"data.{split}: {config.path!r} has no split {name!r}. {nearest(name, loaded)}")
    if "train" not in named:
        raise InputError(f"{config.path!r} has no split 'train'; set data.train to one of {', '.join(loaded)}.")
    return {split: loaded[name] for split, name in named.items()}


def _part(config: DataConfig, package: Any, table: Any, split: str, source: str, classes: tuple[str, ...]) -> Part:
    texts = list(table[config.text]) if config.text in table.column_names else None
    if texts is None and config.image not in table.column_names:
        raise _no_column(source, table, "text", config.text)
    # A number below 0 stands for "not published", as in the test sides of GLUE.
    labels = [_named(value, classes) for value in table[config.label]]
    if all(value is None for value in labels):
        raise InputError(f"{source} has no labels. Leave it out: name the other splits as data.train and data.dev.")
    tally = Tally(len(labels))
    scenes, rows = [], []
    for row, value in enumerate(labels):
        id = f"{split}/{row}"
        try:
            text = None if texts is None else clean_text(id, texts[row])
            scenes.append(Scene(id, text=text, labels=to_labels(label_names(config, id, value))))
            rows.append(row)
        except BadSample as bad:
            tally.add(bad)
    encoded = None
    if config.image in table.column_names:
        if not isinstance(table.features[config.image], package.Image):
            raise InputError(f"{source}: the column {config.image!r} holds no pictures. Set data.image, or data.text.")
        stored = table.select_columns([config.image]).cast_column(config.image, package.Image(decode=False))
        encoded = _Stored(stored, config.image, rows)
    return Part(source, scenes, encoded=encoded, skipped=tally.skipped)


def _class_names(feature: Any) -> tuple[str, ...]:
    """Names of a class column, or of a column of lists of classes; empty for any other."""
    if isinstance(feature, list) and feature:
        feature = feature[0]
    return tuple(getattr(getattr(feature, "feature", feature), "names", None) or ())


def _named(value: Any, classes: tuple[str, ...]) -> Any:
    if not classes or value is None:
        return value
    if isinstance(value, list):
        return [classes[number] for number in value]
    return classes[value] if value >= 0 else None


def _no_column(source: str, table: Any, setting: str, column: str) -> InputError:
    return InputError(
        f"{source} has no column {column!r}. {nearest(column, table.column_names)} "
        f"Set data.{setting} to the right name."
    )
