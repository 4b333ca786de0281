"""A tokenizer of the playground's language: byte pairs learnt from its captions; any other text is spelt out."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

START, END, PAD = "<start>", "<end>", "<pad>"


def learn_tokenizer(texts: Iterable[str], vocabulary: int, most: int) -> PreTrainedTokenizerFast:
    """Learn a tokenizer. Letters are read as small ones.

    Args:
        texts: to learn from.
        vocabulary: tokens at most; 256 of them are bytes.
        most: tokens of a text, start and end included; longer texts are cut.
    """
    inner = Tokenizer(models.BPE())
    inner.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[START, END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(texts, trainer)
    ids = [(name, inner.token_to_id(name)) for name in (START, END)]
    inner.post_processor = processors.TemplateProcessing(f"{START} $A {END}", special_tokens=ids)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token=START, eos_token=END, pad_token=PAD, model_max_length=most
    )
