"""Each bad input gets one error that says what was expected, what came and what to do, and nothing is lost."""

from __future__ import annotations

import errno
import inspect
import os
import pickle
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import lichen
from lichen import files
from lichen.errors import CheckpointError, InputError
from lichen.files import MANIFEST, sha256, to_json

from ...families import make_batch, make_model, make_trunk, shake
from .common import SIDES, assert_same, attached, snapshot

Spoil = Callable[[dict[str, Any]], Any]


def put(key: str, place: Any, value: Any) -> Spoil:
    """Write one wrong value into a batch."""

    def spoil(batch: dict[str, Any]) -> None:
        batch[key][place] = value

    return spoil


BATCHES: list[tuple[str, str, Spoil, str]] = [
    ("image", "vit", put("pixel_values", 1, float("nan")), r"pixel_values holds NaN .* row\(s\) \[1\]. Check how"),
    ("image", "resnet", put("pixel_values", (0, 0, 0, 0), float("inf")), r"NaN or infinite values in row\(s\) \[0\]"),
    ("towers", "clip", put("pixel_values", (2, 1), float("nan")), r"pixel_values holds NaN"),
    (
        "sequence",
        "bert",
        put("attention_mask", 1, 0),
        r"every token of row\(s\) \[1\] as padding.*Remove these samples",
    ),
    ("causal", "llama", put("attention_mask", 0, 0), "every token of row"),
    ("seq2seq", "t5", put("attention_mask", 2, 0), "every token of row"),
    ("sequence", "bert", put("labels", 0, 3), r"labels holds \[3\], but a class must lie in 0 to 2 \(or -100"),
    ("image", "vit", put("labels", 0, -1), r"labels holds \[-1\], but a class must lie in 0 to 2"),
    ("token", "bert", put("labels", (0, 0), 7), r"labels holds \[7\]"),
    ("causal", "gpt2", put("labels", (0, 0), 50), r"labels holds \[50\], but a token id must lie in 0 to 49"),
    ("seq2seq", "bart", put("labels", (0, 0), -5), r"labels holds \[-5\], but a token id"),
    ("question", "bert", put("start_positions", 0, -1), r"start_positions holds -1, .* at least 0. Mark a question"),
    ("sequence", "bert", put("input_ids", (0, 0), 50), r"input_ids holds \[50\], but a token id must lie in 0 to 49"),
    ("towers", "clip", put("input_ids", (0, 0), -2), r"input_ids holds \[-2\]"),
]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("task", "family", "spoil", "says"), BATCHES)
def test_a_bad_batch(task: str, family: str, spoil: Spoil, says: str, training: bool) -> None:
    model, batch = attached(task, family, "unipt")
    model.train(training)
    good = {key: value.clone() if isinstance(value, torch.Tensor) else value for key, value in batch.items()}
    spoil(batch)
    before = snapshot(model)
    with pytest.raises(InputError, match=says):
        model(**batch)
    assert_same(snapshot(model), before)
    assert model(**good).loss.isfinite()


@pytest.mark.parametrize(
    ("task", "labels"),
    [("sequence", torch.tensor([-100, 0, 1])), ("sequence", torch.rand(3, 3)), ("token", torch.full((3, 7), -100))],
)
def test_labels_that_are_meant(task: str, labels: torch.Tensor) -> None:
    model, batch = attached(task, "bert", "unipt")
    if labels.is_floating_point():
        model.config.problem_type = "multi_label_classification"
    model(**{**batch, "labels": labels})


def test_an_answer_that_was_cut_off_is_left_out() -> None:
    model, batch = attached("question", "bert", "unipt")
    batch["end_positions"] = torch.tensor([2, 99, 4])
    assert model(**batch).loss.isfinite()


