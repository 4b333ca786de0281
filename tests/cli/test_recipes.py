"""Every shipped recipe, shrunk by its [smoke] table: trained, measured and asked, as a new user would."""

from __future__ import annotations

import gc
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lichen.cli.main import main
from lichen.data.scene_files import placed
from lichen.errors import MissingPackageError
from lichen.regions.detectors import load_detector
from lichen.scene import Scene
from lichen.scene.jsonl import read_jsonl, write_jsonl
from lichen.training.recipe import Recipe, load_recipe
from lichen.training.recipe_files import SHIPPED

from ..backbones.packages import need
from .recipes_data import write_all

pytest.importorskip("matplotlib", reason="matplotlib, which draws, is not installed")
ASKED = {
    "coco-captions": ["--task", "caption"],
    "coco-mini-ground": ["--caption", "a red person beside two dogs"],
    "coco-mini-interact": [],
    "easy-vqa": ["--question", "what colour is the shape?"],
    "flickr30k-ground": ["--caption", "a man sits near the dog"],
    "hico-interact": [],
    "open-images-relate": [],
    "playground-ground": ["--caption", "a man sits near the dog"],
    "playground-interact-weak": [],
    "playground-interact-zero": [],
    "playground-refer": ["--expression", "the dog on the left"],
    "playground-relate": [],
    "playground-solids": [],
    "playground-solids-depth": [],
    "playground-write": ["--task", "caption"],
    "refcoco-ground": ["--caption", "the man", "--caption", "red dog"],
    "vcoco-interact": [],
    "vg150-relate": [],
}
"""What runs that answer with Scenes are asked."""
NAMES = sorted(path.stem for path in SHIPPED.glob("*.toml"))
LEFT = (
    "recipe.toml",
    "environment.json",
    "metrics.jsonl",
    "curves.png",
    "model.safetensors",
    "lichen.json",
    "README.md",
    "manifest.json",
)


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_all(tmp_path_factory.mktemp("data"))


def check_picture(path: Path) -> None:
    """A picture that shows something: of a readable size, and with more than a few shades."""
    with Image.open(path) as picture:
        assert picture.format == "PNG" and min(picture.size) > 200
        grey = np.asarray(picture.convert("L"))
    assert len(np.unique(grey)) > 20 and 0.002 < (grey < 128).mean() < 0.9


def inputs_for(name: str, data: Path, folder: Path) -> list[str]:
    """What a user would ask a run of this recipe about, with the options that it needs."""
    recipe = load_recipe(name, smoke=True, root=data)
    kind = recipe.data.kind
    if kind == "table":
        (folder / "more.txt").write_text("good film\n\na bad film\n", "utf-8")
        return ["a good film", str(folder / "more.txt")]
    if recipe.task in ("relate", "ground", "interact") and not recipe.head.boxes.found:
        return [str(with_boxes(recipe, folder)), *ASKED[name]]
    shots = folder / "shots"
    shots.mkdir()
    photographs = sorted((data / "coco_mini" / "images").glob("*.jpg"))[:3]
    for photograph in photographs:
        (shots / photograph.name).write_bytes(photograph.read_bytes())
    if recipe.task == "retrieve":
        return [str(shots), "--query", "a red person", "--query", "two dogs"]
    if name in ASKED:
        return [str(shots), *ASKED[name]]
    return [str(shots / photographs[0].name), str(shots)]


def with_boxes(recipe: Recipe, folder: Path) -> Path:
    """Three Scenes with boxes, for a run that learnt from given ones."""
    place = folder / "playground" if recipe.data.path is None else Path(recipe.data.path)
    if recipe.data.path is None:
        assert main(["data", "make", "playground", "--size", "smoke", "--out", str(place)]) == 0
    source = place / "test.jsonl"
    scenes = [placed(scene, None, source) for scene in read_jsonl(source)]
    write_jsonl(folder / "given.jsonl", [scene for scene in scenes if len(scene.entities) > 1][:3])
    return folder / "given.jsonl"


def asked(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command prints, which must succeed."""
    capsys.readouterr()
    code = main(words)
    printed = capsys.readouterr()
    assert code == 0, printed.err
    return printed.out


def check_recipe(
    name: str, data: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Every training begins with a full garbage collection; what is loaded by now need not be looked through each time.
    gc.freeze()
    monkeypatch.chdir(folder)
    recipe = load_recipe(name, smoke=True, root=data)
    for part in recipe.backbones.values():
        need(part.name.removeprefix("embedded:"))
    if recipe.data.path is None and recipe.data.train is None:
        place = data
    else:
        place = Path(recipe.data.path or str(recipe.data.train))
    if not place.exists():
        pytest.skip(f"the data of {name} are not there")
    if recipe.head.boxes.found:
        try:
            load_detector(recipe.head.boxes.source)
        except MissingPackageError as error:
            pytest.skip(str(error))
    if recipe.data.kind == "digits":
        pytest.importorskip("sklearn", reason="scikit-learn, which holds the digits, is not installed")

    # Discs of one colour look alike, wherever they are.
    alike = ["--set", "head.decoder.check_leaks=false"] if recipe.task == "write" else []
    trained = json.loads(asked(["train", name, "--smoke", "--data", str(data), "--json", *alike], capsys))
    run = Path("runs") / name
    assert trained["run"] == str(run) and trained["recipe"] == name
    assert [file for file in LEFT if not (run / file).is_file()] == []
    check_picture(run / "curves.png")
    if recipe.data.limit is not None:
        most = {"classify": 1, "retrieve": 8, "write": 20, "relate": 1, "ground": 8, "interact": 1}[recipe.task]
        assert 0 < trained["examples"] <= recipe.data.limit * most
    assert {"dev", "test"} == set(trained["metrics"])

    measured = json.loads(asked(["evaluate", str(run), "--json"], capsys))
    assert measured == {"run": str(run), "metrics": trained["metrics"]}

    words = ["predict", str(run), *inputs_for(name, data, folder), "--draw", "answer.png"]
    scenes = [Scene.from_json(line) for line in asked([*words, "--json", "-"], capsys).splitlines()]
    assert len(scenes) == (2 if recipe.task == "retrieve" else 3)
    if recipe.task == "relate":
        assert all(scene.relations and scene.relations[0].score is not None for scene in scenes)
    elif recipe.task == "ground":
        assert all(scene.phrases and scene.captions for scene in scenes)
    elif recipe.task == "interact":
        # Discs that no detector takes for people have no pair, and so no answer.
        assert all(scene.size and not scene.labels for scene in scenes)
        assert recipe.head.boxes.found or any(scene.relations for scene in scenes)
    elif recipe.task == "solids":
        assert all(scene.solids and scene.metadata["camera_from"] == "fitted" for scene in scenes)
    elif recipe.task == "write":
        assert all(scene.captions or scene.questions or scene.expressions for scene in scenes)
    else:
        assert all(scene.labels and scene.labels[0].score is not None for scene in scenes)
    check_picture(folder / "answer.png")
    if recipe.task == "retrieve":
        assert all(len(scene.labels) == 3 for scene in scenes), "every photograph is ranked for every query"


@pytest.mark.parametrize("name", NAMES)
def test_recipe_on_made_up_data(
    name: str, made_up: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    check_recipe(name, made_up, tmp_path, monkeypatch, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_recipe_on_real_data(
    name: str, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    check_recipe(name, shared_data, tmp_path, monkeypatch, capsys)


def test_recipes_say_what_they_do() -> None:
    for name in NAMES:
        about = load_recipe(name).about
        assert f"lichen train {name}" in about and "Expected:" in about, name
