"""What the documentation shows runs as written, what it lists is complete, and what it links to exists."""

from __future__ import annotations

import re
import runpy
import shlex
import tomllib
from collections.abc import Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lichen.backbones.embedded import load_embedded_folder
from lichen.cli.main import VERBS, main
from lichen.data.config import DataConfig
from lichen.data.readers import READERS
from lichen.errors import MissingPackageError
from lichen.features.config import CODECS, StoreConfig
from lichen.metrics.scene_graph import RecallProtocol
from lichen.side.config import CONFIGS
from lichen.tasks import TASKS
from lichen.tasks.boxes import BoxesConfig
from lichen.tasks.grounded.config import GroundConfig
from lichen.tasks.interacting.config import InteractConfig
from lichen.tasks.related.config import RelateConfig
from lichen.tasks.solid.config import BuildConfig
from lichen.tasks.task import HeadConfig
from lichen.tasks.written.config import WriteConfig
from lichen.training.comparing.peers import PEERS
from lichen.training.recipe import (
    BackboneConfig,
    CompareConfig,
    StoreChoice,
    TrainConfig,
    from_dict,
)
from lichen.training.recipe_files import SHIPPED

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")])
SECTIONS = {
    "data": DataConfig,
    "backbone": BackboneConfig,
    "head": HeadConfig,
    "head.decoder": WriteConfig,
    "head.graph": RelateConfig,
    "head.grounding": GroundConfig,
    "head.interactions": InteractConfig,
    "head.solids": BuildConfig,
    "head.boxes": BoxesConfig,
    "store": StoreChoice,
    "train": TrainConfig,
    "compare": CompareConfig,
}


