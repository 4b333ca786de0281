"""A decoder as a model of transformers: `generate(encoder_outputs=...)`, and a folder that Auto classes open.

    export_decoder(decoder, "captioner")

    register_decoder()                                         # in a program that has lichen installed
    model = AutoModelForSeq2SeqLM.from_pretrained("captioner")
    model.generate(encoder_outputs=BaseModelOutput(last_hidden_state=tokens))

The architecture is none that transformers has (no attention biases, an output bias, keys and values of another width),
so the folder needs lichen to open. Nothing in it is code.

Source: decoders.md 4.3, pitfalls 13 to 16 and 22.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, no_type_check

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForSeq2SeqLM,
    GenerationConfig,
    GenerationMixin,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.cache_utils import Cache, DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput

from ...errors import CheckpointError, InputError
from ...files import staged_folder, verify_folder
from .blocks import Reading
from .config import DecoderConfig
from .decoder import TextDecoder
from .loss import shift_right, text_losses
from .memory import Memory
from .sharing import Sharing

CARD = "README.md"
IGNORED = -100
"""Label of a token that does not count, as in all of transformers."""


@no_type_check  # transformers turns it into a dataclass that takes any keyword; run-time checks would refuse them.
class LichenDecoderConfig(PreTrainedConfig):
    """Settings of a `TextDecoder` and the width of the tokens that it looks at."""

    model_type = "lichen_decoder"
    is_encoder_decoder: bool = True
    tie_word_embeddings: bool = False

    vocab_size: int = 32_000
    num_hidden_layers: int = 2
    hidden_size: int = 768
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    max_position_embeddings: int = 64
    dropout: float = 0.1
    label_smoothing: float = 0.1
    tied_output: bool = False
    use_bias: bool = True
    pad_token_id: int = 0
    eos_token_id: int = 1
    encoder_hidden_size: int = 768


NAMES = {
    "vocabulary": "vocab_size",
    "layers": "num_hidden_layers",
    "width": "hidden_size",
    "heads": "num_attention_heads",
    "mlp": "intermediate_size",
    "context": "max_position_embeddings",
    "dropout": "dropout",
    "label_smoothing": "label_smoothing",
    "tied": "tied_output",
    "bias": "use_bias",
    "pad": "pad_token_id",
    "end": "eos_token_id",
}
"""Settings of `DecoderConfig`, and what transformers calls them. Its own tying of weights is left off: a tied decoder
has no second matrix to tie."""


class LichenDecoderForConditionalGeneration(PreTrainedModel, GenerationMixin):
    """A `TextDecoder` for those who decode with transformers. There is no encoder: hand over its output."""

    config_class = LichenDecoderConfig
    base_model_prefix = "lichen_decoder"
    main_input_name = "input_ids"
    _supports_sdpa = True

    def __init__(self, config: LichenDecoderConfig) -> None:
        super().__init__(config)
        own = DecoderConfig(**{name: getattr(config, theirs) for name, theirs in NAMES.items()})
        self.decoder = TextDecoder(own, config.encoder_hidden_size)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, TextDecoder):
            module.reset_parameters()

    def get_encoder(self, modality: str | None = None) -> nn.Module:
        """There is none.

        Raises:
            InputError: always.
        """
        raise InputError(_NO_ENCODER)

    def get_input_embeddings(self) -> nn.Module:
        """The token embedding; its last row is the hidden input."""
        return self.decoder.embedding

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Int[Tensor, "rows new"] | None = None,
        decoder_attention_mask: Int[Tensor, "rows all"] | Bool[Tensor, "rows all"] | None = None,
        encoder_outputs: BaseModelOutput | tuple[Tensor, ...] | None = None,
        past_key_values: EncoderDecoderCache | None = None,
        labels: Int[Tensor, "rows length"] | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 0,
        return_dict: bool | None = None,
        **unused: Any,
    ) -> Seq2SeqLMOutput | tuple[Tensor, ...]:
        """Scores of the next tokens.

        Args:
            input_ids: not read; `generate` makes some up.
            attention_mask: (rows, tokens), 1 where a token of the encoder is real.
            decoder_input_ids: the start token, prompt and answer so far; with a cache only what is new.
            decoder_attention_mask: 0 where `decoder_input_ids`, those in the cache included, are padding on the left.
            encoder_outputs: whose `last_hidden_state` holds the backbone's tokens, a row a text.
            past_key_values: an `EncoderDecoderCache`.
            labels: what should be written; -100 or the pad token where nothing counts. Gives the library's loss: mean
                over each text, label smoothing, then mean over texts.
            use_cache: keep keys and values; False while labels are given.
            logits_to_keep: only the last so many positions; 0 keeps all.
            return_dict: return a tuple when False.

        Raises:
            InputError: no tokens of an encoder, or neither inputs nor labels.
        """
        config = self.decoder.config
        if encoder_outputs is None:
            raise InputError(_NO_ENCODER)
        tokens = encoder_outputs[0]
        if labels is not None:
            labels = labels.masked_fill(labels == IGNORED, config.pad)
            if decoder_input_ids is None:
                decoder_input_ids = shift_right(labels, config.pad)
        if decoder_input_ids is None:
            raise InputError("Give decoder_input_ids, which begin with the start token, or labels.")
        if use_cache and labels is None and past_key_values is None:
            past_key_values = EncoderDecoderCache(DynamicCache(), DynamicCache())
        memory = self._memory(tokens, attention_mask, past_key_values)
        hidden = self._hidden(decoder_input_ids, memory, decoder_attention_mask, past_key_values)
        logits = self.decoder.logits(hidden[:, -logits_to_keep:] if logits_to_keep else hidden)
        loss = None
        if labels is not None:
            smoothing = config.label_smoothing
            loss = text_losses(logits, labels, smoothing=smoothing, pad=config.pad).mean()
        output = Seq2SeqLMOutput(
            loss=loss, logits=logits, past_key_values=past_key_values, encoder_last_hidden_state=tokens
        )
        return output.to_tuple() if return_dict is False else output

    def _memory(self, tokens: Tensor, mask: Tensor | None, past: EncoderDecoderCache | None) -> Memory:
        """Keys and values of the picture: out of the cache, or made and put there."""
        real = None if mask is None else mask.bool()
        if past is None:
            return self.decoder.remember(tokens, real)
        if not past.is_updated.get(0):
            made = self.decoder.remember(tokens, real)
            for layer, (keys, values) in enumerate(zip(made.keys, made.values, strict=True)):
                past.cross_attention_cache.update(keys, values, layer)
                past.is_updated[layer] = True
        layers: Any = past.cross_attention_cache.layers
        return Memory(tuple(each.keys for each in layers), tuple(each.values for each in layers), real)

    def _hidden(self, ids: Tensor, memory: Memory, real: Tensor | None, past: EncoderDecoderCache | None) -> Tensor:
        rows, new = ids.shape
        before = 0 if past is None else past.get_seq_length()
        if before + new > self.decoder.config.context:
            raise InputError(
                f"A text of {before + new} tokens does not fit into a context of {self.decoder.config.context}. Lower "
                "max_length or shorten the prompt."
            )
        places = torch.arange(before + new, device=ids.device)
        positions = places[before:].expand(rows, new)
        mask = (places <= places[before:, None])[None, None].expand(rows, 1, new, before + new)
        if real is not None:
            real = real.bool()
            positions = (real.cumsum(1) - 1).clamp(min=0)[:, before:]
            # Padding looks at itself, so that no position is without anything to look at.
            mask = (mask & real[:, None, None]) | (places == places[before:, None])
        cache = None if past is None else _Kept(past.self_attention_cache)
        return self.decoder.run(ids, positions, Reading(memory, Sharing(rows, 1), mask, cache=cache))


class _Kept:
    """A cache of transformers as the decoder's layers use one."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        found = self.cache.update(keys, values, layer)
        return found[0], found[1]


