"""The field's real annotation files as scenes. `FORMATS` has a row a format, `read_scenes` reads one.

A format names the files that it is made of (`format.py`); a `Source` finds them, and the pictures beside them; a reader
takes values out of them through `Fields`, `boxes` and `Things`, which note everything that is wrong in `Problems`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ...errors import pick
from ...scene import Scene
from .clevr import CLEVR
from .clips import CLIPS
from .coco import COCO
from .flickr30k import FLICKR30K
from .folders import PICTURES, SCENES
from .format import Format
from .gqa import GQA
from .hico import HICO
from .ocr import OCR_CROPS, OCR_SCENES
from .open_images import OPEN_IMAGES, OPEN_IMAGES_JSON
from .pix3d import PIX3D
from .primitives import PRNN, SOLID_BOXES
from .problems import Problems
from .reading import open_source, scenes_of
from .refer import REFER, REFERIT_FLAT
from .samples import SAMPLES
from .textvqa import TEXTCAPS, TEXTVQA
from .vcoco import VCOCO, VCOCO_PAIRS
from .vg150 import VG150, VG150_COCO
from .visual_genome import REGIONS, VISUAL_GENOME
from .vqa import VQA

FORMATS: Mapping[str, Format] = {
    "coco": COCO,
    "visual-genome": VISUAL_GENOME,
    "visual-genome-regions": REGIONS,
    "vg150": VG150,
    "vg150-coco": VG150_COCO,
    "open-images-vrd": OPEN_IMAGES,
    "open-images-vrd-json": OPEN_IMAGES_JSON,
    "flickr30k-entities": FLICKR30K,
    "refcoco": REFER,
    "referitgame": REFERIT_FLAT,
    "hico-det": HICO,
    "v-coco": VCOCO,
    "v-coco-pairs": VCOCO_PAIRS,
    "vqa2": VQA,
    "gqa": GQA,
    "textvqa": TEXTVQA,
    "textcaps": TEXTCAPS,
    "clevr": CLEVR,
    "ocr-crops": OCR_CROPS,
    "ocr-scenes": OCR_SCENES,
    "pix3d": PIX3D,
    "3d-prnn": PRNN,
    "solid-boxes": SOLID_BOXES,
    "clips": CLIPS,
    "image-folder": PICTURES,
    "jsonl": SAMPLES,
    "scenes": SCENES,
}
"""By the name that `lichen data convert --from` takes."""


def read_scenes(
    format: str,
    paths: Sequence[Path | str],
    *,
    problems: Problems | None = None,
    images: Path | str | None = None,
    look: bool = True,
) -> Iterator[Scene]:
    """Read annotation files as scenes, one by one.

    Args:
        format: a name from `FORMATS`.
        paths: files and folders that the format's files are in.
        problems: collects everything that is wrong; without it the first problem stops.
        images: folder of the pictures; None looks in the usual places beside the annotations.
        look: look for pictures and take their sizes from their headers; otherwise what the annotations say is taken.

    Raises:
        InputError: unknown format, files that are absent or unreadable as a whole; with a strict collector, or none,
            anything that is wrong.
        MissingPackageError: the format needs a package that is not installed.
    """
    chosen = FORMATS[pick("format", format, FORMATS)]
    found = Problems(strict=True) if problems is None else problems
    folder = None if images is None else Path(images)
    source = open_source(chosen, [Path(path) for path in paths], found, images=folder, look=look)
    return scenes_of(chosen, source)


__all__ = ["FORMATS", "Format", "Problems", "open_source", "read_scenes", "scenes_of"]
