"""COCO: `instances_*.json` and `captions_*.json`, alone or together. Keypoints and outlines are not read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...scene import Scene
from .coco_file import CocoBox, CocoFile, add_boxes, keep_box, keep_caption, picture_of, read_coco
from .format import Format
from .source import Part, Source, split_name
from .things import Things


def read(source: Source) -> Iterator[Scene]:
    """Scenes of the pictures that any of the files lists, split by split.

    `metadata["annotated"]` says which files list the picture: one without boxes may be empty, or was never looked at.
    """
    boxes = source.by_split("instances", lambda path: split_name(path, "instances"))
    captions = source.by_split("captions", lambda path: split_name(path, "captions"))
    for split in dict.fromkeys([*boxes, *captions]):
        instances = read_coco(boxes[split], source.problems, keep_box) if split in boxes else CocoFile("")
        told = (
            read_coco(captions[split], source.problems, keep_caption, categories=False)
            if split in captions
            else CocoFile("")
        )
        for image in dict.fromkeys([*instances.images, *told.images]):
            yield _scene(source, instances, told, image, split)


def _scene(source: Source, instances: CocoFile[CocoBox], told: CocoFile[str], image: str, split: str) -> Scene:
    file = instances if image in instances.images else told
    entry = file.images[image]
    picture = picture_of(source, file, image)
    things = Things(source.problems)
    add_boxes(things, instances, image, picture.size, instances.categories)
    annotated = {"instances": image in instances.images, "captions": image in told.images}
    metadata: dict[str, Any] = {"image_id": entry.id, "annotated": [name for name, there in annotated.items() if there]}
    if split:
        metadata["split"] = split
    return Scene(
        image,
        image=picture.path,
        size=picture.size,
        captions=tuple(text for _, text in told.annotations.get(image, ())),
        entities=tuple(things.entities),
        metadata=metadata,
    )


COCO = Format(
    "COCO instances and captions",
    (
        Part("instances", ("*instances*.json", "annotations/*instances*.json"), needed=False),
        Part("captions", ("*captions*.json", "annotations/*captions*.json"), needed=False),
    ),
    "entities, captions",
    read,
    ("images", "train2017", "val2017", "train2014", "val2014", "images/train2017", "images/val2017"),
)
