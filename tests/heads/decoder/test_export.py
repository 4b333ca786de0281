"""The decoder as a model of transformers: it writes what ours writes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForSeq2SeqLM, PrefixConstrainedLogitsProcessor
from transformers.modeling_outputs import BaseModelOutput

from lichen.errors import CheckpointError, InputError
from lichen.heads.decoder.answers import Answers
from lichen.heads.decoder.export import (
    export_decoder,
    for_transformers,
    import_decoder,
    register_decoder,
    to_transformers,
)
from lichen.heads.decoder.generation import generate
from lichen.heads.decoder.teaching import teach

from .grammars import automaton, tokenizer
from .tiny import ids_of, make_decoder, make_memory

PROMPTS = ids_of([[5, 6, 7], [8], [9, 10, 11, 12], [4, 4], [13, 14, 15, 16, 17]])


def written(ids: Tensor, behind: int, end: int = 1) -> list[list[int]]:
    """Answers up to their ends; transformers fills rows up with the end where padding is 0."""
    rows = ids[:, behind:].tolist()
    return [row[: row.index(end) + 1] if end in row else row for row in rows]


def ours(answers: Answers) -> list[list[int]]:
    return [row[:length] for row, length in zip(answers.ids.tolist(), answers.lengths.tolist(), strict=True)]


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("prompted", [False, True])
def test_generate_writes_the_same(prompted: bool, beams: int) -> None:
    for seed in (1, 4):
        decoder = make_decoder(seed, ends=2.0)
        tokens, real = make_memory()
        given = for_transformers(PROMPTS, 0) if prompted else {}
        settings = {"num_beams": beams, "length_penalty": 0.0} if beams > 1 else {}
        found = to_transformers(decoder).generate(
            encoder_outputs=BaseModelOutput(last_hidden_state=tokens),
            attention_mask=real.long(),
            max_new_tokens=6,
            return_dict_in_generate=True,
            output_scores=True,
            **given,
            **settings,
        )
        answers = generate(decoder, decoder.remember(tokens, real), PROMPTS if prompted else None, most=6, beams=beams)
        rows = [row for row in range(5) if answers.finished[row] or beams == 1]
        behind = found.sequences.shape[1] - 6 if not prompted else 6
        theirs, own = written(found.sequences, behind), ours(answers)
        assert len(rows) > 1 and [theirs[row] for row in rows] == [own[row] for row in rows]
        if beams > 1:
            scores = found.sequences_scores.double()
            torch.testing.assert_close(scores[rows], answers.score[rows], atol=1e-5, rtol=1e-5)


def test_generate_without_a_cache_writes_the_same() -> None:
    decoder = make_decoder(1, ends=2.0)
    tokens, real = make_memory()
    given = {"encoder_outputs": BaseModelOutput(last_hidden_state=tokens), "attention_mask": real.long()}
    model = to_transformers(decoder)
    with_cache = model.generate(**given, **for_transformers(PROMPTS, 0))
    without = model.generate(**given, **for_transformers(PROMPTS, 0), use_cache=False)
    assert with_cache.equal(without)
    assert with_cache.shape[1] <= decoder.config.context + 1


def test_constraints_of_both_allow_the_same() -> None:
    words = tokenizer()
    decoder = make_decoder(0, vocabulary=words.vocabulary, pad=words.pad, end=words.end)
    tokens, real = make_memory()
    rules = automaton("labels")

    def allowed(_: int, ids: Tensor) -> list[int]:
        state = rules.begin(1)
        for token in ids[1:]:
            state = rules.advance(state, token[None])
        return rules.allowed[state[0]].nonzero()[:, 0].tolist()

    found = to_transformers(decoder).generate(
        encoder_outputs=BaseModelOutput(last_hidden_state=tokens),
        attention_mask=real.long(),
        logits_processor=[PrefixConstrainedLogitsProcessor(allowed, 1)],
    )
    answers = generate(decoder, decoder.remember(tokens, real), automaton=rules)
    assert written(found, 1, words.end) == ours(answers)


def test_the_loss_is_the_librarys() -> None:
    decoder = make_decoder(1, ends=2.0)
    tokens, real = make_memory()
    labels = ids_of([[5, 6, 7, 1], [8, 1], [9, 10, 1], [4, 1], [11, 12, 1]])
    output = to_transformers(decoder)(
        encoder_outputs=BaseModelOutput(last_hidden_state=tokens),
        attention_mask=real.long(),
        labels=labels.masked_fill(labels == 0, -100),
    )
    torch.testing.assert_close(output.loss, teach(decoder, decoder.remember(tokens, real), labels).mean())
    assert output.logits.shape == (5, 4, 23)
    shorter = to_transformers(decoder)(
        encoder_outputs=(tokens,), attention_mask=real.long(), decoder_input_ids=labels, return_dict=False
    )
    assert len(shorter) == 2


@pytest.mark.parametrize("changes", [{}, {"tied": True, "bias": False}])
def test_a_folder_opens_with_auto_classes_and_comes_back(changes: dict, tmp_path: Path) -> None:
    decoder = make_decoder(1, ends=2.0, **changes).float()
    tokenizer().to_transformers().save_pretrained(tmp_path)
    export_decoder(decoder, tmp_path)
    assert (tmp_path / "tokenizer.json").is_file() and "register_decoder" in (tmp_path / "README.md").read_text()
    register_decoder()
    register_decoder()
    model = AutoModelForSeq2SeqLM.from_pretrained(tmp_path, local_files_only=True)
    tokens, real = make_memory()
    found = model.generate(
        encoder_outputs=BaseModelOutput(last_hidden_state=tokens.float()), attention_mask=real.long()
    )
    answers = generate(decoder, decoder.remember(tokens, real))
    assert written(found, 1) == ours(answers)
    back = import_decoder(tmp_path)
    assert back.config == decoder.config and not back.training
    for name, value in decoder.state_dict().items():
        assert torch.equal(back.state_dict()[name], value), name


def test_damaged_folders_are_refused(tmp_path: Path) -> None:
    export_decoder(make_decoder().float(), tmp_path)
    with pytest.raises(CheckpointError):
        import_decoder(tmp_path / "absent")
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8] + bytes(8))
    with pytest.raises(CheckpointError, match="altered or truncated"):
        import_decoder(tmp_path)


def test_weights_that_do_not_fit_their_settings_are_refused(tmp_path: Path) -> None:
    from lichen.files import staged_folder

    export_decoder(make_decoder().float(), tmp_path)
    with staged_folder(tmp_path) as stage:
        text = (tmp_path / "config.json").read_text().replace('"num_hidden_layers": 2', '"num_hidden_layers": 3')
        (stage / "config.json").write_text(text)
        (stage / "model.safetensors").write_bytes((tmp_path / "model.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match="do not fit"):
        import_decoder(tmp_path)


def test_an_encoder_is_asked_for() -> None:
    model = to_transformers(make_decoder())
    with pytest.raises(InputError, match="encoder_outputs"):
        model.generate(torch.tensor([[4, 5]]))
    tokens = make_memory()[0]
    with pytest.raises(InputError, match="decoder_input_ids"):
        model(encoder_outputs=(tokens,))
    with pytest.raises(InputError, match="13 tokens does not fit"):
        model(encoder_outputs=(tokens,), decoder_input_ids=torch.ones(5, 13, dtype=torch.long))


def test_prompts_for_transformers() -> None:
    given = for_transformers(torch.tensor([[7, 8, 0], [0, 0, 9]]), 0)
    assert given["decoder_input_ids"].tolist() == [[0, 0, 7, 8], [0, 0, 0, 9]]
    assert given["decoder_attention_mask"].tolist() == [[0, 1, 1, 1], [0, 0, 1, 1]]
