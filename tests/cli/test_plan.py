"""`lichen plan`: what it prints, its JSON, and its refusals."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from lichen.cli.main import main
from lichen.cli.plan import duration, number, size

from ..training.tiny_recipes import save_backbone, write_texts

RECIPE = """
task = "classify"
data = { kind = "table", train = "train.csv" }
backbone = { name = "bert", max_tokens = 64 }
side = { method = "pooled" }
train = { epochs = 2, batch = 4 }
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A recipe for a few texts in the current folder, whose backbone has lost its weights."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    write_texts(tmp_path / "data" / "train.csv")
    save_backbone(tmp_path / "bert", "bert")
    Path("bert/model.safetensors").unlink()
    Path("tiny.toml").write_text(RECIPE)
    return "tiny.toml"


def test_tables_fit_a_terminal_and_end_with_what_to_type(recipe, capsys):
    assert main(["plan", recipe, "--data", "data", "--set", "store.codec=int8", "--methods", "pooled,lst@live"]) == 0
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0] == "tiny: classify, 27 train, 3 dev"
    assert lines[1].startswith("input: 30 texts of ") and lines[1].endswith("bert")
    assert "27 examples in batches of 4, 14 updates" in lines[2]
    rows = {line.split()[0]: line for line in lines if line}
    assert rows["pooled"].split()[1] == "stored" and rows["lst@live"].split()[1] == "live"
    assert [
        name for name in ("float32", "bfloat16", "float16", "int8", "int8-channel", "pca") if name not in rows
    ] == []
    assert rows["int8"].startswith("int8 *")
    assert lines[-2:] == [
        "  lichen train tiny.toml --data data --set store.codec=int8",
        "  lichen compare tiny.toml --data data --set store.codec=int8",
    ]
    assert "warning" not in told.err


def test_json_has_the_documented_keys(recipe, capsys):
    assert main(["plan", recipe, "--data", "data", "--methods", "probe", "--methods", "lora:rank=2", "--json"]) == 0
    told = capsys.readouterr()
    plan = json.loads(told.out)
    assert told.err == ""
    assert set(plan) == {
        *("recipe", "task", "splits", "skipped", "examples", "batch", "accumulate", "updates"),
        *("parts", "methods", "longest", "stores", "disk", "speed", "next"),
    }
    assert [method["method"] for method in plan["methods"]] == ["probe", "lora:rank=2"]
    assert set(plan["methods"][0]) == {
        *("method", "features", "problem", "trained_parameters", "kept_bytes", "gradient_bytes", "optimiser_bytes"),
        *("peak_bytes", "step_seconds", "feature_seconds", "run_seconds"),
    }
    assert set(plan["stores"][0]) == {"part", "codec", "layers", "bytes", "bytes_per_sample", "seconds", "chosen"}
    assert set(plan["disk"]) == {"folder", "free_bytes", "needed_bytes", "fits"}
    assert set(plan["parts"][0]) == {
        *("part", "backbone", "kind", "samples", "tokens_mean", "tokens_longest", "tokenised", "picture_size"),
    }
    assert plan["next"][0] == "lichen train tiny.toml --data data"


def test_a_full_disk_is_warned_of(recipe, capsys, monkeypatch):
    usage = namedtuple("Usage", "total used free")(10**9, 10**9 - 2048, 2048)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert main(["plan", recipe, "--data", "data", "--methods", "probe"]) == 0
    told = capsys.readouterr()
    assert "2.0 KiB free at lichen-features, TOO LITTLE for" in told.out
    assert "--set store.codec=int8" in told.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tiny.toml", "--data", "data", "--set", "train.bath=3"], "Did you mean 'batch'?"),
        (["tiny.toml", "--data", "data", "--set", "store.codec=int9"], "Did you mean 'int8'?"),
        (["tiny.toml", "--data", "nowhere"], "train.csv"),
        (["sst3"], "Did you mean 'sst2'?"),
        (["tiny.toml", "--data", "data", "--methods", "unitp"], "Did you mean 'unipt'?"),
        (["tiny.toml", "--data", "data", "--methods", ""], "at least one method"),
        (["tiny.toml", "--data", "data", "--set", "backbone.name=nobody/nothing"], "nobody/nothing"),
        (["tiny.toml", "--data", "data", "--set", "backbone.name=embedded:dinov2-small"], "texts"),
        (["tiny.toml", "--data", "data", "--set", "backbone.max_tokens=2000"], "max_tokens"),
    ],
)
def test_wrong_input_is_told_with_exit_code_2(words, message, recipe, capsys):
    assert main(["plan", *words]) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert told.out == ""


def test_numbers_are_short():
    assert [size(count) for count in (0, 999, 1000, 2**20, 1023 * 2**20, 5 * 2**40)] == [
        *("0 B", "999 B", "1.0 KiB", "1.0 MiB", "1.0 GiB", "5.0 TiB"),
    ]
    assert [number(count) for count in (7, 7690, 22_713_986, 8_030_261_248)] == ["7", "7.69 k", "22.7 M", "8.03 G"]
    assert [duration(count) for count in (0.0171, 1.26, 119.0, 130.0, 9000.0, 400_000.0)] == [
        *("17 ms", "1.3 s", "119.0 s", "2.2 min", "2.5 h", "4.6 d"),
    ]
