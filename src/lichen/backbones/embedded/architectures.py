"""Makes the Auto classes of transformers know the architectures that Lichen brings."""

from __future__ import annotations

from transformers import AutoConfig, AutoModel, AutoModelForImageClassification

from .efficientnet_lite import EfficientNetLiteConfig, EfficientNetLiteForImageClassification, EfficientNetLiteModel
from .pooled_resnet import PooledResNetConfig, PooledResNetModel


def register_architectures() -> None:
    """Make the Auto classes know EfficientNet-Lite and the pooled ResNet. Calling it again changes nothing."""
    for config, model in ((EfficientNetLiteConfig, EfficientNetLiteModel), (PooledResNetConfig, PooledResNetModel)):
        AutoConfig.register(config.model_type, config, exist_ok=True)
        AutoModel.register(config, model, exist_ok=True)
    AutoModelForImageClassification.register(
        EfficientNetLiteConfig, EfficientNetLiteForImageClassification, exist_ok=True
    )
