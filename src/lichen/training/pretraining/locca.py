"""`playground-locca`: an encoder that learns from captions and boxes at once, and its twin that has captions alone.

A picture's tokens are computed once, and a decoder writes three sequences beside them: a caption, a box behind its
words, and words behind their box. All of each sequence behind its marker is learnt. The encoder is what is wanted; the
decoder is measured and kept beside it.

Source: LocCa, arXiv 2403.19596; decoders.md 2.1 to 2.6.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import CLIPImageProcessorPil, get_cosine_schedule_with_warmup

from ...backbones.embedded import register_architectures
from ...backbones.embedded.pooled_resnet import PooledResNetModel
from ...backbones.features import Features
from ...data.playground.dataset import Playground
from ...heads.decoder.config import DecoderConfig
from ...heads.decoder.decay import parameter_groups
from ...heads.decoder.head import TextHead
from ...heads.decoder.memory import Memory
from ...heads.decoder.reader import MemoryConfig, MemoryReader
from ...heads.given import Given
from ...language.codes import box_code
from ...language.tokenizer import Tokenizer
from .pictures import MEAN, STD, Drawn, Progress, drawn, encoder_config, shuffled
from .told import Told, described


@dataclass(frozen=True)
class LoccaSettings:
    """How the model is built and trained. Published values are those of decoders.md 2.6; these suit two CPU cores."""

    boxes: bool = True
    """False trains the twin: three captions a picture in place of a caption and two sequences with boxes."""
    seed: int = 0
    """Of weights and order. The playground's own seed is always 0."""
    pictures: int = 40_000
    """Of the playground's train split."""
    steps: int = 1_200
    """Updates."""
    batch: int = 64
    """Pictures in one update, with three sequences each."""
    lr: float = 1.5e-3
    """Peak learning rate of AdamW, cosine after 5 % warm-up."""
    weight_decay: float = 1e-4
    """On matrices and kernels, in the units of the paper: see `heads.decoder.decay`."""
    size: int = 96
    """Edge of the pictures in pixels."""
    channels: tuple[int, ...] = (48, 96, 224)
    """Of the encoder's stages, at strides 4, 8 and 16: those of playground-clip."""
    depths: tuple[int, ...] = (1, 1, 2)
    """Blocks of two convolutions in each stage."""
    width: int = 192
    """Of the decoder."""
    heads: int = 3
    """Of its attention."""
    layers: int = 2
    """Of the decoder."""
    vocabulary: int = 1024
    """Tokens of words."""
    bins: int = 48
    """Parts of a side of the picture that boxes are told apart by, a token each: two pixels. LocCa has 500."""
    context: int = 40
    """Tokens of a sequence at most."""
    parallel: float = 0.5
    """Share of the captions of which all tokens are predicted at once (decoders.md 2.4)."""


class Locca(nn.Module):
    """The encoder and the decoder beside it."""

    def __init__(self, settings: LoccaSettings, tokenizer: Tokenizer) -> None:
        super().__init__()
        register_architectures()
        self.encoder = PooledResNetModel(encoder_config(settings.channels, settings.depths, settings.size))
        given = Given("maps", settings.channels[-1], modality="image")
        config = DecoderConfig(
            vocabulary=tokenizer.vocabulary,
            layers=settings.layers,
            width=settings.width,
            heads=settings.heads,
            mlp=4 * settings.width,
            context=settings.context,
            dropout=0.0,
            label_smoothing=0.0,
        )
        self.head = TextHead(MemoryReader(given, MemoryConfig(positions=True)), config, settings.parallel)

    def features(self, pixels: Tensor) -> Features:
        """The last map of some pictures as a model sees them."""
        last = self.encoder(pixel_values=pixels).last_hidden_state
        return Features((last,), last, grid=(last.shape[2], last.shape[3]))

    def forward(self, pixels: Tensor, targets: dict[str, Tensor]) -> Tensor:
        """The mean loss over all sequences of a batch."""
        loss: Tensor = self.head(self.features(pixels), targets)["loss"]
        return loss

    def remember(self, pixels: Tensor) -> Memory:
        """What the decoder looks at."""
        return self.head.remember(self.features(pixels))


def make_processor(size: int) -> CLIPImageProcessorPil:
    """What prepares a user's picture for the encoder: squashed to a square, so that boxes keep their meaning."""
    edges = {"height": size, "width": size}
    return CLIPImageProcessorPil(
        size=edges, do_center_crop=False, image_mean=[MEAN] * 3, image_std=[STD] * 3, do_convert_rgb=True
    )


def learn_tokenizer(data: Drawn, settings: LoccaSettings) -> Tokenizer:
    """A tokenizer of captions, words of boxes and boxes."""
    texts = [text for scene in data.scenes for text in scene.captions]
    texts += [words for scene in data.scenes for words, _ in described(scene)]
    return Tokenizer.learn(texts, settings.vocabulary, box_code(bins=settings.bins))


def train_locca(
    settings: LoccaSettings, drawing: Progress | None = None, watch: Callable[[int, float], Any] | None = None
) -> tuple[Locca, Tokenizer, dict[str, float]]:
    """Train the model.

    Args:
        settings: of model and training.
        drawing: told how many pictures are drawn.
        watch: told the step and the loss, smoothed.

    Returns:
        The model in eval mode, its tokenizer, and facts: seconds of training and the last loss.
    """
    data = drawn(Playground(0, "train", settings.pictures, settings.size, settings.size), drawing)
    tokenizer = learn_tokenizer(data, settings)
    told = Told(data.scenes, tokenizer, settings.context, settings.boxes)
    torch.manual_seed(settings.seed)
    model = Locca(settings, tokenizer).train()
    # Pictures come with their channels last, and convolutions on a CPU are faster so.
    encoder: Any = model.encoder
    encoder.to(memory_format=torch.channels_last)
    groups = parameter_groups(model, settings.lr, settings.weight_decay)
    optimiser = torch.optim.AdamW(groups, lr=settings.lr, betas=(0.9, 0.98), fused=True)
    schedule = get_cosine_schedule_with_warmup(optimiser, settings.steps // 20, settings.steps)
    chance = np.random.default_rng(settings.seed)
    started, smooth = time.perf_counter(), float("nan")
    for step, rows in enumerate(shuffled(len(data), settings.batch, settings.steps, chance), 1):
        loss = model(data.batch(rows), told.draw(rows, chance))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        value = float(loss.detach())
        smooth = value if math.isnan(smooth) else 0.99 * smooth + 0.01 * value
        if watch is not None:
            watch(step, smooth)
    return model.eval(), tokenizer, {"seconds": time.perf_counter() - started, "loss": smooth}
