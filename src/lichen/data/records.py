"""Tables as data sets: texts or pictures with labels (`table`); pairs of texts, or of pictures and texts (`pairs`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import BadSample, InputError, nearest
from ..features.skipped import Tally
from ..scene import Scene
from .assemble import Part, assemble
from .config import DataConfig
from .dataset import Dataset
from .labels import label_name, to_labels
from .splits import split_files
from .tables import SUFFIXES, Record, Table, read_table


def read_labelled(config: DataConfig) -> Dataset:
    """Texts or pictures with labels, from CSV, TSV or JSONL.

    Raises:
        InputError: a file cannot be read, a column is absent, or the samples do not make a data set.
    """
    return _read(config, _labelled, labelled=True)


def read_pairs(config: DataConfig) -> Dataset:
    """Queries (texts, or pictures) as samples, and the texts that belong to each as its captions.

    Rows with the same query become one sample, so that its other answers do not count as wrong ones.

    Raises:
        InputError: as `read_labelled`.
    """
    return _read(config, _pairs, labelled=False)


def _read(
    config: DataConfig, read: Callable[[DataConfig, Table], Iterator[Scene | BadSample]], *, labelled: bool
) -> Dataset:
    parts = {}
    for split, path in split_files(config, SUFFIXES).items():
        table = read_table(path)
        tally = Tally(len(table.records))
        scenes = []
        for scene in read(config, table):
            if isinstance(scene, BadSample):
                tally.add(scene)
            else:
                scenes.append(scene)
        parts[split] = Part(str(path), scenes, skipped=tally.skipped)
    return assemble(config, parts, labelled=labelled, multi_label=config.multi_label)


def _labelled(config: DataConfig, table: Table) -> Iterator[Scene | BadSample]:
    table.require("label", config.label)
    text, image = (name if name in table.columns else None for name in (config.text, config.image))
    if text is None and image is None:
        raise InputError(
            f"{str(table.path)!r} has neither a column {config.text!r} nor {config.image!r}. "
            f"{nearest(config.text, table.columns)} Set data.text (texts) or data.image (picture paths)."
        )
    for record in table.records:
        try:
            scene = _sample(config, table, record, text, image)
            yield replace(scene, labels=to_labels(label_names(config, scene.id, record.values.get(config.label))))
        except BadSample as bad:
            yield bad


def _pairs(config: DataConfig, table: Table) -> Iterator[Scene | BadSample]:
    query = table.require("query", config.query) if config.paired == "text" else None
    image = table.require("image", config.image) if config.paired == "image" else None
    for column in config.answer:
        table.require("answer", column)
    joined: dict[tuple[str | None, str | None], Scene] = {}
    for record in table.records:
        try:
            scene = _sample(config, table, record, query, image)
            captions = _captions(config, scene.id, record)
        except BadSample as bad:
            yield bad
            continue
        first = joined.setdefault((scene.image, scene.text), scene)
        joined[scene.image, scene.text] = replace(first, captions=tuple(dict.fromkeys((*first.captions, *captions))))
    yield from joined.values()


def _sample(config: DataConfig, table: Table, record: Record, text: str | None, image: str | None) -> Scene:
    """Id of a record, and the text and picture in its columns of these names."""
    id = f"{table.path.name}:{record.line}"
    if config.id is not None:
        table.require("id", config.id)
        id = label_name(record.values.get(config.id)) or id
    picture = None
    if image is not None:
        folder = table.path.parent if config.images is None else Path(config.images)
        picture = str(folder / clean_text(id, record.values.get(image), "picture path"))
    return Scene(id, image=picture, text=None if text is None else clean_text(id, record.values.get(text)))


def _captions(config: DataConfig, id: str, record: Record) -> list[str]:
    captions = []
    for column in config.answer:
        value = record.values.get(column)
        for item in value if isinstance(value, list) else [value]:
            # An answer column may be empty in some rows, as long as another one is not.
            if item is not None and str(item).strip():
                captions.append(clean_text(id, item, "answer").strip())
    if not captions:
        raise BadSample(id, f"has no answer in {', '.join(map(repr, config.answer))}")
    return captions


def clean_text(id: str, value: Any, what: str = "text") -> str:
    """A text of a sample, as it is.

    Raises:
        BadSample: it is absent, blank, no text, or not valid Unicode.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if value is None or value == "":
        raise BadSample(id, f"has no {what}")
    if not isinstance(value, str):
        raise BadSample(id, f"its {what} is a {type(value).__name__}; expected text")
    if not value.strip():
        raise BadSample(id, f"its {what} is blank")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadSample(id, f"its {what} is not valid Unicode (half of a surrogate pair)") from error
    return value


def label_names(config: DataConfig, id: str, value: Any) -> list[str]:
    """Labels of a sample, as they stand in its label column.

    Raises:
        BadSample: it has none. In a multi-label set an empty cell or list means that no class is present.
        InputError: several labels in a single-label set.
    """
    if not config.multi_label:
        if isinstance(value, list | dict):
            raise InputError(
                f"{id}: the label is a {type(value).__name__}. Set data.multi_label = true for lists of labels."
            )
        name = label_name(value)
        if not name:
            raise BadSample(id, f"has no label in column {config.label!r}")
        return [name]
    if value is None:
        raise BadSample(id, f"has no labels in column {config.label!r}; write an empty list where no class is present")
    if isinstance(value, dict):
        raise InputError(
            f"{id}: the labels are a dict; expected a list, or text with {config.label_separator!r} between."
        )
    items = value if isinstance(value, list) else label_name(value).split(config.label_separator)
    return [name for item in items if (name := label_name(item))]
