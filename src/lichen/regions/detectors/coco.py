"""The 80 classes of COCO and their numbers in its files, which run to 90 with ten left out."""

from __future__ import annotations

_NAMES = (
    "person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, stop sign, "
    "parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, backpack, umbrella, "
    "handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard, "
    "surfboard, tennis racket, bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, "
    "broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, tv, "
    "laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, "
    "scissors, teddy bear, hair drier, toothbrush"
)
NAMES: tuple[str, ...] = tuple(_NAMES.split(", "))
"""Class names in COCO's order; label n is `NAMES[n]`."""
_LEFT_OUT = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
IDS: tuple[int, ...] = tuple(number for number in range(1, 91) if number not in _LEFT_OUT)
"""`category_id` of each class in COCO's annotation files."""
