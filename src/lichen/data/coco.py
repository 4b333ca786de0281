"""The JSON files of COCO: which categories a picture shows (`coco-labels`), and its captions (`coco-captions`).

Captions may bring the boxes of the same pictures along, out of a second file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ..errors import BadSample, InputError, nearest
from ..features.skipped import Tally
from ..scene import Entity, Scene
from .assemble import Part, assemble
from .config import DataConfig
from .dataset import SPLITS, Dataset
from .formats.coco_file import CocoBox, CocoFile, CocoImage, add_boxes, keep_box, read_coco
from .formats.fields import Fields, to_id
from .formats.json_stream import read_json
from .formats.problems import Problems
from .formats.things import Things
from .labels import to_labels
from .splits import ALIASES, existing

T = TypeVar("T")


def read_categories(config: DataConfig) -> Dataset:
    """Pictures with the set of categories that they show, crowds included, in the order of the category ids.

    Only pictures that the file lists are samples; one that is listed without an annotation shows none of them.

    Raises:
        InputError: a file is absent, is not of this layout, or contradicts itself.
    """
    file = _read(config, "instances", lambda fields: fields.id("category_id"))
    declared = list(file.categories.values())
    order = {name: number for number, name in enumerate(declared)}
    scenes = {}
    for key, image in file.images.items():
        names = set()
        for number, category in file.annotations.get(key, ()):
            if category not in file.categories:
                raise InputError(f"{file.where(number)} has category {category}, which is not listed.")
            names.add(file.categories[category])
        scenes[key] = _scene(config, image, labels=sorted(names, key=order.__getitem__))
    return assemble(config, _parts(config, file.name, scenes), labelled=True, declared=declared, multi_label=True)


def read_captions(config: DataConfig) -> Dataset:
    """Pictures with their captions, in the order of the file, without blanks around them.

    With `data.instances` they also have the boxes that this file lists for them, cut to the picture; a picture that it
    does not list has none.

    Raises:
        InputError: as `read_categories`.
    """
    file = _read(config, "captions", _caption, categories=False)
    boxes = CocoFile[CocoBox]("") if config.instances is None else _read(config, "instances", keep_box)
    scenes = {
        key: _scene(
            config,
            image,
            captions=[text for _, text in file.annotations.get(key, ())],
            entities=_entities(boxes, key, image),
        )
        for key, image in file.images.items()
    }
    return assemble(config, _parts(config, file.name, scenes), labelled=False)


def _entities(file: CocoFile[CocoBox], key: str, image: CocoImage) -> list[Entity]:
    """The boxes of a picture. Those that lie outside it, or have no area, are left out."""
    things = Things(Problems())
    add_boxes(things, file, key, image.size, file.categories)
    return things.entities


def _caption(fields: Fields) -> str | None:
    # A blank caption is none, and no fault of the file.
    return None if str(fields.values.get("caption", "x")).isspace() else fields.text("caption")


def _read(
    config: DataConfig, setting: str, keep: Callable[[Fields], T | None], *, categories: bool = True
) -> CocoFile[T]:
    """The file of a setting. The first fault in it stops: what is learnt and measured rests on all of it."""
    if config.path is None:
        raise InputError(f"kind = {config.kind!r} needs data.path, the folder of the pictures.")
    existing("data.path", config.path)
    value = getattr(config, setting)
    if value is None:
        raise InputError(f"kind = {config.kind!r} needs data.{setting}, a JSON file in COCO's layout.")
    return read_coco(existing(f"data.{setting}", value), Problems(strict=True), keep, categories=categories)


def _scene(
    config: DataConfig,
    image: CocoImage,
    labels: Sequence[str] = (),
    captions: Sequence[str] = (),
    entities: Sequence[Entity] = (),
) -> Scene:
    kept = {} if image.size is None else {"width": image.size[0], "height": image.size[1]}
    return Scene(
        image.file_name,
        image=str(Path(config.path or "") / image.file_name),
        size=image.size,
        captions=tuple(captions),
        entities=tuple(entities),
        labels=to_labels(labels),
        metadata={"image_id": image.id, **kept},
    )


def _parts(config: DataConfig, name: str, scenes: Mapping[str, Scene]) -> dict[str, Part]:
    """Samples by split. Pictures that a split names but the file does not list are left out: they are unlabelled."""
    chosen = _split_ids(config) or {"train": list(scenes)}
    parts = {}
    for split, ids in chosen.items():
        listed = [scenes[id] for id in ids if id in scenes]
        tally = Tally(len(listed))
        if config.kind == "coco-captions":
            for scene in listed:
                if not scene.captions:
                    tally.add(BadSample(scene.id, f"has no caption in {name}"))
        source = f"{name} ({split})"
        parts[split] = Part(source, [scene for scene in listed if scene.id not in tally.skipped], skipped=tally.skipped)
    return parts


def _json_object(path: Path) -> dict[str, Any]:
    value = read_json(path)
    if not isinstance(value, dict):
        raise InputError(f"{str(path)!r} holds a {type(value).__name__}; expected a JSON object.")
    return value


def _split_ids(config: DataConfig) -> dict[str, list[str]]:
    """Image ids by split, from the splits file: lists called train, val and test, or as the settings name them."""
    named = {split: value for split in SPLITS if (value := getattr(config, split)) is not None}
    if config.splits is None:
        if named:
            raise InputError(f"data.{next(iter(named))} names a list of the splits file, but data.splits is not given.")
        return {}
    path = existing("data.splits", config.splits)
    lists = {name: value for name, value in _json_object(path).items() if isinstance(value, list)}
    if not named:
        named = {split: name for split, aliases in ALIASES.items() for name in aliases if name in lists}
    if "train" not in named:
        raise InputError(f"{str(path)!r} has no list 'train'; set data.train to one of {', '.join(sorted(lists))}.")
    result: dict[str, list[str]] = {}
    owner: dict[str, str] = {}
    for split, name in named.items():
        if name not in lists:
            raise InputError(f"data.{split}: {str(path)!r} has no list {name!r}. {nearest(name, lists)}")
        result[split] = []
        for value in lists[name]:
            id = to_id(value)
            if id is None:
                raise InputError(f"{str(path)!r}: the list {name!r} must hold image ids only.")
            if owner.setdefault(id, split) != split:
                raise InputError(f"{str(path)!r}: image {id} is in both {owner[id]} and {split}. Keep it in one.")
            result[split].append(id)
        result[split] = list(dict.fromkeys(result[split]))
    return result
