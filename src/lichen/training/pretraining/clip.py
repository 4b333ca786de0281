"""`playground-clip`: a small dual encoder that learns from the playground's captions alone.

A ResNet and a text transformer meet in one space, as in the first CLIP (Radford et al. 2021, §2). A second loss asks
the pooled picture for the words of all its captions: on few pictures it speeds the learning up (Mehta et al. 2024,
CatLIP). Its layer is thrown away afterwards. `measuring.py` says what the model can do.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import (
    CLIPImageProcessorPil,
    CLIPTextConfig,
    PreTrainedTokenizerFast,
    VisionTextDualEncoderConfig,
    VisionTextDualEncoderModel,
    VisionTextDualEncoderProcessor,
)

from ...backbones.embedded import register_architectures
from ...data.playground.dataset import Playground
from .pictures import MEAN, STD, Drawn, Progress, drawn, encoder_config, shuffled
from .words import learn_tokenizer

_MOST_SCALE = math.log(100)
"""Of the logarithm of the similarities' scale (Radford et al. 2021, §2.5)."""


@dataclass(frozen=True)
class ClipSettings:
    """How the model is built and trained."""

    seed: int = 0
    """Of weights and order. The playground's own seed is always 0."""
    pictures: int = 40_000
    """Of the playground's train split."""
    steps: int = 2_500
    """Updates."""
    batch: int = 64
    """Pictures in one update."""
    lr: float = 2e-3
    """Peak learning rate of AdamW, cosine after 5 % warm-up."""
    weight_decay: float = 0.1
    """On matrices and kernels."""
    words: float = 1.0
    """Weight of the loss of the captions' words; 0 leaves it out."""
    size: int = 96
    """Edge of the pictures in pixels."""
    channels: tuple[int, ...] = (48, 96, 224)
    """Of the stages of the convolutional network, at strides 4, 8 and 16."""
    depths: tuple[int, ...] = (1, 1, 2)
    """Blocks of two convolutions in each stage."""
    width: int = 192
    """Of the text transformer."""
    heads: int = 3
    """Of its attention."""
    layers: int = 2
    """Of the text transformer."""
    projection: int = 128
    """Width of the common space."""
    vocabulary: int = 1024
    """Tokens."""
    tokens: int = 40
    """Longest text."""


