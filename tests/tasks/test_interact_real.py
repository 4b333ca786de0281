"""The recipes of HICO-DET and V-COCO on real annotations, where these are at hand, with pictures that stand in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lichen.cli.main import main
from lichen.data.interactions import Interactions
from lichen.scene import Label, Scene
from lichen.scene.jsonl import read_jsonl, write_jsonl

from ..backbones.packages import need

HICO = "hoi/hico_real40_shared_only.json"
VCOCO = "formats/vcoco/vcoco_on_coco_mini.json"


def trained(recipe: str, data: Path, folder: Path, *changes: str) -> dict[str, float]:
    """Metrics of the test side after the recipe's few smoke steps."""
    need("playground-clip")
    words = [word for change in changes for word in ("--set", change)]
    assert main(["train", recipe, "--smoke", "--data", str(data), "--out", str(folder / "run"), *words]) == 0
    assert main(["predict", str(folder / "run"), str(data / "asked.jsonl"), "--json", str(folder / "found.jsonl")]) == 0
    found: dict[str, float] = json.loads((folder / "run" / "lichen.json").read_text())["facts"]["metrics"]["test"]
    return found


def test_hico(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """40 pictures with labels of the whole; every second one is learnt from."""
    monkeypatch.chdir(tmp_path)
    if not (shared_data / HICO).is_file():
        pytest.skip("the real annotations of HICO-DET are not there")
    file = json.loads((shared_data / HICO).read_text())
    images = [each for each in file["images"] if each["annotation"]["hoi"]]
    columns = {"filenames": "filename", "size": "size", "annotation": "annotation"}
    source = tmp_path / "hico"
    source.mkdir()
    (source / "instances_test2015.json").write_text(
        json.dumps({name: [each[key] for each in images] for name, key in columns.items()})
    )
    for number, each in enumerate(images):
        colours = np.random.default_rng(number).integers(0, 255, (6, 8, 3), dtype=np.uint8)
        (source / "test2015").mkdir(exist_ok=True)
        Image.fromarray(colours).resize(each["size"]).save(source / "test2015" / each["filename"])
    assert main(["data", "convert", str(source), "--from", "hico-det", "--out", str(tmp_path / "all.jsonl")]) == 0

    names = Interactions.hico().names
    scenes = []
    for scene, each in zip(read_jsonl(tmp_path / "all.jsonl"), images, strict=True):
        told = {key: [names[number] for number in numbers] for key, numbers in each["image_level"].items()}
        scenes.append(
            Scene(
                scene.id,
                str(tmp_path / str(scene.image)),
                size=scene.size,
                entities=scene.entities,
                relations=scene.relations,
                labels=tuple(map(Label, told["positive"])),
                metadata={"absent": told["negative"], "unclear": told["ambiguous"]},
            )
        )
    data = tmp_path / "data"
    (data / "hico").mkdir(parents=True)
    write_jsonl(data / "hico" / "train.jsonl", scenes[::2])
    write_jsonl(data / "hico" / "test.jsonl", scenes[1::2])
    write_jsonl(data / "asked.jsonl", scenes[1:5:2])
    found = trained("hico-interact", data, tmp_path, "data.limit=20", "data.eval_limit=20")
    truths = {number for each in images[1::2] for number in each["annotation"]["hoi"]}
    assert found["classes"] == len(truths) and 0 < found["mAP"] <= found["mRec"] <= 1
    assert found["mRec"] > 0.9, "annotated boxes hold all pairs"
    assert all(scene.relations for scene in read_jsonl(tmp_path / "found.jsonl"))


def test_vcoco(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four real people on three real photographs, learnt and measured alike: too few to hold any back."""
    monkeypatch.chdir(tmp_path)
    if not (shared_data / VCOCO).is_file():
        pytest.skip("the real annotations of V-COCO are not there")
    source = tmp_path / "vcoco"
    source.mkdir()
    (source / "vcoco_val.json").write_bytes((shared_data / VCOCO).read_bytes())
    (source / "instances.json").write_bytes((shared_data / "coco_mini" / "instances.json").read_bytes())
    words = ["--from", "v-coco", "--images", str(shared_data / "coco_mini" / "images")]
    assert main(["data", "convert", str(source), *words, "--out", str(tmp_path / "all.jsonl")]) == 0
    data = tmp_path / "data"
    (data / "vcoco-scenes").mkdir(parents=True)
    scenes = list(read_jsonl(tmp_path / "all.jsonl"))
    placed = [Scene.from_dict({**each.to_dict(), "image": str(tmp_path / str(each.image))}) for each in scenes]
    acting = [each for each in placed if each.relations]
    assert acting
    for side in ("train", "dev", "test"):
        write_jsonl(data / "vcoco-scenes" / f"{side}.jsonl", acting)
    write_jsonl(data / "asked.jsonl", acting)
    found = trained("vcoco-interact", data, tmp_path)
    assert 0 < found["role_mAP_S1"] <= found["role_mAP_S2"] <= 1
    assert {name.partition("/")[0] for name in found} >= {"mAP", "role_AP_S1", "role_AP_S2", "AP"}
