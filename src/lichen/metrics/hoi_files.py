"""Detected interactions in the layouts that the official tools of HICO-DET and V-COCO read.

Both tools count whole pixels, so the last corner of every box moves by 1; see `hoi.edges_of_pixels`.

V-COCO's tool reads a pickle, which this library does not write. `write_vsrl` writes the same as JSON, and this makes
the pickle of it, with NaN for all that a detection does not answer:

    import json, pickle
    d, nan = json.load(open("found.json")), float("nan")
    empty = {**dict.fromkeys(d["agents"], nan), **dict.fromkeys(d["roles"], [nan] * 5)}
    pickle.dump([{**empty, **each} for each in d["detections"]], open("found.pkl", "wb"))
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float

from ..data.classes import Action, coco_80, hico_600, hico_objects, vcoco_actions
from ..errors import InputError
from ..files import staged_file, staged_folder
from ..scene.extras import need
from .hoi import InteractionBoxes
from .vcoco import slots_of

COLUMNS = 9
"""Of a cell: human, object, score."""


def pixels_of_edges(boxes: Float[np.ndarray, "boxes 4"], first: int = 0) -> Float[np.ndarray, "boxes 4"]:
    """Boxes with edges between pixels as their first and last pixel, which count from `first`."""
    return boxes + first - np.array([0, 0, 1, 1])


def write_matlab(
    found: InteractionBoxes, pictures: int, folder: Path, order: Literal["coco", "hico"] = "coco"
) -> list[Path]:
    """Write the folder that `eval_one.m` of HICO-DET reads in its "obj" format.

    One file an object, `detections_01.mat` to `detections_80.mat`: a cell array `all_boxes` of the object's
    interactions, in their official order, by pictures, whose cells hold a row a detection: both boxes, which count
    pixels from 0, and the score. All cells of all pictures are there, nearly six million for the test side, so this
    takes minutes.

    Args:
        found: detections of the 600 interactions, with scores; pictures in the order of `anno.mat`.
        pictures: how many there are, those without a detection included: 9658 of the test side.
        folder: created; files of the same names are replaced together.
        order: how objects are numbered: "coco" as the official tool does, "hico" (alphabetical) as some that wrote for
            it do.

    Returns:
        The files.

    Raises:
        InputError: detections without scores, of other classes or of more pictures; the folder cannot be written.
        MissingPackageError: scipy is not installed.
    """
    io = need("scipy.io", "metrics", "MATLAB files are written")
    classes = hico_600()
    if found.scores is None:
        raise InputError("The detections have no scores: the tool cannot rank them.")
    if len(found) and int(found.category.max()) >= len(classes):
        raise InputError(f"A detection has class {found.category.max()}; HICO-DET has {len(classes)}.")
    if len(found) and int(found.picture.max()) >= pictures:
        raise InputError(f"A detection has picture {found.picture.max()}; there are {pictures}.")
    cells = _cells(found, pictures)
    names = tuple(coco_80().values()) if order == "coco" else hico_objects()
    files = []
    with staged_folder(folder) as stage:
        for number, name in enumerate(names, 1):
            own = [id for id, each in enumerate(classes) if each.object == name]
            boxes = np.empty((len(own), pictures), object)
            boxes.fill(np.zeros((0, COLUMNS)))
            for row, id in enumerate(own):
                for picture, values in cells.get(id, []):
                    boxes[row, picture] = values
            files.append(folder / f"detections_{number:02d}.mat")
            io.savemat(stage / files[-1].name, {"all_boxes": boxes}, do_compression=True)
    return files


def _cells(found: InteractionBoxes, pictures: int) -> dict[int, list[tuple[int, np.ndarray]]]:
    """Rows of the tool by class: picture, and its detections as they came."""
    scores = np.zeros(len(found)) if found.scores is None else found.scores
    rows = np.concatenate([pixels_of_edges(found.humans), pixels_of_edges(found.objects), scores[:, None]], 1)
    key = found.category.astype(np.int64) * pictures + found.picture
    order = np.argsort(key, kind="stable")
    keys, starts = np.unique(key[order], return_index=True)
    result: dict[int, list[tuple[int, np.ndarray]]] = {}
    for cell, values in zip(keys.tolist(), np.split(rows[order], starts[1:]), strict=False):
        result.setdefault(cell // pictures, []).append((cell % pictures, values.astype(np.float64)))
    return result


def write_vsrl(
    roles: InteractionBoxes,
    image_ids: Sequence[int],
    path: Path,
    agents: InteractionBoxes | None = None,
    actions: Sequence[Action] | None = None,
) -> None:
    """Write what `vsrl_eval.py` of V-COCO reads, as JSON; see the top of this file for the pickle.

    Args:
        roles, agents: detections, as `vcoco.vcoco_precision` takes them. Each becomes a record of its own.
        image_ids: COCO's id of each picture.
        path: of the file.
        actions: V-COCO's own without it.

    Raises:
        InputError: detections without scores, of other slots or actions or of more pictures; the file cannot be
            written.
    """
    actions = tuple(vcoco_actions() if actions is None else actions)
    names = {"roles": slots_of(actions), "agents": tuple(f"{action.name}_agent" for action in actions)}
    for kind, found in (("roles", roles), ("agents", agents)):
        if found is None or not len(found):
            continue
        if found.scores is None:
            raise InputError(f"The detected {kind} have no scores: the tool cannot rank them.")
        if int(found.category.max()) >= len(names[kind]) or int(found.picture.max()) >= len(image_ids):
            raise InputError(
                f"The detected {kind} have categories to {found.category.max()} and pictures to {found.picture.max()}; "
                f"there are {len(names[kind])} and {len(image_ids)}."
            )
    records = _records(roles, names["roles"], image_ids, with_box=True)
    if agents is not None:
        records += _records(agents, names["agents"], image_ids, with_box=False)
    with staged_file(path) as part:
        part.write_text(json.dumps({**names, "detections": records}), encoding="utf-8")


def _records(
    found: InteractionBoxes, names: Sequence[str], image_ids: Sequence[int], *, with_box: bool
) -> list[dict[str, object]]:
    people, things = pixels_of_edges(found.humans).tolist(), pixels_of_edges(found.objects).tolist()
    # Four zeros mean that there is no box, to the tool as well.
    empty = (found.objects == 0).all(1).tolist()
    scores = [0.0] * len(found) if found.scores is None else found.scores.tolist()
    rows = zip(found.picture.tolist(), found.category.tolist(), people, things, empty, scores, strict=True)
    return [
        {
            "image_id": int(image_ids[picture]),
            "person_box": person,
            names[category]: [*([0.0] * 4 if none else thing), score] if with_box else score,
        }
        for picture, category, person, thing, none, score in rows
    ]