def make_clip(settings: ClipSettings, tokenizer: PreTrainedTokenizerFast) -> VisionTextDualEncoderModel:
    """The model with fresh weights."""
    register_architectures()
    text = CLIPTextConfig(
        hidden_size=settings.width,
        intermediate_size=4 * settings.width,
        num_attention_heads=settings.heads,
        num_hidden_layers=settings.layers,
        hidden_act="gelu",
        vocab_size=len(tokenizer),
        max_position_embeddings=settings.tokens,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    vision = encoder_config(settings.channels, settings.depths, settings.size)
    torch.manual_seed(settings.seed)
    return VisionTextDualEncoderModel(
        VisionTextDualEncoderConfig.from_vision_text_configs(vision, text, projection_dim=settings.projection)
    )


def make_processor(size: int, tokenizer: PreTrainedTokenizerFast) -> VisionTextDualEncoderProcessor:
    """What prepares a user's pictures and texts for the model."""
    pictures = CLIPImageProcessorPil(
        size={"shortest_edge": size},
        crop_size={"height": size, "width": size},
        image_mean=[MEAN] * 3,
        image_std=[STD] * 3,
    )
    # Training has left its own in the tokenizer; they would be saved with it.
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    return VisionTextDualEncoderProcessor(image_processor=pictures, tokenizer=tokenizer)


class Captions:
    """All captions of some pictures as padded token ids; a batch draws one of each picture's."""

    def __init__(self, of: Drawn, tokenizer: PreTrainedTokenizerFast, most: int) -> None:
        texts = [caption for scene in of.scenes for caption in scene.captions]
        self.first = np.cumsum([0, *(len(scene.captions) for scene in of.scenes)])
        self.tokens = tokenizer(texts, padding="max_length", truncation=True, max_length=most, return_tensors="pt")
        self.weights = _rarity(self.tokens["input_ids"], len(tokenizer))
        self.weights[torch.tensor(tokenizer.all_special_ids)] = 0.0

    def draw(self, rows: np.ndarray, chance: np.random.Generator) -> dict[str, Tensor]:
        """Token ids and masks of one caption of each picture, without needless padding."""
        places = torch.from_numpy(chance.integers(self.first[rows], self.first[rows + 1]))
        mask = self.tokens["attention_mask"][places]
        longest = int(mask.sum(1).max())
        return {"input_ids": self.tokens["input_ids"][places, :longest], "attention_mask": mask[:, :longest]}

    def words(self, rows: np.ndarray) -> Float[Tensor, "pictures vocabulary"]:
        """Which tokens the captions of each picture hold, as shares of one; rare tokens weigh more."""
        lengths = torch.from_numpy(self.first[rows + 1] - self.first[rows])
        starts = torch.from_numpy(self.first[rows])
        picture = torch.arange(len(rows)).repeat_interleave(lengths)
        place = torch.arange(len(picture)) - (lengths.cumsum(0) - lengths)[picture] + starts[picture]
        held = torch.zeros(len(rows), len(self.weights))
        held[picture[:, None], self.tokens["input_ids"][place]] = 1.0
        held *= self.weights
        return held / held.sum(1, keepdim=True)


def _rarity(ids: Int[Tensor, "texts length"], vocabulary: int) -> Float[Tensor, " vocabulary"]:
    """Inverse document frequency: the logarithm of how many texts there are for one that holds the token."""
    held = torch.zeros(vocabulary)
    for some in ids.split(4096):
        held += torch.zeros(len(some), vocabulary).scatter_(1, some, 1.0).sum(0)
    return (len(ids) / held.clamp(min=1)).log()


def train_clip(
    settings: ClipSettings, drawing: Progress | None = None, watch: Callable[[int, float], Any] | None = None
) -> tuple[VisionTextDualEncoderModel, PreTrainedTokenizerFast, dict[str, float]]:
    """Train the model.

    Args:
        settings: of model and training.
        drawing: told how many pictures are drawn.
        watch: told the step and the contrastive loss, smoothed.

    Returns:
        The model in eval mode, its tokenizer, and facts: seconds of training and the last contrastive loss.
    """
    data = drawn(Playground(0, "train", settings.pictures, settings.size, settings.size), drawing)
    texts = (caption for scene in data.scenes for caption in scene.captions)
    tokenizer = learn_tokenizer(texts, settings.vocabulary, settings.tokens)
    captions = Captions(data, tokenizer, settings.tokens)
    model = make_clip(settings, tokenizer).train()
    # Pictures come with their channels last, and convolutions on a CPU are faster so.
    model.vision_model.to(memory_format=torch.channels_last)
    speller = nn.Linear(settings.channels[-1], len(tokenizer))
    optimiser, schedule = _optimiser(nn.ModuleList([model, speller]), settings)
    chance = np.random.default_rng(settings.seed)
    started, smooth = time.perf_counter(), float("nan")
    for step, rows in enumerate(shuffled(len(data), settings.batch, settings.steps, chance), 1):
        matching, spelling = _losses(model, speller, data, captions, rows, chance)
        (matching + settings.words * spelling).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        with torch.no_grad():
            model.logit_scale.clamp_(max=_MOST_SCALE)
        value = float(matching.detach())
        smooth = value if math.isnan(smooth) else 0.99 * smooth + 0.01 * value
        if watch is not None:
            watch(step, smooth)
    return model.eval(), tokenizer, {"seconds": time.perf_counter() - started, "loss": smooth}


def _losses(
    model: VisionTextDualEncoderModel,
    speller: nn.Module,
    data: Drawn,
    captions: Captions,
    rows: np.ndarray,
    chance: np.random.Generator,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """How badly pictures and captions find each other, and how badly the words are told from the pictures."""
    pooled = model.vision_model(pixel_values=data.batch(rows)).pooler_output
    pictures = nn.functional.normalize(model.visual_projection(pooled), dim=-1)
    texts = nn.functional.normalize(model.get_text_features(**captions.draw(rows, chance)).pooler_output, dim=-1)
    logits = model.logit_scale.exp() * texts @ pictures.T
    own = torch.arange(len(rows))
    matching = (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2
    return matching, cross_entropy(speller(pooled), captions.words(rows))


def _optimiser(model: nn.Module, settings: ClipSettings) -> tuple[torch.optim.Optimizer, Any]:
    from transformers import get_cosine_schedule_with_warmup

    matrices = [value for value in model.parameters() if value.ndim > 1]
    others = [value for value in model.parameters() if value.ndim < 2]
    groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=settings.lr, betas=(0.9, 0.98), fused=True)
    return optimiser, get_cosine_schedule_with_warmup(optimiser, settings.steps // 20, settings.steps)