class Plain(nn.Module):
    """Not a transformers model."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, 2)])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (Plain, r"takes a transformers model such as AutoModelForSequenceClassification; got Plain"),
        (lambda: nn.Linear(2, 2), "got Linear"),
        (lambda: "bert-base-uncased", "got str"),
        (lambda: make_trunk("bert"), "BertModel is a bare backbone without a task head. Load it with an AutoModelFor"),
        (lambda: make_trunk("dinov3"), "is a bare backbone"),
    ],
)
def test_what_cannot_be_attached(make: Callable[[], Any], says: str) -> None:
    model = make()
    before = snapshot(model) if hasattr(model, "config") else None
    with pytest.raises(InputError, match=says):
        lichen.attach(model, SIDES["unipt"])
    if before:
        assert_same(snapshot(model), before)


def test_a_model_without_a_list_of_layers() -> None:
    model = make_model("sequence", "bert")
    model.bert.encoder.layer = nn.Identity()
    with pytest.raises(InputError, match=r"has no list of layers.*works with"):
        lichen.attach(model, SIDES["unipt"])


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (lichen.UniPTConfig(layers=(0, 4)), "4 does not exist. The model has 4: 0 .embeddings. to 3"),
        (lichen.UniPTConfig(layers=(-5,)), "-5 does not exist"),
        (lichen.UniPTConfig(layers=9), "last 9 hidden states, but the model has 4"),
        (lichen.PooledConfig(layers=(1, 1)), "each once"),
        (lichen.SHERLConfig(late_layers=3), "late_layers=3 is too many: of the 3 layers of .* at most 2"),
        (lichen.UniPTConfig(reduction=64), "reduction"),
        (lichen.UniPTConfig(form="clip"), "form"),
        ("unipt", "must be a UniPTConfig, SHERLConfig, LSTConfig, …; got str"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_settings_that_do_not_fit_the_model(config: Any, says: str) -> None:
    model = make_model("sequence", "bert")
    before = snapshot(model)
    with pytest.raises(InputError, match=says):
        lichen.attach(model, config)
    assert_same(snapshot(model), before)


@pytest.mark.usefixtures("unchecked")
def test_features_of_another_width_or_kind() -> None:
    model, _ = attached("sequence", "bert", "unipt")
    other = lichen.Backbone(make_model("sequence", "bert", hidden_size=24))
    features = other(input_ids=torch.ones(2, 3, dtype=torch.long))
    with pytest.raises(InputError, match=r"built for hidden states of widths \[16, 16, 16, 16\], but got \[24, 24"):
        model(features=features)
    with pytest.raises(InputError, match=r"features must be lichen.Features"):
        model(features=[features])


# --- folders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A saved side network."""
    model, _ = attached("sequence", "bert", "unipt")
    shake(model).save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


@pytest.mark.parametrize("name", ["model.safetensors", "lichen.json", MANIFEST])
@pytest.mark.parametrize("offset", [0, 8, "middle", -2])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_a_damaged_file_is_refused(name: str, offset: int | str, damage: str, folder: Path) -> None:
    file = folder / name
    data = bytearray(file.read_bytes())
    place = len(data) // 2 if isinstance(offset, str) else offset % len(data)
    if damage == "flip":
        data[place] ^= 0x10
    file.write_bytes(data[:place] if damage == "cut" else data)
    if damage == "gone":
        file.unlink()
    model = make_model("sequence", "bert")
    before = snapshot(model)
    says = r"truncated.*Copy the folder again|not readable as JSON|not in the folder|holds no manifest|no digests"
    with pytest.raises(CheckpointError, match=says):
        lichen.load(model, folder)
    assert_same(snapshot(model), before)


def test_a_model_card_may_be_edited(folder: Path) -> None:
    (folder / "README.md").write_text("Somebody wrote a better one.", encoding="utf-8")
    assert lichen.load(make_model("sequence", "bert"), folder).active_side == "default"


