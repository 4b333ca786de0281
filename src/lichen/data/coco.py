"""The JSON files of COCO: which categories a picture shows (`coco-labels`), and its captions (`coco-captions`)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import BadSample, InputError, nearest
from ..features.skipped import Tally
from ..scene import Scene
from .assemble import Part, assemble
from .config import DataConfig
from .dataset import SPLITS, Dataset
from .labels import to_labels
from .splits import ALIASES, existing


def read_categories(config: DataConfig) -> Dataset:
    """Pictures with the set of categories that they show, crowds included, in the order of the category ids.

    Only pictures that the file lists are samples; one that is listed without an annotation shows none of them.

    Raises:
        InputError: a file is absent, is not of this layout, or contradicts itself.
    """
    file = _read(config, "instances")
    categories = {item["id"]: str(item["name"]) for item in _items(file, "categories", ("id", "name"))}
    if len(set(categories.values())) != len(categories):
        raise InputError(f"{file.source} has two categories of one name. Rename one of them.")
    names: dict[int, dict[str, None]] = defaultdict(dict)
    for item in _annotations(file, "category_id"):
        if item["category_id"] not in categories:
            raise InputError(f"{file.source}: an annotation has category {item['category_id']!r}, which is not listed.")
        names[item["image_id"]][categories[item["category_id"]]] = None
    # Ids are numbers in COCO itself and texts in some files of others.
    declared = [categories[id] for id in sorted(categories, key=lambda id: (isinstance(id, str), id))]
    order = {name: number for number, name in enumerate(declared)}
    scenes = {
        id: _scene(config, image, labels=sorted(names[id], key=order.__getitem__)) for id, image in file.images.items()
    }
    return assemble(config, _parts(config, file, scenes), labelled=True, declared=declared, multi_label=True)


def read_captions(config: DataConfig) -> Dataset:
    """Pictures with their captions, in the order of the file, without blanks around them.

    Raises:
        InputError: as `read_categories`.
    """
    file = _read(config, "captions")
    captions: dict[int, list[str]] = defaultdict(list)
    for item in _annotations(file, "caption"):
        if text := str(item["caption"]).strip():
            captions[item["image_id"]].append(text)
    scenes = {id: _scene(config, image, captions=captions[id]) for id, image in file.images.items()}
    return assemble(config, _parts(config, file, scenes), labelled=False)


class _File:
    """A file in COCO's layout."""

    def __init__(self, source: str, values: Mapping[str, Any]) -> None:
        self.source = source
        self.values = values
        images = _items(self, "images", ("id", "file_name"))
        self.images: dict[Any, Mapping[str, Any]] = {item["id"]: item for item in images}
        if len(self.images) != len(images):
            raise InputError(f"{source} lists an image id twice. Keep one entry an image.")


def _read(config: DataConfig, setting: str) -> _File:
    if config.path is None:
        raise InputError(f"kind = {config.kind!r} needs data.path, the folder of the pictures.")
    existing("data.path", config.path)
    value = getattr(config, setting)
    if value is None:
        raise InputError(f"kind = {config.kind!r} needs data.{setting}, a JSON file in COCO's layout.")
    return _File(repr(value), _json_object(existing(f"data.{setting}", value)))


def _json_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{str(path)!r} is not readable as JSON: {error}.") from error
    if not isinstance(value, dict):
        raise InputError(f"{str(path)!r} holds a {type(value).__name__}; expected a JSON object.")
    return value


def _items(file: _File, name: str, fields: Sequence[str]) -> list[Mapping[str, Any]]:
    """The list of this name, all of whose members have the fields."""
    items = file.values.get(name)
    if not isinstance(items, list):
        hint = nearest(name, file.values) if file.values else "The file is empty."
        raise InputError(f"{file.source} has no list {name!r}, so it is not in COCO's layout. {hint}")
    for number, item in enumerate(items):
        for field in fields:
            if not isinstance(item, dict) or not isinstance(item.get(field), int | str):
                raise InputError(f"{file.source}: {name}[{number}] has no usable {field!r}.")
    return items


def _annotations(file: _File, field: str) -> list[Mapping[str, Any]]:
    items = _items(file, "annotations", ("image_id", field))
    for item in items:
        if item["image_id"] not in file.images:
            raise InputError(
                f"{file.source}: an annotation belongs to image {item['image_id']!r}, which is not listed."
            )
    return items


def _scene(
    config: DataConfig, image: Mapping[str, Any], labels: Sequence[str] = (), captions: Sequence[str] = ()
) -> Scene:
    name = str(image["file_name"])
    kept = {key: image[key] for key in ("width", "height") if key in image}
    return Scene(
        name,
        image=str(Path(config.path or "") / name),
        captions=tuple(captions),
        labels=to_labels(labels),
        metadata={"image_id": image["id"], **kept},
    )


def _parts(config: DataConfig, file: _File, scenes: Mapping[Any, Scene]) -> dict[str, Part]:
    """Samples by split. Pictures that a split names but the file does not list are left out: they are unlabelled."""
    chosen = _split_ids(config) or {"train": list(scenes)}
    parts = {}
    for split, ids in chosen.items():
        listed = [scenes[id] for id in ids if id in scenes]
        tally = Tally(len(listed))
        if config.kind == "coco-captions":
            for scene in listed:
                if not scene.captions:
                    tally.add(BadSample(scene.id, f"has no caption in {file.source}"))
        source = f"{file.source} ({split})"
        parts[split] = Part(source, [scene for scene in listed if scene.id not in tally.skipped], skipped=tally.skipped)
    return parts


def _split_ids(config: DataConfig) -> dict[str, list[Any]]:
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
    result: dict[str, list[Any]] = {}
    owner: dict[Any, str] = {}
    for split, name in named.items():
        if name not in lists:
            raise InputError(f"data.{split}: {str(path)!r} has no list {name!r}. {nearest(name, lists)}")
        if not all(isinstance(id, int | str) for id in lists[name]):
            raise InputError(f"{str(path)!r}: the list {name!r} must hold image ids only.")
        result[split] = list(dict.fromkeys(lists[name]))
        for id in result[split]:
            if owner.setdefault(id, split) != split:
                raise InputError(f"{str(path)!r}: image {id!r} is in both {owner[id]} and {split}. Keep it in one.")
    return result
