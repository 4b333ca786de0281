"""EfficientNet-Lite in transformers style.

EfficientNet (Tan and Le, arXiv 1905.11946) without squeeze-and-excitation and with ReLU6 for Swish; stem and head keep
their width at every scale. Convolutions pad as TensorFlow's "SAME" does: the output of stride s has ceil(size / s)
rows, and an odd padding puts the extra row at the bottom and the extra column at the right.
"""

from __future__ import annotations

from typing import no_type_check

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import (
    BaseModelOutputWithPoolingAndNoAttention,
    ImageClassifierOutputWithNoAttention,
)

from ...errors import InputError


@no_type_check  # transformers turns it into a dataclass that takes any keyword; run-time checks would refuse them.
class EfficientNetLiteConfig(PreTrainedConfig):
    """Settings of an EfficientNet-Lite; the defaults are Lite0. One entry a stage in every tuple."""

    model_type = "lichen_efficientnet_lite"

    num_channels: int = 3
    image_size: int = 224
    stem_size: int = 32
    hidden_sizes: list[int] | tuple[int, ...] = (16, 24, 40, 80, 112, 192, 320)
    depths: list[int] | tuple[int, ...] = (1, 2, 2, 3, 3, 4, 1)
    kernel_sizes: list[int] | tuple[int, ...] = (3, 3, 5, 3, 5, 5, 3)
    strides: list[int] | tuple[int, ...] = (1, 2, 2, 2, 1, 2, 1)
    expand_ratios: list[int] | tuple[int, ...] = (1, 6, 6, 6, 6, 6, 6)
    hidden_dim: int = 1280
    batch_norm_eps: float = 1e-3
    batch_norm_momentum: float = 0.01
    dropout_rate: float = 0.2
    drop_connect_rate: float = 0.2
    initializer_range: float = 0.02


class SameConv2d(nn.Conv2d):
    """Convolution whose padding follows the size of its input, as TensorFlow's "SAME".

    Arguments are those of nn.Conv2d, whose own `padding` comes on top: PEFT makes LoRA's convolutions by the class of
    the one that they adapt.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] = 0,
        groups: int = 1,
        bias: bool = False,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=bias)  # type: ignore[arg-type]

    def forward(self, input: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, "batch out h w"]:
        """Pad each axis to what ceil(size / stride) outputs need, then convolve."""
        pads: list[int] = []
        for axis in (1, 0):  # functional.pad wants the last axis first.
            size, kernel, stride = input.shape[2 + axis], self.kernel_size[axis], self.stride[axis]
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(functional.pad(input, pads) if any(pads) else input)


class ConvNorm(nn.Module):
    """Convolution, batch normalisation and, unless `linear`, ReLU6."""

    def __init__(
        self,
        config: EfficientNetLiteConfig,
        channels: tuple[int, int],
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.convolution = SameConv2d(*channels, kernel, stride, groups=groups)
        self.normalization = nn.BatchNorm2d(channels[1], eps=config.batch_norm_eps, momentum=config.batch_norm_momentum)
        self.activation = nn.Identity() if linear else nn.ReLU6()

    def forward(self, hidden: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, "batch out h w"]:
        """Apply the three in turn."""
        output: Tensor = self.activation(self.normalization(self.convolution(hidden)))
        return output


class InvertedResidual(nn.Module):
    """Widen, filter each channel, project; add the input where shapes agree (arXiv 1801.04381, section 3.3)."""

    def __init__(
        self, config: EfficientNetLiteConfig, stage: int, channels: tuple[int, int], stride: int, drop_rate: float
    ) -> None:
        super().__init__()
        inner = channels[0] * config.expand_ratios[stage]
        kernel = config.kernel_sizes[stage]
        self.expand = ConvNorm(config, (channels[0], inner)) if inner != channels[0] else nn.Identity()
        self.depthwise = ConvNorm(config, (inner, inner), kernel, stride, groups=inner)
        self.project = ConvNorm(config, (inner, channels[1]), linear=True)
        self.skips = stride == 1 and channels[0] == channels[1]
        self.drop_rate = drop_rate

    def forward(self, hidden: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, "batch out h w"]:
        """Apply the block. In training whole samples lose the branch with probability `drop_rate`."""
        output: Tensor = self.project(self.depthwise(self.expand(hidden)))
        if not self.skips:
            return output
        if self.training and self.drop_rate > 0:
            keep = 1 - self.drop_rate
            output = output * output.new_empty(len(output), 1, 1, 1).bernoulli_(keep) / keep
        return output + hidden


class EfficientNetLiteStage(nn.Module):
    """Blocks of one width; the first changes width and resolution."""

    def __init__(self, config: EfficientNetLiteConfig, stage: int) -> None:
        super().__init__()
        sizes = (config.stem_size, *config.hidden_sizes)
        first, total = sum(config.depths[:stage]), sum(config.depths)
        self.layers = nn.ModuleList(
            InvertedResidual(
                config,
                stage,
                (sizes[stage] if block == 0 else sizes[stage + 1], sizes[stage + 1]),
                config.strides[stage] if block == 0 else 1,
                # Stochastic depth grows linearly with depth (arXiv 1603.09382).
                config.drop_connect_rate * (first + block) / total,
            )
            for block in range(config.depths[stage])
        )

    def forward(self, hidden: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, "batch out h w"]:
        """Apply the blocks in turn."""
        for layer in self.layers:
            hidden = layer(hidden)
        return hidden


class EfficientNetLiteEncoder(nn.Module):
    """All stages, shallow to deep."""

    def __init__(self, config: EfficientNetLiteConfig) -> None:
        super().__init__()
        self.stages = nn.ModuleList(EfficientNetLiteStage(config, stage) for stage in range(len(config.depths)))

    def forward(self, hidden: Float[Tensor, "batch channels rows columns"]) -> tuple[Tensor, ...]:
        """The input followed by the output of every stage, each `(batch, width, rows, columns)`."""
        states = [hidden]
        for stage in self.stages:
            states.append(stage(states[-1]))
        return tuple(states)


class EfficientNetLitePooler(ConvNorm):
    """The head convolution and the mean over the grid: the last stage's map to one vector a picture."""

    def __init__(self, config: EfficientNetLiteConfig) -> None:
        super().__init__(config, (config.hidden_sizes[-1], config.hidden_dim))

    def forward(self, hidden: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, "batch out 1 1"]:
        """`(batch, 320, rows, columns)` to `(batch, 1280, 1, 1)` for Lite0."""
        return super().forward(hidden).mean(dim=(2, 3), keepdim=True)


