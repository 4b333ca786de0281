"""A ResNet whose pooled output is one vector a picture, so that it can be a tower of `VisionTextDualEncoderModel`.

The first CLIP had a ResNet for one of its towers (Radford et al. 2021, §2.4); transformers' CLIPModel has none, and its
dual encoder takes any model with a `hidden_size` and a flat pooled output, which its ResNet lacks.
"""

from __future__ import annotations

from typing import Any, no_type_check

from torch import nn
from transformers import ResNetConfig, ResNetModel


@no_type_check  # transformers turns it into a dataclass that takes any keyword; run-time checks would refuse them.
class PooledResNetConfig(ResNetConfig):
    """Settings of a ResNet, see `ResNetConfig`; one entry a stage in `hidden_sizes` and `depths`."""

    model_type = "lichen_pooled_resnet"

    image_size: int = 224

    @property
    def hidden_size(self) -> int:
        """Width of the pooled output: that of the last stage."""
        width: int = self.hidden_sizes[-1]  # type: ignore[index]
        return width


class PooledResNetModel(ResNetModel):
    """`ResNetModel` with `pooler_output` of shape (batch, channels of the last stage): the mean over the last map."""

    config_class = PooledResNetConfig

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.pooler = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())  # type: ignore[assignment]
