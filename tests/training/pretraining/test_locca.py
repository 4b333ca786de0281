"""`playground-locca` and its twin: what is told of pictures, training, and what is written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lichen.backbones.backbone import Backbone
from lichen.data.playground.dataset import Playground
from lichen.heads.decoder.export import import_decoder
from lichen.language.tokenizer import Tokenizer
from lichen.training.pretraining.__main__ import main
from lichen.training.pretraining.locca import learn_tokenizer, train_locca
from lichen.training.pretraining.pictures import drawn
from lichen.training.pretraining.told import LEAST, Told, described

from .tiny import LOCCA

DATA = drawn(Playground(0, "val", 8, 32, 32))


def test_words_of_boxes_come_from_captions_and_classes_and_not_from_expressions() -> None:
    for scene in DATA.scenes:
        words = {(text, box) for text, box in described(scene)}
        assert words and all(min(box[2] - box[0], box[3] - box[1]) >= LEAST for _, box in words)
        phrases = {scene.captions[p.caption][p.start : p.end] for p in scene.phrases if len(p.entities) == 1}
        names = {" ".join([*entity.attributes, str(entity.label)]) for entity in scene.entities}
        assert {text for text, _ in words} <= phrases | names
        boxes = {entity.box for entity in scene.entities}
        assert {box for _, box in words} <= boxes


def test_a_batch_has_three_sequences_of_every_picture() -> None:
    tokenizer = learn_tokenizer(DATA, LOCCA)
    rows = np.array([5, 0, 3])
    for boxes, markers in ((True, ["cap:", "aref:", "gcap:"]), (False, ["cap:"] * 3)):
        batch = Told(DATA.scenes, tokenizer, 64, boxes).draw(rows, np.random.default_rng(0))
        assert batch["picture"].tolist() == [0, 1, 2] * 3
        assert batch["captions"].tolist() == [marker == "cap:" for marker in np.repeat(markers, 3)]
        for number, ids in enumerate(batch["labels"].tolist()):
            learnt = batch["weights"][number].tolist()
            free = learnt.index(1.0)
            assert learnt == [0.0] * free + [1.0] * (len(learnt) - free)
            assert tokenizer.decode(ids[:free]) == markers[number // 3], "all behind the marker is learnt"
            scene = DATA.scenes[rows[number % 3]]
            text = tokenizer.decode(ids[free:])
            if markers[number // 3] == "cap:":
                assert text in {caption.lower() for caption in scene.captions}
            else:
                said = text.partition(" :")[0] if markers[number // 3] == "aref:" else text.rpartition(": ")[2]
                assert said in {words.lower() for words, _ in described(scene)}


def test_training_repeats_itself_and_lowers_the_loss() -> None:
    told: list[float] = []
    settings = replace(LOCCA, steps=12, lr=5e-3)
    first, tokenizer, facts = train_locca(settings, watch=lambda step, loss: told.append(loss))
    second, _, _ = train_locca(settings)
    assert told[0] == pytest.approx(np.log(tokenizer.vocabulary), abs=1e-3), "the first loss is ln V"
    assert facts["loss"] < told[0] - 0.03
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("boxes", [True, False])
def test_what_is_published_can_be_stood_beside(boxes: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = [f"{name}={json.dumps(getattr(LOCCA, name))}" for name in ("pictures", "steps", "batch", "size")]
    changes += [f"{name}={json.dumps(getattr(LOCCA, name))}" for name in ("width", "heads", "layers", "vocabulary")]
    changes += [f"channels={list(LOCCA.channels)}", f"depths={list(LOCCA.depths)}", f"boxes={json.dumps(boxes)}"]
    words = [word for change in changes for word in ("--set", change)]
    assert main(["locca", "--out", str(tmp_path / "m"), "--tested", "3", *words]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pictures"] == 3 and found["caption_cider"] >= 0
    assert ("words_to_box_acc50" in found) is boxes
    backbone = Backbone.from_pretrained(tmp_path / "m")
    maps = backbone(pixel_values=torch.zeros(1, 3, 32, 32)).final
    decoder = import_decoder(tmp_path / "m" / "decoder")
    assert decoder.memory_width == maps.shape[1] == LOCCA.channels[-1]
    tokenizer = Tokenizer.load(tmp_path / "m" / "decoder-tokenizer")
    assert decoder.config.vocabulary == tokenizer.vocabulary