def for_transformers(prompt: Int[Tensor, "rows length"], pad: int) -> dict[str, Int[Tensor, "rows padded"]]:
    """Prompts of different lengths as `generate` takes them: start token first, padding on the left, and a mask.

    transformers would take the padding for start tokens, which have the same id, and leave the real ones out.

    Args:
        prompt: ids without a start token, padded on either side with `pad`.
        pad: id of padding and of the start.

    Returns:
        `decoder_input_ids` and `decoder_attention_mask`, for `generate(**…)`.
    """
    real = prompt != pad
    order = real.to(torch.uint8).argsort(dim=1, stable=True)
    ids, lengths = prompt.gather(1, order), real.sum(1)
    ids = torch.cat([ids.new_full((len(ids), 1), pad), ids], 1)
    places = torch.arange(ids.shape[1], device=ids.device)
    mask = (places >= (ids.shape[1] - 1 - lengths)[:, None]).long()
    return {"decoder_input_ids": ids, "decoder_attention_mask": mask}


def to_transformers(decoder: TextDecoder) -> LichenDecoderForConditionalGeneration:
    """The same decoder, its weights shared, as a model of transformers in eval mode."""
    own = decoder.config
    values = {theirs: getattr(own, name) for name, theirs in NAMES.items()}
    values |= {"encoder_hidden_size": decoder.memory_width, "decoder_start_token_id": own.pad}
    config = LichenDecoderConfig(**values)
    with torch.device("meta"):
        model = LichenDecoderForConditionalGeneration(config)
    model.decoder = decoder
    # The last token of a text is never read, so a text may be one longer than the context.
    model.generation_config = GenerationConfig(
        max_length=own.context + 1,
        suppress_tokens=[own.pad],
        pad_token_id=own.pad,
        eos_token_id=own.end,
        decoder_start_token_id=own.pad,
    )
    return model.eval()


