"""What `playground-clip` can do on pictures that it has not seen: find captions and pictures, name what boxes hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedTokenizerFast, VisionTextDualEncoderModel

from ...data.playground.dataset import Playground
from ...data.playground.world import CLASSES
from ...regions.crops import resampled_crops
from .pictures import Drawn, drawn, to_model

_AT_ONCE = 256
CROP_PROMPTS = ("a {}", "there is a {}", "a picture of a {}")
"""Zero-shot classification takes the mean over these."""


@torch.inference_mode()
def embed_pictures(
    model: VisionTextDualEncoderModel, pixels: Float[Tensor, "pictures 3 height width"]
) -> Float[Tensor, "pictures d"]:
    """Unit vectors of pictures."""
    found = [model.get_image_features(pixel_values=some).pooler_output for some in pixels.split(_AT_ONCE)]
    return torch.nn.functional.normalize(torch.cat(found), dim=-1)


@torch.inference_mode()
def embed_texts(
    model: VisionTextDualEncoderModel, tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]
) -> Float[Tensor, "texts d"]:
    """Unit vectors of texts."""
    found = []
    for start in range(0, len(texts), _AT_ONCE):
        some = tokenizer(list(texts[start : start + _AT_ONCE]), padding=True, truncation=True, return_tensors="pt")
        some.pop("token_type_ids", None)
        found.append(model.get_text_features(**some).pooler_output)
    return torch.nn.functional.normalize(torch.cat(found), dim=-1)


def measure_clip(
    model: VisionTextDualEncoderModel, tokenizer: PreTrainedTokenizerFast, split: str, pictures: int, size: int
) -> dict[str, float]:
    """What the model can do on pictures that it has not seen: retrieval by the first caption, and naming crops.

    Args:
        model, tokenizer: trained.
        split: of the playground.
        pictures: how many.
        size: of the pictures, their edge in pixels.

    Returns:
        R@1 and R@5 in per cent of captions that find their picture and of pictures that find their caption, among so
        many; per cent of the entities' crops whose class of all is named; how many crops there were.
    """
    data = drawn(Playground(0, split, pictures, size, size))
    images = embed_pictures(model, data.batch(np.arange(len(data))))
    texts = embed_texts(model, tokenizer, [scene.captions[0] for scene in data.scenes])
    found = {"pictures": float(len(data)), **_recalls(texts @ images.T, "text_to_image")}
    found |= _recalls(images @ texts.T, "image_to_text")
    return found | _name_crops(model, tokenizer, data, size)


def _recalls(scores: Float[Tensor, "queries answers"], name: str) -> dict[str, float]:
    """R@1 and R@5 where answer i is right for query i."""
    better = (scores > scores.diag()[:, None]).sum(1)
    return {f"{name}_r{best}": 100 * float((better < best).float().mean()) for best in (1, 5)}


def _name_crops(
    model: VisionTextDualEncoderModel, tokenizer: PreTrainedTokenizerFast, data: Drawn, size: int
) -> dict[str, float]:
    """Zero-shot classification of what the entities' boxes hold."""
    names = list(CLASSES)
    crops: list[Tensor] = []
    truths: list[int] = []
    for row, scene in enumerate(data.scenes):
        known = [entity for entity in scene.entities if entity.box is not None and entity.label in names]
        pixels = to_model(torch.from_numpy(np.array(data.pixels[row : row + 1])))[0]
        boxes = torch.tensor([entity.box for entity in known]).reshape(-1, 4)
        crops.append(resampled_crops(pixels, boxes, size))
        truths += [names.index(str(entity.label)) for entity in known]
    prompts = [embed_texts(model, tokenizer, [prompt.format(name) for name in names]) for prompt in CROP_PROMPTS]
    classes = torch.stack(prompts).mean(0)
    answers = (embed_pictures(model, torch.cat(crops)) @ classes.T).argmax(1)
    right = (answers == torch.tensor(truths)).float()
    return {"crops": float(len(truths)), "crop_accuracy": 100 * float(right.mean()), "classes": float(len(names))}
