"""COCO's average precision of boxes, computed by faster-coco-eval."""

from __future__ import annotations

from typing import Any

from ..errors import InputError, MissingPackageError
from ..regions.boxes import xyxy_to_xywh
from ..regions.regions import Regions

_NAMES = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar1", "ar10", "ar100")
"""Of COCO's summary, in its order. Areas: small below 32 x 32 pixels, large from 96 x 96 on."""


def average_precision(found: Regions, truths: Regions) -> dict[str, float]:
    """COCO's summary of detections.

    Args:
        found: detections with labels and scores; the best 100 of a picture count.
        truths: annotations of the same pictures.

    Returns:
        In per cent: `ap` (mean over IoU 0.50 to 0.95 and classes), `ap50`, `ap75`, `ap_small`, `ap_medium`,
        `ap_large`, `ar1`, `ar10`, `ar100`. What has no annotation is left out.

    Raises:
        InputError: the two are not of as many pictures.
        MissingPackageError: faster-coco-eval is not installed.
    """
    try:
        from faster_coco_eval import COCO, COCOeval_faster
    except ImportError as error:
        raise MissingPackageError(
            "Average precision is computed by faster-coco-eval. Run: pip install 'lichen[metrics]'"
        ) from error
    if found.pictures != truths.pictures:
        raise InputError(f"There are detections of {found.pictures} pictures and annotations of {truths.pictures}.")
    if not len(truths):
        raise InputError("There is no annotated box, so nothing can be measured.")
    if not len(found):
        return dict.fromkeys(("ap", "ap50", "ap75", "ar1", "ar10", "ar100"), 0.0)
    gold = COCO(
        {
            "images": [
                {"id": number, "width": width, "height": height}
                for number, (width, height) in enumerate(truths.sizes.tolist())
            ],
            "categories": [{"id": label, "name": str(label)} for label in truths.labels.unique().tolist()],
            "annotations": [{"id": row + 1, **each, "iscrowd": 0} for row, each in enumerate(_rows(truths))],
        }
    )
    scores = found.scores.double().tolist()
    answers = [{**each, "score": score} for each, score in zip(_rows(found), scores, strict=True)]
    evaluation = COCOeval_faster(gold, gold.loadRes(answers), "bbox", print_function=_quiet)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    # COCO writes -1 where there is nothing to find, such as no large object.
    values = dict(zip(_NAMES, evaluation.stats, strict=False))
    return {name: 100 * float(value) for name, value in values.items() if value >= 0}


def _rows(regions: Regions) -> list[dict[str, Any]]:
    boxes = xyxy_to_xywh(regions.boxes.double())
    columns = zip(regions.picture.tolist(), regions.labels.tolist(), boxes.tolist(), strict=True)
    return [
        {"image_id": picture, "category_id": label, "bbox": box, "area": box[2] * box[3]}
        for picture, label, box in columns
    ]


def _quiet(*args: Any, **options: Any) -> None:
    """Summaries are returned, not printed."""