class Bomb:
    """Makes a folder when unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("kind", ["pickle", "torch"])
def test_a_pickle_under_a_weight_files_name_never_runs(kind: str, folder: Path, tmp_path: Path) -> None:
    mark, file = tmp_path / "mark", folder / "model.safetensors"
    if kind == "pickle":
        file.write_bytes(pickle.dumps(Bomb(mark)))
    else:
        torch.save({"weight": Bomb(mark)}, file)
    # Whoever plants it also mends the manifest.
    names = ["model.safetensors", "lichen.json"]
    (folder / MANIFEST).write_bytes(to_json({"sha256": {name: sha256(folder / name) for name in names}}))
    model = make_model("sequence", "bert")
    with pytest.raises(CheckpointError, match="is not a readable safetensors file"):
        lichen.load(model, folder)
    assert not mark.exists()
    assert not hasattr(model, "lichen")


def still_loads(folder: Path, state: dict[str, torch.Tensor]) -> None:
    """The old checkpoint is whole, and nothing else lies there."""
    again = lichen.load(make_model("sequence", "bert"), folder)
    found = again.lichen.slots.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in state.items())
    assert {path.name for path in folder.iterdir()} == {"model.safetensors", "lichen.json", "README.md", MANIFEST}


@pytest.mark.parametrize("how", ["replace", "fsync", "full disk"])
def test_a_save_that_fails_loses_nothing(how: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = lichen.load(make_model("sequence", "bert"), folder).lichen.slots.state_dict()
    model, _ = attached("sequence", "bert", "lst")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    if how == "full disk":
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    else:

        def fail(*args: Any) -> None:
            raise OSError(errno.EROFS, "Read-only file system")

        monkeypatch.setattr(files.os, how, fail)
    try:
        with pytest.raises(
            InputError, match=r"Cannot write to folder .*Nothing was saved; choose a folder that you may"
        ):
            model.save_pretrained(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        monkeypatch.undo()
    still_loads(folder, old)
    model.save_pretrained(folder)
    still_loads(folder, model.lichen.slots.state_dict())


def test_a_place_that_is_no_folder(folder: Path, tmp_path: Path) -> None:
    model, _ = attached("sequence", "bert", "unipt")
    (tmp_path / "file").write_text("x")
    for target in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="Cannot write to folder"):
            model.save_pretrained(target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "saved"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(folder: Path) -> None:
    model, _ = attached("sequence", "bert", "unipt")
    folder.chmod(0o555)
    try:
        with pytest.raises(InputError, match="Permission denied"):
            model.save_pretrained(folder)
        lichen.load(make_model("sequence", "bert"), folder)
    finally:
        folder.chmod(0o755)


@pytest.mark.parametrize("where", ["", "bert"])
def test_a_replaced_forward_is_refused_until_it_is_taken_off(where: str) -> None:
    hooks = pytest.importorskip("accelerate.hooks", reason="accelerate is not installed")
    model, batch = make_model("sequence", "bert").eval(), make_batch("sequence", make_model("sequence", "bert"))
    hooks.add_hook_to_module(model.get_submodule(where), hooks.ModelHook())
    with pytest.raises(InputError, match=f"replaced on {where or 'the model'}.*fresh model.*remove_hook"):
        lichen.attach(model, SIDES["unipt"])
    assert not hasattr(model, "lichen")
    hooks.remove_hook_from_module(model, recurse=True)
    shake(lichen.attach(model, lichen.UniPTConfig(train_head=False)).eval())
    adapted = model(**batch).logits
    assert not torch.equal(adapted, model.set_side(None)(**batch).logits)


@pytest.mark.parametrize(
    ("config", "name", "says"),
    [
        (lichen.UniPTConfig, "default", "got the class UniPTConfig: call it"),
        ({"reduction": 2}, "default", "got dict"),
        (lichen.UniPTConfig(), 3, "letters, digits, '-' and '_'; got 3"),
    ],
)
def test_arguments_of_attach_are_checked(config: Any, name: Any, says: str) -> None:
    with pytest.raises((InputError, TypeError), match=says):
        inspect.unwrap(lichen.attach)(make_model("sequence", "bert"), config, name)
