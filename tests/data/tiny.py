"""Tokenizers and image processors that need no files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import CLIPImageProcessorPil, CLIPProcessor, PreTrainedTokenizerFast
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

WORDS = ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "good", "bad", "film", "a")
END = "[END]"


def make_tokenizer(*, special: bool = True, types: tuple[int, int] = (0, 0), longest: int = 64) -> Any:
    """Words at blanks; [CLS] before and [SEP] behind, of the given token types; control characters are dropped."""
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if special:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"[CLS]:{types[0]} $A:{types[1]} [SEP]:{types[1]}", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        model_max_length=longest,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def make_processor(size: int = 16) -> Any:
    """Squeezes to a square and maps 0..255 to -1..1."""
    return ViTImageProcessorPil(size={"height": size, "width": size})


def make_clip_processor(words: Sequence[str] = WORDS[4:], size: int = 32) -> Any:
    """For the tiny CLIP of `families`: pictures squeezed to a square, and up to 45 words before its last token, 49."""
    known = {word: number for number, word in enumerate((*WORDS[:4], *words))} | {END: 49}
    tokenizer = Tokenizer(models.WordLevel(known, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"[CLS] $A {END}", special_tokens=[("[CLS]", 1), (END, 49)]
    )
    texts = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", eos_token=END, model_max_length=20
    )
    pictures = CLIPImageProcessorPil(size={"height": size, "width": size}, do_center_crop=False)
    return CLIPProcessor(pictures, texts)
