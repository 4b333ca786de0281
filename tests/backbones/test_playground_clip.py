"""`embedded:playground-clip`: it lies in the package, knows its world, and is read like any other backbone."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import normalize
from transformers import AutoModel, AutoProcessor, VisionTextDualEncoderModel

from lichen.backbones.backbone import Backbone
from lichen.backbones.embedded import EMBEDDED, load_embedded, load_embedded_folder
from lichen.data.playground.dataset import Playground
from lichen.files import verify_folder

WORLD = Playground(0, "test", 100)


def test_it_is_small_whole_and_has_a_card() -> None:
    folder = load_embedded_folder("playground-clip")
    assert set(verify_folder(folder)["sha256"]) >= {"config.json", "model.safetensors", "tokenizer.json"}
    assert (folder / "model.safetensors").stat().st_size <= 12_000_000
    assert "# playground-clip" in (folder / "README.md").read_text("utf-8")
    model = AutoModel.from_pretrained(folder)
    assert isinstance(model, VisionTextDualEncoderModel)
    assert {value.dtype for value in model.parameters()} == {torch.float16}
    assert {value.dtype for value in load_embedded("playground-clip").parameters()} == {torch.float32}
    assert EMBEDDED["playground-clip"].kind == "vision and text"


def test_both_towers_are_read_and_meet_in_one_space() -> None:
    backbone = Backbone.from_pretrained("embedded:playground-clip")
    assert list(backbone.trunks) == ["vision", "text"]
    model = load_embedded("playground-clip")
    pixels, scene = WORLD[0]
    inputs = backbone.processor(images=[Image.fromarray(pixels)], return_tensors="pt")
    seen = backbone(**inputs)
    assert [tuple(state.shape[1:]) for state in seen.states][-1] == (224, 6, 6)
    with torch.no_grad():
        expected = model.get_image_features(**inputs).pooler_output
    torch.testing.assert_close(seen.pooled, expected)
    tokens = backbone.processor.tokenizer(list(scene.captions), padding=True, return_tensors="pt")
    said = backbone(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
    assert said.pooled is not None and said.pooled.shape == (len(scene.captions), 128)


def test_it_knows_its_world() -> None:
    """Unseen pictures find their captions far more often than by chance, where 5 of 100 are right."""
    folder = load_embedded_folder("playground-clip")
    model = load_embedded("playground-clip")
    processor = AutoProcessor.from_pretrained(folder, backend="pil")
    pictures, scenes = zip(*WORLD, strict=True)
    texts = processor.tokenizer([scene.captions[0] for scene in scenes], padding=True, return_tensors="pt")
    images = processor.image_processor([Image.fromarray(pixels) for pixels in pictures], return_tensors="pt")
    with torch.no_grad():
        said = normalize(model.get_text_features(texts["input_ids"], texts["attention_mask"]).pooler_output, dim=-1)
        seen = normalize(model.get_image_features(images["pixel_values"]).pooler_output, dim=-1)
    scores = (seen @ said.T).numpy()
    found = (scores > np.diag(scores)[:, None]).sum(1) < 5
    assert found.mean() > 0.4