class EfficientNetLitePreTrainedModel(PreTrainedModel):
    """Base class: names that transformers needs for loading and saving."""

    config_class = EfficientNetLiteConfig
    base_model_prefix = "efficientnet_lite"
    main_input_name = "pixel_values"
    input_modalities = "image"


class EfficientNetLiteModel(EfficientNetLitePreTrainedModel):
    """The convolutional trunk. `pooler` may be applied again to an adapted last hidden state."""

    _keys_to_ignore_on_load_unexpected = [r"^classifier\."]  # noqa: RUF012 (declared as a list by transformers)

    def __init__(self, config: EfficientNetLiteConfig) -> None:
        super().__init__(config)
        self.embeddings = ConvNorm(config, (config.num_channels, config.stem_size), kernel=3, stride=2)
        self.encoder = EfficientNetLiteEncoder(config)
        self.pooler = EfficientNetLitePooler(config)
        self.post_init()

    def forward(
        self,
        pixel_values: Float[Tensor, "batch channels rows columns"] | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> BaseModelOutputWithPoolingAndNoAttention | tuple[Tensor, Tensor, *tuple[tuple[Tensor, ...], ...]]:
        """Compute the maps of all stages.

        Args:
            pixel_values: normalised pictures of any size, `(batch, 3, rows, columns)`.
            output_hidden_states: also return the stem's output and that of every stage (8 maps for Lite0).
            return_dict: return a tuple when False.

        Returns:
            `last_hidden_state` `(batch, 320, rows / 32, columns / 32)`, the output of the last stage before the head
            convolution; `pooler_output` `(batch, 1280, 1, 1)`; `hidden_states`, a tuple, on request.

        Raises:
            InputError: there are no pictures, or they have another number of channels than the stem.
        """
        if pixel_values is None or pixel_values.shape[1] != self.config.num_channels:
            found = "none" if pixel_values is None else f"pixel_values of shape {tuple(pixel_values.shape)}"
            raise InputError(
                f"EfficientNet-Lite reads {self.config.num_channels} channels; got {found}. "
                "Give (batch, channels, rows, columns)."
            )
        wants_states = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        wants_dict = self.config.return_dict if return_dict is None else return_dict
        states = self.encoder(self.embeddings(pixel_values))
        pooled = self.pooler(states[-1])
        if not wants_dict:
            return (states[-1], pooled, states) if wants_states else (states[-1], pooled)
        return BaseModelOutputWithPoolingAndNoAttention(
            last_hidden_state=states[-1], pooler_output=pooled, hidden_states=states if wants_states else None
        )


class EfficientNetLiteForImageClassification(EfficientNetLitePreTrainedModel):
    """The trunk with a linear classifier on the pooled vector."""

    def __init__(self, config: EfficientNetLiteConfig) -> None:
        super().__init__(config)
        self.efficientnet_lite = EfficientNetLiteModel(config)
        self.dropout = nn.Dropout(config.dropout_rate)
        self.num_labels = config.num_labels or 0
        self.classifier = nn.Linear(config.hidden_dim, self.num_labels)
        self.post_init()

    def forward(
        self,
        pixel_values: Float[Tensor, "batch channels rows columns"] | None = None,
        labels: Int[Tensor, " batch"] | Float[Tensor, "batch ..."] | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> ImageClassifierOutputWithNoAttention | tuple[Tensor | tuple[Tensor, ...], ...]:
        """Classify pictures.

        Returns:
            `logits` `(batch, labels)`; `loss`, a scalar, when `labels` are given; `hidden_states` on request.

        Raises:
            InputError: the pictures have another number of channels than the stem.
        """
        wants_dict = self.config.return_dict if return_dict is None else return_dict
        outputs = self.efficientnet_lite(pixel_values, output_hidden_states=output_hidden_states, return_dict=True)
        logits = self.classifier(self.dropout(outputs.pooler_output.flatten(1)))
        loss = None if labels is None else self.loss_function(labels, logits, self.config)
        if not wants_dict:
            return tuple(value for value in (loss, logits, outputs.hidden_states) if value is not None)
        return ImageClassifierOutputWithNoAttention(loss=loss, logits=logits, hidden_states=outputs.hidden_states)
