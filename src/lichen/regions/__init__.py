"""Boxes of pictures: geometry, pooling, suppression, encodings, and where boxes come from.

`Regions` is what heads for interactions, graphs and grounding take beside `Features`. `detectors` make them.
"""

from __future__ import annotations

from .boxes import (
    area,
    as_boxes,
    check_boxes,
    clip,
    cxcywh_to_xyxy,
    enclosing,
    enlarge,
    flip_horizontal,
    flip_vertical,
    intersection,
    scale,
    xywh_to_xyxy,
    xyxy_to_cxcywh,
    xyxy_to_xywh,
)
from .deltas import decode_deltas, encode_deltas
from .fourier import fourier_embedding
from .groups import keep_best, rank_within
from .levels import choose_level, pool_all, pool_chosen
from .overlap import covered, giou, iou, matched_giou, matched_iou
from .pairs import PairTable, best_pairs, ordered_pairs, union_regions
from .regions import NO_CLASS, Regions, boxed
from .roi_align import pool_regions, roi_align
from .spatial import box_geometry, pair_encoding, pair_geometry, pair_masks
from .suppression import nms, suppress
from .tokens import CODES, CellCode, Code, CoordinateCode

__all__ = [
    "CODES",
    "NO_CLASS",
    "CellCode",
    "Code",
    "CoordinateCode",
    "PairTable",
    "Regions",
    "area",
    "as_boxes",
    "best_pairs",
    "box_geometry",
    "boxed",
    "check_boxes",
    "choose_level",
    "clip",
    "covered",
    "cxcywh_to_xyxy",
    "decode_deltas",
    "enclosing",
    "encode_deltas",
    "enlarge",
    "flip_horizontal",
    "flip_vertical",
    "fourier_embedding",
    "giou",
    "intersection",
    "iou",
    "keep_best",
    "matched_giou",
    "matched_iou",
    "nms",
    "ordered_pairs",
    "pair_encoding",
    "pair_geometry",
    "pair_masks",
    "pool_all",
    "pool_chosen",
    "pool_regions",
    "rank_within",
    "roi_align",
    "scale",
    "suppress",
    "union_regions",
    "xywh_to_xyxy",
    "xyxy_to_cxcywh",
    "xyxy_to_xywh",
]
