"""Real annotation files: the counts that an independent look at the raw files gave. Skipped where they are absent."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from lichen.data.formats import Problems, read_scenes
from lichen.scene import Scene

from .reading import read_files, triples
from .test_layouts import count

# Paths below the folder of samples, what is read, and the problems without looking for pictures.
SAMPLES: dict[str, tuple[list[str], dict[str, int], dict[str, int]]] = {
    "coco": (["coco_mini"], {"scenes": 361, "captions": 1806, "entities": 2397}, {}),
    "visual-genome": (
        ["formats/visual_genome"],
        {"scenes": 10, "entities": 348, "relations": 423, "questions": 965},
        {"box partly outside": 5},
    ),
    "visual-genome-regions": (
        ["formats/visual_genome"],
        {"scenes": 10, "entities": 1000, "expressions": 1000},
        {},
    ),
    "flickr30k-entities": (
        ["formats/flickr30k_entities"],
        {"scenes": 1, "captions": 5, "entities": 11, "phrases": 14},
        {},
    ),
    "refcoco": (["formats/refcoco"], {"scenes": 1, "entities": 1, "expressions": 3}, {}),
    "v-coco": (
        ["formats/vcoco/vcoco_on_coco_mini.json", "coco_mini/instances.json"],
        {"scenes": 3, "entities": 17, "relations": 5},
        {},
    ),
    "vqa2": (["formats/vqa2"], {"scenes": 2, "questions": 2}, {"unknown reference": 38}),
    "gqa": (
        ["formats/gqa"],
        {"scenes": 21, "entities": 315, "relations": 726, "questions": 1},
        {"box partly outside": 3},
    ),
    "textvqa": (["formats/textvqa"], {"scenes": 14, "questions": 20, "labels": 69}, {}),
    "textcaps": (["formats/textcaps"], {"scenes": 20, "captions": 100, "labels": 47}, {}),
    "clevr": (["formats/clevr"], {"scenes": 23, "entities": 130, "relations": 1628, "questions": 90}, {}),
    "jsonl": (["text/trec/dev.jsonl"], {"scenes": 500, "labels": 500}, {}),
    "ocr-scenes": (["formats/ocr_detection"], {"scenes": 10, "lines": 82}, {}),
}


@pytest.mark.parametrize("format", SAMPLES)
def test_counts(format: str, shared_data: Path) -> None:
    names, counts, problems = SAMPLES[format]
    scenes, found = read_files(format, *(shared_data / name for name in names))
    assert count(scenes) == counts and found == problems


def only(scenes: list[Scene], id: str) -> Scene:
    return next(scene for scene in scenes if scene.id == id)


def test_coco_mini_with_its_pictures(shared_data: Path) -> None:
    scenes, problems = read_files("coco", shared_data / "coco_mini", look=True)
    assert problems == {} and all(min(scene.size or (0,)) == 256 for scene in scenes)
    crowds = sum("crowd" in entity.attributes for scene in scenes for entity in scene.entities)
    unlabelled = [scene for scene in scenes if scene.metadata["annotated"] == ["captions"]]
    assert crowds == 26 and len(unlabelled) == 79
    assert sum(not scene.entities for scene in scenes) == 79 + 2


def test_visual_genome(shared_data: Path) -> None:
    scenes, _ = read_files("visual-genome", shared_data / "formats/visual_genome")
    first = only(scenes, "1")
    assert (
        first.size == (800, 600) and len(first.entities) == 31 + 4 and triples(first)[0] == ("shade", "on", "sidewalk")
    )
    clock = next(entity for entity in first.entities if entity.id == "1058498")
    assert clock.label == "clock" and {"green", "tall"} <= set(clock.attributes)
    graphs = [shared_data / "formats/visual_genome" / name for name in ("image_data.json", "scene_graphs.json")]
    from_graphs, _ = read_files("visual-genome", *graphs)
    assert count(from_graphs)["relations"] == 423 and count(from_graphs)["entities"] == 376


def test_flickr30k(shared_data: Path) -> None:
    (scene,), _ = read_files("flickr30k-entities", shared_data / "formats/flickr30k_entities")
    boxed = [entity for entity in scene.entities if entity.box is not None]
    assert len(boxed) == 4 and [entity.id for entity in boxed] == ["1", "4", "4", "1+6"]
    assert boxed[1].box == (0.0, 219.0, 210.0, 472.0) and boxed[1].label == "scene"
    grounded = [item for item in scene.phrases if any(scene.entities[place].box for place in item.entities)]
    assert [scene.captions[item.caption][item.start : item.end] for item in grounded] == [
        "Two young guys",
        "Two young , White males",
        "many bushes",
        "Two men",
        "A man",
        "Two friends",
    ]


def test_refcoco(shared_data: Path) -> None:
    (scene,), _ = read_files("refcoco", shared_data / "formats/refcoco")
    assert scene.expressions[0].text == "the lady with the blue shirt" and scene.metadata["split"] == "train"
    assert scene.entities[0].box == pytest.approx((103.93, 299.99, 238.15, 477.41))


def test_vcoco_with_invented_boxes(shared_data: Path, tmp_path: Path) -> None:
    file = shared_data / "formats/vcoco/vcoco_val.json"
    actions = json.loads(file.read_text())
    owner: dict[int, int] = {}
    for action in actions:
        rows = len(action["ann_id"])
        for place, id in enumerate(action["role_object_id"]):
            if id:
                owner[id] = action["image_id"][place % rows]
    images = [{"id": id, "file_name": f"{id}.jpg", "width": 9, "height": 9} for id in sorted(set(owner.values()))]
    people = set(actions[0]["ann_id"])
    annotations = [
        {"id": id, "image_id": image, "category_id": 1 if id in people else 2, "bbox": [1, 1, 2, 2]}
        for id, image in owner.items()
    ]
    categories = [{"id": 1, "name": "person"}, {"id": 2, "name": "thing"}]
    instances = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / "instances.json").write_text(json.dumps(instances))
    scenes, problems = read_files("v-coco", file, tmp_path / "instances.json")
    listed = (shared_data / "formats/vcoco/splits/vcoco_val.ids").read_text().split()
    assert problems == {} and sorted(scene.id for scene in scenes) == sorted(listed) and len(scenes) == 178
    assert sum(len(scene.metadata["people"]) for scene in scenes) == 200
    assert sum(len(entity.attributes) for scene in scenes for entity in scene.entities) == 577
    assert sum(len(scene.relations) for scene in scenes) == 373


def test_hico_annotations_of_real_pictures(shared_data: Path, tmp_path: Path) -> None:
    sample = json.loads((shared_data / "hoi/hico_real40_shared_only.json").read_text())["images"]
    file = {
        "annotation": [image["annotation"] for image in sample],
        "filenames": [image["filename"] for image in sample],
        "size": [image["size"] for image in sample],
    }
    (tmp_path / "instances_test2015.json").write_text(json.dumps(file))
    scenes, problems = read_files("hico-det", tmp_path)
    assert problems == {} and count(scenes) == {"scenes": 40, "entities": 153, "relations": 83}
    people = {(image["filename"], *box) for image in sample for box in image["annotation"]["boxes_h"]}
    assert sum(entity.label == "person" for scene in scenes for entity in scene.entities) >= len(people) == 79
    assert triples(scenes[0]) == [("person", "sit_on", "bench")] * 2


def test_answers_of_vqa(shared_data: Path) -> None:
    scenes, _ = read_files("vqa2", shared_data / "formats/vqa2")
    (question,) = only(scenes, "458752").questions
    assert question.text == "What is this photo taken looking through?" and question.kind == "other"
    assert Counter(question.answers) == {"net": 8, "netting": 1, "mesh": 1}


def test_clevr_relations_agree_with_the_places_in_space(shared_data: Path) -> None:
    folder = shared_data / "formats/clevr/scenes"
    directions = {
        scene["image_filename"][:-4]: scene["directions"]
        for path in folder.glob("*.json")
        for scene in json.loads(path.read_text())["scenes"]
    }
    for scene in read_files("clevr", folder)[0]:
        points = np.array(scene.metadata["points"])
        for relation in scene.relations:
            way = points[relation.subject] - points[relation.object]
            assert way @ np.array(directions[scene.id][relation.predicate]) > 0


def test_words(shared_data: Path) -> None:
    scenes, problems = read_files("ocr-crops", shared_data / "formats/ocr_recognition", look=True)
    assert problems == {} and len(scenes) == 10 and "03/09/2009" in {scene.lines[0].text for scene in scenes}
    scenes, problems = read_files("ocr-scenes", shared_data / "formats/ocr_detection", look=True)
    assert problems == {} and {scene.size for scene in scenes} == {(1280, 720)}
    assert sum(len(scene.metadata.get("ignored", ())) for scene in scenes) == 61


def test_a_clip(shared_data: Path) -> None:
    (scene,) = read_scenes("clips", [shared_data / "video"], problems=Problems(strict=True))
    assert (scene.id, scene.size, len(scene.frames), len(scene.tracks)) == ("Crossing", (192, 128), 120, 1)
    assert scene.tracks[0].label == "pedestrian" and None not in scene.tracks[0].boxes
    assert scene.tracks[0].boxes[0] == pytest.approx((108.8, 80.0, 117.87, 106.67))


def test_corners_of_chairs(shared_data: Path) -> None:
    with np.load(shared_data / "solids/grass_chairs.npz") as file:
        arrays = {name: file[name] for name in file.files}
    scenes, problems = read_files("solid-boxes", shared_data / "solids")
    assert problems == {} and count(scenes) == {"scenes": 500, "solids": 5180}
    assert [scene.metadata["base"] for scene in scenes] == arrays["base"].tolist()
    signs = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    for number in range(0, 500, 100):
        first, last = arrays["offsets"][number], arrays["offsets"][number + 1]
        assert len(scenes[number].solids) == last - first
        for row, solid in zip(range(first, last), scenes[number].solids, strict=True):
            one, two = arrays["axes"][row].astype(np.float64)
            axes = np.stack([one, two, np.cross(one, two)])
            raw = arrays["center"][row] + signs * arrays["size"][row] @ axes
            turned = np.array(solid.centre) + signs * np.array(solid.size) @ np.array(solid.rotation).reshape(3, 3).T
            assert np.allclose(raw[:, [2, 0, 1]], turned, atol=1e-6)
