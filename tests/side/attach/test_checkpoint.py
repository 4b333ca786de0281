"""What is saved is what was trained, it comes back exactly, and only beside the backbone it belongs to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

import lichen
from lichen.errors import CheckpointError, InputError
from lichen.files import COMMIT, verify_folder
from lichen.side import storage
from lichen.side.attach.build import SIDES as SIDES_BY_CONFIG
from lichen.side.attach.card import model_card
from lichen.side.config import CONFIGS, SideConfig

from ...families import make_batch, make_model, shake
from .common import FEW, assert_same, attached, snapshot, train

FILES = {"model.safetensors", "lichen.json", "README.md", "manifest.json"}


@pytest.mark.parametrize(("task", "family", "side"), FEW)
def test_round_trip_is_exact_and_holds_no_backbone(task: str, family: str, side: str, tmp_path: Path) -> None:
    model, batch = attached(task, family, side)
    shake(model).eval()
    model.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == FILES
    held = load_file(tmp_path / "model.safetensors")
    slot = model.lichen.slot("default")
    assert {key.removeprefix("lichen.slots.default.") for key in held} == set(slot.state_dict())
    again = lichen.load(make_model(task, family), tmp_path)
    assert again.active_side == "default" and again.lichen.slot("default").config == slot.config
    for name, value in slot.state_dict().items():
        assert torch.equal(again.lichen.slot("default").state_dict()[name], value), name
    with torch.no_grad():
        assert torch.equal(again(**batch).loss, model(**batch).loss)


def saved(tmp_path: Path, task: str = "sequence", family: str = "bert", side: str = "unipt", **settings: Any) -> Path:
    """A folder with a side network that does something."""
    model, _ = attached(task, family, side, **settings)
    shake(model).save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def bfloat16() -> Any:
    return make_model("sequence", "bert").to(torch.bfloat16)


def more_labels() -> Any:
    torch.manual_seed(0)
    config = make_model("sequence", "bert").config
    config.num_labels = 7
    return transformers.BertForSequenceClassification(config).eval()


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (lambda: make_model("sequence", "bert", seed=1), r"another backbone. weights: expected [0-9a-f]{12}…, got"),
        (bfloat16, "dtype: expected float32, got bfloat16"),
        (
            lambda: make_model("sequence", "bert", hidden_size=24),
            "architecture: expected BertModel of width 16, got .*24",
        ),
        (more_labels, "num_labels differs: saved 3, this model has 7. Load the model with num_labels=3"),
        (
            lambda: make_model("sequence", "roberta"),
            "model_class differs: .* on BertForSequenceClassification, got Roberta",
        ),
        (lambda: make_model("token", "bert"), "model_class differs: .*got BertForTokenClassification"),
    ],
    ids=["weights", "dtype", "architecture", "num_labels", "family", "task"],
)
def test_another_backbone_is_refused_and_left_alone(other: Any, says: str, tmp_path: Path) -> None:
    folder, model = saved(tmp_path), other()
    before = snapshot(model)
    with pytest.raises(CheckpointError, match=says):
        lichen.load(model, folder)
    assert_same(snapshot(model), before)


def test_another_precision_may_be_wanted(tmp_path: Path) -> None:
    model = lichen.load(bfloat16(), saved(tmp_path), check_backbone=False)
    batch = make_batch("sequence", model)
    assert model(**batch).logits.dtype == torch.bfloat16


def test_a_refused_load_leaves_the_side_networks_that_are_there(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    weights = load_file(folder / "model.safetensors")
    model, batch = attached("sequence", "bert", "probe")
    shake(model).eval()
    before, answer = snapshot(model), model(**batch).logits
    weights.popitem()
    rewrite(folder, weights)
    with pytest.raises(CheckpointError, match="do not fit their settings: missing"):
        lichen.load(model, folder, "second")
    assert model.active_side == "default" and model.side_names == ["default"]
    assert_same(snapshot(model), before)
    assert torch.equal(model(**batch).logits, answer)


def rewrite(folder: Path, tensors: dict[str, torch.Tensor] | None = None, **settings: Any) -> None:
    """Change a saved folder as somebody would who also mends the manifest."""
    from lichen.files import staged_folder, to_json

    weights = load_file(folder / "model.safetensors") if tensors is None else tensors
    values = {**json.loads((folder / "lichen.json").read_text("utf-8")), **settings}
    with staged_folder(folder) as stage:
        storage.write_tensors(weights, stage / "model.safetensors")
        (stage / "lichen.json").write_bytes(to_json({key: value for key, value in values.items() if value is not None}))


@pytest.mark.parametrize("how", ["missing", "unexpected", "shape"])
def test_weights_that_do_not_fit_are_refused(how: str, tmp_path: Path) -> None:
    folder = saved(tmp_path)
    weights = load_file(folder / "model.safetensors")
    key = next(iter(weights))
    if how == "missing":
        weights.pop(key)
    elif how == "unexpected":
        weights["lichen.slots.default.more"] = torch.ones(1)
    else:
        weights[key] = torch.ones(99)
    rewrite(folder, weights)
    model = make_model("sequence", "bert")
    before = snapshot(model)
    with pytest.raises(CheckpointError, match=r"missing \[|unexpected \['more'\]|expected shape .*saved \(99,\)"):
        lichen.load(model, folder)
    assert_same(snapshot(model), before)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"format": 2}, "has format 2; this version reads 1"),
        ({"side": {"method": "hypernet"}}, "Unknown side network 'hypernet'"),
        ({"side": {"method": "unipt", "redution": 2}}, "has no setting 'redution'. Did you mean 'reduction'"),
        ({"side": {"method": "unipt", "reduction": "two"}}, "whole number of at least 1; got 'two'"),
        ({"side": {"method": "lst", "dropout": "much"}}, r"dropout must lie in \[0, 1\); got 'much'"),
        ({"side": {"method": "lst", "keep": 8}}, "Unknown LSTConfig.keep '8'. Choose one of"),
        ({"side": {"method": "lst", "train_head": "no"}}, "train_head must be True or False; got 'no'"),
        ({"side": {"method": "unipt", "embed": "wide"}}, "embed must be None or a whole number from 1; got 'wide'"),
        ({"side": "unipt"}, "holds no usable 'side': expected dict"),
        ({"heads": None}, "holds no usable 'heads'"),
        ({"name": 3}, "holds no usable 'name': expected str"),
        ({"name": "keys"}, "means something to PyTorch"),
        ({"backbone": {"weights": "0"}}, "the backbone's fingerprint differs in its fields"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], says: str, tmp_path: Path) -> None:
    folder = saved(tmp_path)
    rewrite(folder, **{**dict.fromkeys(settings), **settings})
    model = make_model("sequence", "bert")
    before = snapshot(model)
    with pytest.raises(InputError, match=says):
        lichen.load(model, folder)
    assert_same(snapshot(model), before)


def test_only_the_active_one_is_saved_and_may_be_renamed(tmp_path: Path) -> None:
    model, batch = attached("sequence", "bert", "unipt")
    shake(model)
    lichen.attach(model, lichen.ProbeConfig(), "probe")
    shake(model).save_pretrained(tmp_path)
    assert all(key.startswith("lichen.slots.probe.") for key in load_file(tmp_path / "model.safetensors"))
    again = lichen.load(make_model("sequence", "bert"), tmp_path, "renamed")
    assert again.side_names == ["renamed"]
    assert torch.equal(again(**batch).logits, model.eval()(**batch).logits)
    # Both on one model, loaded one after the other.
    lichen.load(again, tmp_path)
    assert again.side_names == ["renamed", "probe"] and again.active_side == "probe"
    with pytest.raises(InputError, match="'probe' is attached already"):
        lichen.load(again, tmp_path)


def test_saving_needs_something_to_save(tmp_path: Path) -> None:
    model, _ = attached("sequence", "bert", "unipt")
    with pytest.raises(InputError, match=r"state dict to save lacks .* weights of side network 'default', such as"):
        model.save_pretrained(tmp_path, state_dict={"classifier.weight": torch.ones(1)})
    model.set_side(None)
    with pytest.raises(InputError, match="No side network is active, so there is nothing to save"):
        model.save_pretrained(tmp_path)
    model.set_side("default")
    model.save_pretrained(tmp_path / "other", is_main_process=False)
    assert not any(tmp_path.iterdir())


def test_what_was_kept_is_told_and_comes_back(tmp_path: Path) -> None:
    model, batch = attached("sequence", "bert", "unipt")
    model.save_pretrained(tmp_path)
    assert "not measured" in (tmp_path / "README.md").read_text("utf-8")
    train(model, batch, steps=1)
    model.save_pretrained(tmp_path)
    kept = model.lichen.kept
    assert f"{kept['bytes']:,} bytes" in (tmp_path / "README.md").read_text("utf-8")
    assert lichen.load(make_model("sequence", "bert"), tmp_path).lichen.kept == kept


def test_the_card_says_how_to_load_it_and_tells_no_local_path(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    settings = json.loads((folder / "lichen.json").read_text("utf-8"))
    for model_id, shown in (("owner/name", True), ("/home/somebody/model", False), ("", False)):
        settings["backbone"]["model_id"] = model_id
        card = model_card(settings)
        assert ("base_model: owner/name" in card) == shown
        assert "somebody" not in card
        assert "BertForSequenceClassification.from_pretrained(" in card and "num_labels=3" in card
        assert "LABEL_0, LABEL_1, LABEL_2" in card


def test_a_save_that_was_killed_half_way_is_the_new_one(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    old = load_file(folder / "model.safetensors")
    model, _ = attached("sequence", "bert", "unipt")
    shake(model, seed=9).save_pretrained(tmp_path / "newer")
    # The state after the commit and the first move.
    (tmp_path / "newer").rename(folder / COMMIT)
    (folder / COMMIT / "README.md").replace(folder / "README.md")
    again = lichen.load(make_model("sequence", "bert"), folder)
    for name, value in model.lichen.slots.state_dict().items():
        assert torch.equal(again.lichen.slots.state_dict()[name], value)
        assert name.endswith("bias") or not torch.equal(old[f"lichen.slots.{name}"], value) or value.numel() == 0
    assert {path.name for path in folder.iterdir()} == FILES


class FakeHub:
    """Notes what would be published."""

    calls: list[dict[str, Any]] = []  # noqa: RUF012

    def __init__(self, token: str | None = None) -> None:
        self.token = token

    def create_repo(self, name: str, exist_ok: bool, private: bool | None) -> Any:
        return type("Repo", (), {"repo_id": f"owner/{name}"})()

    def upload_folder(self, **call: Any) -> str:
        files = {path.name: path.read_bytes() for path in Path(call["folder_path"]).iterdir()}
        self.calls.append({**call, "token": self.token, "files": files})
        return "address of the commit"


def test_only_what_was_saved_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "HfApi", FakeHub)
    monkeypatch.setattr(FakeHub, "calls", [])
    model, _ = attached("sequence", "bert", "unipt")
    (tmp_path / "optimizer.pt").write_bytes(b"not for the public")
    model.save_pretrained(tmp_path, push_to_hub=True, repo_id="side")
    (call,) = FakeHub.calls
    assert call["repo_id"] == "owner/side" and set(call["allow_patterns"]) == FILES


def test_push_to_hub_publishes_what_load_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "HfApi", FakeHub)
    monkeypatch.setattr(FakeHub, "calls", [])
    model, batch = attached("sequence", "bert", "unipt")
    shake(model).eval()
    assert model.push_to_hub("side", token="secret", private=True, revision="v1") == "address of the commit"
    (call,) = FakeHub.calls
    assert call["token"] == "secret" and call["revision"] == "v1"
    for name, data in call["files"].items():
        (tmp_path / name).write_bytes(data)
    again = lichen.load(make_model("sequence", "bert"), tmp_path).eval()
    assert torch.equal(again(**batch).logits, model(**batch).logits)


def test_no_such_folder_or_repository(tmp_path: Path) -> None:
    model = make_model("sequence", "bert")
    with pytest.raises(CheckpointError, match="neither a folder here nor a repository"):
        lichen.load(model, tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match=r"holds no manifest.json"):
        lichen.load(model, tmp_path / "empty")
    with pytest.raises(CheckpointError, match="is not a saved side network"):
        lichen.load(model, plain_folder(tmp_path / "plain"))
    assert verify_folder(tmp_path / "plain")


def plain_folder(folder: Path) -> Path:
    from lichen.files import staged_folder

    with staged_folder(folder) as stage:
        (stage / "notes.txt").write_text("whole, but something else")
    return folder


def test_a_side_network_of_ones_own_is_saved_and_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class Mine(SideConfig):
        method = "mine"

    monkeypatch.setitem(SIDES_BY_CONFIG, Mine, lichen.Probe)
    monkeypatch.setitem(CONFIGS, "mine", Mine)
    model = shake(lichen.attach(make_model("sequence", "bert"), Mine())).eval()
    model.save_pretrained(tmp_path)
    assert "# mine beside" in (tmp_path / "README.md").read_text()
    batch = make_batch("sequence", model)
    other = lichen.load(make_model("sequence", "bert"), tmp_path).eval()
    assert torch.equal(other(**batch).logits, model(**batch).logits)
