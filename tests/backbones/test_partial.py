"""The last layers of a saved model, loaded without the rest, answer as the whole model's do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from torch import Tensor

from lichen.backbones import partial
from lichen.backbones.backbone import Backbone
from lichen.backbones.features import Features
from lichen.backbones.fingerprint import digests_of
from lichen.backbones.late import LateLayers
from lichen.backbones.partial import load_late
from lichen.backbones.trunk import Trunk
from lichen.errors import CheckpointError, InputError

from ..families import CONFIGS, TEXT, make_inputs, make_model, make_trunk
from .trunks import TRUNKS

CASES = [(family, part) for family, part in TRUNKS if family not in ("t5", "albert") and part != "decoder"]
FEW = ("bert", "deberta-v2", "llama", "vit", "resnet", "convnext")
SOME = [
    pytest.param(family, part, marks=() if family in FEW or part == "text" else pytest.mark.slow)
    for family, part in CASES
]
BY_NAME = ("bert", "roberta", "deberta-v2", "llama", "gpt2", "bart", "clip", "siglip")
"""Families whose files name the weights as the model does."""
WEIGHTS = "model.safetensors"


def saved(folder: Path, family: str = "bert", **settings: Any) -> Path:
    """A folder with a tiny model."""
    make_trunk(family).save_pretrained(folder, **settings)
    return folder


def whole(folder: Path, part: str) -> tuple[Trunk, Features, int, Tensor]:
    """The same loaded altogether: its trunk, features of a batch, how many blocks are late, and what enters them."""
    model = Backbone.from_pretrained(folder, part=None if part == "backbone" else part)
    inputs = make_inputs(model.model)
    inputs = {"pixel_values": inputs["pixel_values"]} if part == "vision" else inputs
    if part == "text":
        inputs.pop("pixel_values")
    with torch.no_grad():
        features = model(**inputs)
    outline = model.outline(part)
    count = outline.late_blocks if outline.whole_stage else 1
    entry = features.states[-2]
    if outline.kind == "maps" and not outline.whole_stage:
        entry = torch.randn(features.final.shape, generator=torch.Generator().manual_seed(0))
    return model.trunks[part], replace(features, states=(), indices=None), count, entry


def early_and_late(trunk: Trunk, count: int) -> tuple[list[Tensor], list[Tensor]]:
    """Weights of the layers before the last `count`, and of these."""
    layers: Sequence[torch.nn.Module] = list(trunk.layers)
    parts = layers[: len(layers) - count], layers[len(layers) - count :]
    early, late = ([tensor for layer in part for tensor in layer.parameters()] for part in parts)
    return early, late


def change(folder: Path, key: str, file: str = WEIGHTS) -> None:
    tensors = load_file(folder / file)
    (name,) = (name for name in tensors if name.endswith(key))
    tensors[name] = tensors[name] + 1
    save_file(tensors, folder / file, metadata={"format": "pt"})


@pytest.mark.parametrize(("family", "part"), SOME)
def test_late_layers_answer_as_those_of_the_whole_model(
    family: str, part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trunk, rest, count, entry = whole(saved(tmp_path, family), part)
    if family in BY_NAME:
        monkeypatch.setattr(partial, "_load_whole", None)
    before = torch.get_rng_state()
    late = load_late(tmp_path, count, part=None if part == "backbone" else part, digests=digests_of(trunk.module))
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(module.training for module in late.module.modules())
    assert not any(parameter.requires_grad for parameter in late.module.parameters())
    mine, theirs = (LateLayers(each, count)(entry, rest) for each in (late, trunk))
    assert torch.equal(mine.final, theirs.final)
    assert (mine.pooled is None) == (theirs.pooled is None)
    if mine.pooled is not None and theirs.pooled is not None:
        assert torch.equal(mine.pooled, theirs.pooled)
    if late.kind == "tokens":
        early, kept = early_and_late(late, count)
        assert early and all(tensor.is_meta for tensor in early)
        assert kept and not any(tensor.is_meta for tensor in kept)
        words = next(late.module.get_input_embeddings().parameters())  # type: ignore[operator]
        assert words.untyped_storage().nbytes() == 4


def test_embeddings_that_only_inputs_need_take_no_memory(tmp_path: Path) -> None:
    late = load_late(saved(tmp_path / "bert"), 1)
    sizes = {key: value.untyped_storage().nbytes() for key, value in late.module.embeddings.named_parameters()}
    assert set(sizes.values()) == {4} and "position_embeddings.weight" in sizes
    # Every layer of a DeBERTa reads these, the last as well.
    late = load_late(saved(tmp_path / "deberta", "deberta-v2"), 1)
    assert late.module.encoder.rel_embeddings.weight.untyped_storage().nbytes() > 4


def test_two_late_layers(tmp_path: Path) -> None:
    trunk, rest, _, _ = whole(saved(tmp_path), "backbone")
    entry = torch.randn(3, 7, 16, generator=torch.Generator().manual_seed(0))
    late = load_late(tmp_path, 2)
    assert torch.equal(LateLayers(late, 2)(entry, rest).final, LateLayers(trunk, 2)(entry, rest).final)
    assert [len(part) > 0 for part in early_and_late(late, 2)] == [True, True]
    assert all(tensor.is_meta for tensor in early_and_late(late, 2)[0])


@pytest.mark.parametrize("family", ["bert", "vit"])
def test_changed_late_weights_are_refused_and_early_ones_do_not_matter(family: str, tmp_path: Path) -> None:
    trunk = whole(saved(tmp_path, family), "backbone")[0]
    digests = digests_of(trunk.module)
    change(tmp_path, "encoder.layer.0.output.dense.weight")
    load_late(tmp_path, 1, digests=digests)
    change(tmp_path, "encoder.layer.2.output.dense.weight")
    load_late(tmp_path, 1)
    with pytest.raises(CheckpointError, match=r"not those that the store was made with: .*2\..* differs"):
        load_late(tmp_path, 1, digests=digests)
    incomplete = {key: value for key, value in digests.items() if ".2." not in key}
    with pytest.raises(CheckpointError, match="not those that the store was made with"):
        load_late(saved(tmp_path, family), 1, digests=incomplete)


def test_weights_in_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trunk, rest, count, entry = whole(saved(tmp_path, max_shard_size="8kB"), "backbone")
    files = sorted(tmp_path.glob("*.safetensors"))
    assert len(files) > 2 and not (tmp_path / WEIGHTS).exists()
    monkeypatch.setattr(partial, "_load_whole", None)
    late = load_late(tmp_path, count, digests=digests_of(trunk.module))
    assert torch.equal(LateLayers(late, count)(entry, rest).final, LateLayers(trunk, count)(entry, rest).final)


def test_a_name_that_fits_by_chance_in_another_file(tmp_path: Path) -> None:
    # The final norm of a Llama is called "norm"; only the file that comes second holds it.
    trunk, rest, count, entry = whole(saved(tmp_path, "llama"), "backbone")
    tensors = load_file(tmp_path / WEIGHTS)
    norm = {"norm.weight": tensors.pop("norm.weight")}
    first = {**tensors, "a.norm.weight": torch.full((16,), 9.0)}
    save_file(first, tmp_path / "a.safetensors", metadata={"format": "pt"})
    save_file(norm, tmp_path / "b.safetensors", metadata={"format": "pt"})
    (tmp_path / WEIGHTS).unlink()
    where = dict.fromkeys(first, "a.safetensors") | dict.fromkeys(norm, "b.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where, "metadata": {}}))
    late = load_late(tmp_path, count)
    assert torch.equal(LateLayers(late, count)(entry, rest).final, LateLayers(trunk, count)(entry, rest).final)


def test_a_model_with_a_task_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = make_model("sequence", "bert")
    task.save_pretrained(tmp_path)
    trunk, rest, count, entry = whole(tmp_path, "backbone")
    monkeypatch.setattr(partial, "_load_whole", None)
    late = load_late(tmp_path, count, digests=digests_of(trunk.module))
    assert torch.equal(LateLayers(late, count)(entry, rest).final, LateLayers(trunk, count)(entry, rest).final)


def test_foreign_names_are_loaded_whole_and_stripped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    original = partial._load_whole
    monkeypatch.setattr(partial, "_load_whole", lambda *args: loaded.append(args) or original(*args))
    late = load_late(saved(tmp_path, "vit"), 1)
    assert len(loaded) == 1
    assert all(tensor.is_meta for tensor in early_and_late(late, 1)[0])


def test_a_file_without_the_pooler_gives_a_trunk_without_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    hf.BertForMaskedLM(hf.BertConfig(**TEXT)).save_pretrained(tmp_path)
    trunk, rest, count, entry = whole(tmp_path, "backbone")
    late = load_late(tmp_path, count, digests=digests_of(trunk.module))
    assert late.module.pooler is None
    assert torch.equal(LateLayers(late, count)(entry, rest).final, LateLayers(trunk, count)(entry, rest).final)


def test_half_precision_files_are_read_as_float32(tmp_path: Path) -> None:
    make_trunk("bert").to(torch.bfloat16).save_pretrained(tmp_path)
    trunk, rest, count, entry = whole(tmp_path, "backbone")
    late = load_late(tmp_path, count, digests=digests_of(trunk.module))
    assert {tensor.dtype for tensor in late.module.parameters()} == {torch.float32}
    assert torch.equal(LateLayers(late, count)(entry, rest).final, LateLayers(trunk, count)(entry, rest).final)


def test_what_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No usable transformers model"):
        load_late(tmp_path / "absent", 1)
    with pytest.raises(InputError, match=r"Unknown part 'visoin'\. Did you mean 'vision'\?"):
        load_late(saved(tmp_path / "clip", "clip"), 1, part="visoin")
    folder = saved(tmp_path / "torn")
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match="are damaged"):
        load_late(folder, 1)
    folder = saved(tmp_path / "index", max_shard_size="8kB")
    sorted(folder.glob("*.safetensors"))[1].unlink()
    with pytest.raises(InputError, match="No usable transformers model"):
        load_late(folder, 1)


def test_every_family_is_here() -> None:
    assert {family for family, _ in CASES} | {"t5"} == set(CONFIGS)


def test_a_tower_of_stages_inside_another_model() -> None:
    name = "embedded:playground-clip"
    trunk = load_late(name, 2, part="vision")
    every = Backbone.from_pretrained(name, part="vision").trunks["vision"]
    pictures = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        answers = [each.module.eval()(pixel_values=pictures).pooler_output for each in (trunk, every)]
    assert trunk.kind == "maps" and trunk.widths == every.widths
    assert torch.equal(*answers)
