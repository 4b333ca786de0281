"""Referring expressions: RefCOCO, RefCOCO+, RefCOCOg and ReferItGame as the REFER tools have them, or flat as JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import InputError
from ...scene import Expression, Scene
from .boxes import to_box
from .coco_file import CocoBox, CocoFile, add_boxes, keep_box, picture_of, read_coco
from .fields import Fields, id_value, rows
from .format import Format
from .json_stream import elements
from .pickled import read_pickle
from .source import Part, Source
from .things import Things


class _Ref(NamedTuple):
    """One `ref`: an annotation and what people called it."""

    id: str
    annotation: str
    sentences: tuple[str, ...]
    fields: Fields


def read(source: Source) -> Iterator[Scene]:
    """One scene an image and split, with all boxes of the image and the expressions of that split.

    The split of `refs(google).p` of RefCOCOg puts expressions of one image on both sides; such an image becomes two
    scenes, and that is noted, since what is learnt from one is measured on the other.
    """
    path = source.need("refs")
    instances = read_coco(source.need("instances"), source.problems, keep_box)
    refs = _refs(source, path, instances)
    splits: dict[str, list[str]] = defaultdict(list)
    for image, split in refs:
        splits[image].append(split)
    for (image, split), found in refs.items():
        if len(splits[image]) > 1 and split == splits[image][1]:
            sides = ", ".join(splits[image])
            source.problems.add("duplicate id", f"{path.name}: image {image}", f"is in several splits: {sides}")
        id = image if len(splits[image]) == 1 else f"{image}-{split}"
        yield _scene(source, instances, image, id, split, found)


def _refs(source: Source, path: Path, instances: CocoFile[CocoBox]) -> dict[tuple[str, str], list[_Ref]]:
    """The refs by image and split."""
    values: Any = iter(elements(path)) if path.suffix.lower() == ".json" else read_pickle(path)
    if not isinstance(values, list | Iterator):
        raise InputError(f"{str(path)!r} holds a {type(values).__name__}; expected a list of refs.")
    result: dict[tuple[str, str], list[_Ref]] = defaultdict(list)
    seen: set[str] = set()
    for fields in rows(iter(values), source.problems, path.name, "refs"):
        ids = [fields.id(name) for name in ("ref_id", "image_id", "ann_id")]
        ref, image, annotation = ids
        if ref is None or image is None or annotation is None:
            continue
        if ref in seen:
            fields.note("duplicate id", f"ref {ref} is there twice")
            continue
        seen.add(ref)
        if image not in instances.images:
            fields.note("unknown reference", f"belongs to image {image}, which the instances do not list")
            continue
        sentences = []
        for sentence in fields.records("sentences"):
            text = sentence.text("sent" if sentence.values.get("sent") else "raw")
            sentences += [] if text is None else [text]
        split = fields.text("split", needed=False) or ""
        result[image, split].append(_Ref(ref, annotation, tuple(sentences), fields))
    return result


def _scene(source: Source, instances: CocoFile[CocoBox], image: str, id: str, split: str, refs: list[_Ref]) -> Scene:
    entry = instances.images[image]
    # `file_name` of a ref has the annotation's number in it; that of the instances is the picture's own.
    picture = picture_of(source, instances, image, *_saiapr(image))
    things = Things(source.problems)
    add_boxes(things, instances, image, picture.size, instances.categories)
    expressions, numbers = [], []
    for ref in refs:
        place = things.place(ref.annotation, ref.fields, "annotation")
        if place is not None:
            expressions += [Expression(text, place) for text in ref.sentences]
            numbers += [ref.id] * len(ref.sentences)
    metadata: dict[str, Any] = {"image_id": entry.id, "refs": numbers}
    return Scene(
        id,
        image=picture.path,
        size=picture.size,
        entities=tuple(things.entities),
        expressions=tuple(expressions),
        metadata={**metadata, "split": split} if split else metadata,
    )


def _saiapr(image: str) -> tuple[str, ...]:
    """Where SAIAPR TC-12 keeps a picture, from the folder of all or of its own."""
    number = id_value(image)
    if not isinstance(number, int):
        return ()
    place = f"{number // 1000:02d}/images/{image}.jpg"
    return place, f"saiapr_tc-12/{place}"


def read_flat(source: Source) -> Iterator[Scene]:
    """ReferItGame as one JSON list of boxes (x1, y1, x2, y2), each with its queries; one scene an image and split."""
    path = source.need("expressions")
    images: dict[tuple[str, str], list[Fields]] = defaultdict(list)
    for fields in rows(elements(path), source.problems, path.name):
        image = fields.id("img_id")
        if image is not None:
            images[image, fields.text("split", needed=False) or ""].append(fields)
    for (image, split), boxes in images.items():
        picture = source.picture(boxes[0], f"{image}.jpg", *_saiapr(image))
        things = Things(source.problems)
        expressions = []
        for fields in boxes:
            id = fields.id("ann_id")
            box = to_box(fields.values.get("bbox"), "xyxy", picture.size, source.problems, fields)
            texts = fields.texts("query") if isinstance(fields.values.get("query"), list) else [fields.text("query")]
            if id is None or box is None:
                continue
            place = things.get(id)
            place = things.add(id, None, box, id=id) if place is None else place
            expressions += [Expression(text, place) for text in texts if text is not None]
        metadata = {"image_id": id_value(image), **({"split": split} if split else {})}
        yield Scene(
            image,
            image=picture.path,
            size=picture.size,
            entities=tuple(things.entities),
            expressions=tuple(expressions),
            metadata=metadata,
        )


_FOLDERS = ("images", "train2014", "images/train2014", "images/mscoco/images/train2014", "images/saiapr_tc-12")
REFER = Format(
    "RefCOCO, RefCOCO+, RefCOCOg, RefClef",
    (Part("refs", ("refs*.p", "refs*.pkl", "refs*.json")), Part("instances", ("instances*.json",))),
    "entities, expressions",
    read,
    _FOLDERS,
)
REFERIT_FLAT = Format(
    "ReferItGame, flat JSON",
    (Part("expressions", ("*.json",)),),
    "entities without a class, expressions",
    read_flat,
    _FOLDERS,
)
