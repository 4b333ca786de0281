"""The head as the trainer sees it."""

from __future__ import annotations

import pytest
import torch

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.heads.decoder.config import DecoderConfig
from lichen.heads.decoder.head import TextHead
from lichen.heads.decoder.reader import MemoryConfig, MemoryReader
from lichen.heads.decoder.teaching import teach
from lichen.heads.given import Given
from lichen.testing import check_head

from .tiny import draw, ids_of

CONFIG = DecoderConfig(vocabulary=20, layers=1, width=8, heads=2, mlp=12, context=8)
LABELS = ids_of([[5, 6, 7, 1], [8, 1], [9, 10, 1], [4, 1]])


def head_of(parallel: float = 0.0, **changes) -> TextHead:
    torch.manual_seed(0)
    reader = MemoryReader(Given("tokens", 10, modality="image"))
    head = TextHead(reader, DecoderConfig(**{**CONFIG.to_dict(), **changes}), parallel).double()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(0.4 * torch.randn_like(parameter))
    return head.eval()


def pictures(rows: int = 4) -> Features:
    return Features((), draw(1, rows, 5, 10))


@pytest.mark.parametrize("kind", ["text", "picture", "maps"])
def test_it_conforms(kind: str) -> None:
    check_head(lambda given: TextHead(MemoryReader(given), CONFIG), {"labels": LABELS}, kinds=(kind,))


def test_it_conforms_with_two_backbones() -> None:
    check_head(
        lambda given: TextHead(MemoryReader(given, MemoryConfig(standardise=True)), CONFIG),
        {"labels": LABELS, "weights": (LABELS > 1).float()},
        kinds=("text",),
        parts=("one", "two"),
    )


def test_the_loss_is_the_mean_over_texts() -> None:
    head, features = head_of(), pictures(2)
    targets = {"labels": LABELS, "picture": torch.tensor([1, 0, 0, 1]), "weights": torch.rand(4, 4)}
    memory = head.decoder.remember(features.final)
    losses = teach(head.decoder, memory, LABELS, targets["weights"], picture=targets["picture"])
    torch.testing.assert_close(head(features, targets)["loss"], losses.mean())
    assert head(features) == {}
    likelihood = head.log_likelihood(features, targets)
    assert likelihood.shape == (4,) and not likelihood.requires_grad


def test_captions_alone_are_predicted_in_parallel_and_in_training_alone() -> None:
    head, features = head_of(1.0, dropout=0.0), pictures()
    captions = torch.tensor([True, False, False, True])
    targets = {"labels": LABELS, "captions": captions}
    memory = head.remember(features)
    causal = teach(head.decoder, memory, LABELS).mean()
    torch.testing.assert_close(head(features, targets)["loss"], causal)
    head.train()
    both = teach(head.decoder, memory, LABELS, parallel=captions).mean()
    torch.testing.assert_close(head(features, targets)["loss"], both)
    torch.testing.assert_close(head(features, {"labels": LABELS})["loss"], causal)
    assert not torch.isclose(both, causal)
    head.parallel = 0.5
    found = {round(head(features, targets)["loss"].item(), 6) for _ in range(16)}
    assert len(found) == 4


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="parallel"):
        head_of(1.5)
    with pytest.raises(InputError, match="labels and perhaps weights"):
        head_of()(pictures(), {"weights": torch.ones(4, 4)})
    with pytest.raises(InputError, match="got"):
        head_of()(pictures(), {"labels": LABELS, "prefix": LABELS})