def read(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", read(page), flags=re.DOTALL | re.MULTILINE)


def section(page: str, title: str) -> str:
    """What stands under a heading of the second level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", read(page), flags=re.DOTALL | re.MULTILINE)
    assert found is not None, f"{page} has no section {title!r}"
    return found[1]


def named(text: str) -> set[str]:
    """All that stands between single back quotes."""
    return set(re.findall(r"`([^`\n]+)`", text))


def run_in_order(page: str, folder: Path, monkeypatch: pytest.MonkeyPatch, least: int) -> None:
    found = blocks(page, "python")
    assert len(found) >= least
    monkeypatch.chdir(folder)
    script = folder / "page.py"
    script.write_text("\n".join(found), encoding="utf-8")
    runpy.run_path(str(script), run_name="page")


def test_python_blocks_of_side_networks_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        load_embedded_folder("minilm")
    except MissingPackageError as error:
        pytest.skip(str(error))
    run_in_order("docs/side-networks.md", tmp_path, monkeypatch, least=5)


def test_python_blocks_of_features_run_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_in_order("docs/features.md", tmp_path, monkeypatch, least=6)
    shown = capsys.readouterr().out
    assert "text 3 20" in shown and "come from another backbone" in shown and "1 of 2 shards are there" in shown
    assert [line.split()[0] for line in shown.splitlines() if "largest error" in line] == list(CODECS)


def run_from_the_first_line(
    page: str,
    recipe: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    least: int = 3,
) -> str:
    """Put the page's recipe down, run its commands and then its Python; what all of it printed."""
    try:
        load_embedded_folder("playground-clip")
    except MissingPackageError as error:
        pytest.skip(str(error))
    monkeypatch.chdir(folder)
    (text,) = (text for text in blocks(page, "toml") if text.startswith(f"# {recipe}"))
    Path(recipe).write_text(text, encoding="utf-8")
    commands = [shlex.split(line) for text in blocks(page, "bash") for line in text.splitlines()]
    for command in commands:
        assert command[0] == "lichen" and main(command[1:]) == 0, capsys.readouterr()
    run_in_order(page, folder, monkeypatch, least)
    return capsys.readouterr().out


def test_the_page_of_decoders_runs_from_its_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_from_the_first_line("docs/decoders.md", "yard.toml", tmp_path, monkeypatch, capsys)
    assert Path("captioner/config.json").is_file()


def test_the_page_of_solids_runs_from_its_first_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("trimesh")
    import trimesh

    trimesh.creation.box(extents=(1.0, 2.0, 1.5)).export(tmp_path / "chair.obj")
    voxels = np.zeros((16, 16, 16))
    voxels[3:9, 4:12, 2:7] = 1
    np.save(tmp_path / "voxels.npy", voxels)
    shown = run_from_the_first_line("docs/solids.md", "furniture.toml", tmp_path, monkeypatch, capsys, least=1)
    assert "voxel IoU 1.000" in shown and "with reflections, stopped: covered\nTrue" in shown
    assert Path("object.glb").is_file() and Path("object.png").is_file() and Path("chair.json").is_file()


def test_the_page_of_scene_graphs_runs_from_its_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = run_from_the_first_line("docs/scene-graphs.md", "graphs.toml", tmp_path, monkeypatch, capsys)
    assert "lines of GraphML" in shown and RecallProtocol.pysgg().report() in shown
    assert "repeats [2, 1, 1, 2] relations [11, 1, 1]" in shown
    assert Path("graphs.png").is_file() and Path("graphs.dot").read_text("utf-8").startswith("digraph")


def test_the_page_of_grounding_runs_from_its_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = run_from_the_first_line("docs/grounding.md", "words.toml", tmp_path, monkeypatch, capsys, 2)
    assert "any 1.0 merged 0.5" in shown and "the tree [(" in shown
    assert Path("words.png").is_file() and Path("answer.png").is_file()


def test_the_page_of_interactions_runs_from_its_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (table,) = blocks("docs/interactions.md", "csv")
    (tmp_path / "more.csv").write_text(table, encoding="utf-8")
    shown = run_from_the_first_line("docs/interactions.md", "doing.toml", tmp_path, monkeypatch, capsys, 2)
    assert "{'mAP': 1.0, 'mRec': 1.0, 'classes': 1.0}" in shown
    assert Path("doing.png").is_file() and Path("doing.jsonl").is_file()


def test_the_check_of_a_head_runs() -> None:
    (block,) = (text for text in blocks("CONTRIBUTING.md", "python") if "check_head(" in text)
    exec(compile(block, "CONTRIBUTING.md", "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), flags=re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{page.name} links to {target}"


def test_memory_table_of_the_readme_is_the_measured_one() -> None:
    table = re.search(r"<!-- memory: vit-base -->\n(.*?)\n<!-- /memory -->", read("README.md"), flags=re.DOTALL)
    assert table is not None and table[1] in read("docs/memory.md")


# --- recipes


@pytest.mark.parametrize("name", SECTIONS)
def test_every_key_of_a_recipe_is_explained(name: str) -> None:
    told = named(section("docs/recipes.md", f"[{name}]"))
    assert {field.name for field in fields(SECTIONS[name])} <= told  # type: ignore[arg-type]


def test_every_key_of_every_side_network_is_explained() -> None:
    told = named(section("docs/recipes.md", "[side]"))
    assert {"method", *CONFIGS} <= told
    assert {field.name for config in CONFIGS.values() for field in fields(config)} <= told


def defaults_told(name: str) -> dict[str, Any]:
    """Defaults in the tables of a section, of rows with one key and a value that TOML can say."""
    found = {}
    for line in section("docs/recipes.md", f"[{name}]").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) > 2 and re.fullmatch(r"`\w+`", cells[0]):
            try:
                value = tomllib.loads(f"value = {cells[1].strip('`')}".replace("\\|", "|"))["value"]
            except tomllib.TOMLDecodeError:
                continue
            found[cells[0].strip("`")] = tuple(value) if isinstance(value, list) else value
    return found


def default_of(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


# No default of [backbone] is a plain value.
@pytest.mark.parametrize("name", [name for name in SECTIONS if name != "backbone"])
def test_defaults_are_the_real_ones(name: str) -> None:
    told = defaults_told(name)
    assert told, "no default was read"
    real = {field.name: default_of(field) for field in fields(SECTIONS[name])}  # type: ignore[arg-type]
    assert told == {key: real[key] for key in told}


def test_kinds_tasks_methods_and_shipped_recipes_are_listed() -> None:
    told = named(read("docs/recipes.md"))
    assert {*READERS, *TASKS, *CONFIGS, *PEERS} <= told
    assert {file.stem for file in SHIPPED.glob("*.toml")} <= named(section("docs/recipes.md", "Shipped recipes"))


def test_settings_of_a_store_are_listed() -> None:
    told = named(section("docs/features.md", "What is kept"))
    assert {*CODECS, *(field.name for field in fields(StoreConfig))} <= told


@pytest.mark.parametrize("page", ["README.md", "docs/recipes.md"])
def test_recipes_on_a_page_are_recipes(page: str, tmp_path: Path) -> None:
    whole = [tables for text in blocks(page, "toml") if "task" in (tables := tomllib.loads(text))]
    assert whole
    for tables in whole:
        assert from_dict(tables, "shown", tmp_path).data.path is not None


# --- maps


def test_the_map_names_every_file() -> None:
    told = named(read("CONTRIBUTING.md"))
    source = ROOT / "src" / "lichen"
    files = [path for path in source.rglob("*.py") if path.name != "__init__.py"]
    missing = [str(path.relative_to(source)) for path in files if path.name not in told]
    assert not missing, "give each of these a row in the map of CONTRIBUTING.md"


def order_of(words: Sequence[str], text: str) -> list[int]:
    return [text.index(word) for word in words]


def test_the_readme_shows_the_verbs_in_the_order_of_use() -> None:
    text = section("README.md", "From your pictures or texts to a trained run")
    verbs = ("plan", "cache", "train", "evaluate", "predict", "compare")
    assert set(verbs) <= set(VERBS)
    places = order_of([f"lichen {verb} " for verb in verbs], text)
    assert places == sorted(places)