def register_decoder() -> None:
    """Make the Auto classes of transformers know the architecture. Calling it again changes nothing."""
    AutoConfig.register(LichenDecoderConfig.model_type, LichenDecoderConfig, exist_ok=True)
    AutoModelForSeq2SeqLM.register(LichenDecoderConfig, LichenDecoderForConditionalGeneration, exist_ok=True)


def export_decoder(decoder: TextDecoder, folder: str | os.PathLike[str]) -> None:
    """Write a Hugging Face model folder: weights, settings, generation settings, a card, digests.

    A tokenizer that lies in the folder, or is put there afterwards, stays.

    Args:
        decoder: trained.
        folder: made if needed.

    Raises:
        InputError: the folder cannot be written.
    """
    with staged_folder(Path(folder), unlisted=[CARD]) as stage:
        to_transformers(decoder).save_pretrained(stage)
        (stage / CARD).write_text(
            _CARD.format(
                parameters=sum(each.numel() for each in decoder.parameters()),
                width=decoder.memory_width,
                layers=decoder.config.layers,
                context=decoder.config.context,
            ),
            encoding="utf-8",
        )


def import_decoder(folder: str | os.PathLike[str]) -> TextDecoder:
    """The decoder of such a folder, in eval mode and in float32.

    Raises:
        CheckpointError: a file is missing, was altered, or does not describe a decoder.
    """
    verify_folder(Path(folder))
    try:
        loaded: Any = LichenDecoderForConditionalGeneration.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, output_loading_info=True
        )
    except (InputError, OSError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{str(folder)!r} does not hold an exported decoder: {error}") from error
    model, found = loaded
    if wrong := {kind: sorted(map(str, names)) for kind, names in found.items() if names}:
        raise CheckpointError(f"The weights in {str(folder)!r} do not fit their settings: {wrong}.")
    decoder: TextDecoder = model.decoder.eval()
    return decoder


_NO_ENCODER = (
    "This model has no encoder. Give generate(encoder_outputs=BaseModelOutput(last_hidden_state=tokens)), where tokens "
    "are the un-pooled ones of the backbone that it was trained beside."
)
_CARD = """---
library_name: transformers
tags: [lichen, image-to-text, frozen-backbone]
---

# A text decoder of Lichen

{layers} layers, {parameters:,} parameters. It looks at the un-pooled tokens ({width} channels) of the frozen backbone
that it was trained beside, and writes texts of up to {context} tokens.

```python
from transformers import AutoModelForSeq2SeqLM
from transformers.modeling_outputs import BaseModelOutput
from lichen.heads.decoder.export import register_decoder

register_decoder()
model = AutoModelForSeq2SeqLM.from_pretrained("this folder")
ids = model.generate(encoder_outputs=BaseModelOutput(last_hidden_state=tokens))
```

Prompts go into `decoder_input_ids`; where their lengths differ, `for_transformers` of the same module prepares them.
For beam search as in the papers, by the plain sum of log-probabilities, give `length_penalty=0.0`.
"""
