"""`GroundingHead`: features of pictures and proposals in, a box for every phrase of their captions out."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from ...backbones.features import Features
from ...errors import InputError
from ...regions import Regions
from .captions import Captions
from .config import GroundingConfig
from .network import Grounding, GroundingNetwork
from .reader import RegionReader
from .sentences import FrozenSentences, GRUSentences


class GroundingHead(nn.Module):
    """The grounding network on the features of a backbone, frozen or adapted by a side network.

    Example:
        >>> head = GroundingHead(RegionReader(given), phrase_vocabulary=800, words=1000)
        >>> found = head(features, regions, captions)
        >>> found.boxes()                                   # (phrases, 4), pixels
        >>> loss = weighted(head.losses(found, captions), WEIGHTS)

    Args:
        reader: looks at boxes.
        phrase_vocabulary: size of the vocabulary by which phrases are rebuilt.
        words: size of the vocabulary of captions, which a GRU reads as published; None where a text backbone does.
        text: width of the tokens of that text backbone.
        relation_counts: how often each category of relations occurs in the training captions; empty for none.
        config: sizes and parts.

    Raises:
        InputError: neither or both of words and text, or a setting out of range.
    """

    def __init__(
        self,
        reader: RegionReader,
        phrase_vocabulary: int,
        *,
        words: int | None = None,
        text: int | None = None,
        relation_counts: Sequence[float | int] = (),
        config: GroundingConfig = GroundingConfig(),
    ) -> None:
        super().__init__()
        self.reader = reader
        sentences = _sentences(phrase_vocabulary, words, text, config.width)
        self.network = GroundingNetwork(sentences, reader.width, phrase_vocabulary, relation_counts, config)

    def forward(
        self,
        features: Features,
        regions: Regions,
        captions: Captions,
        *,
        prior: Float[Tensor, "phrases classes"] | None = None,
        refine: int | None = None,
        text: Features | None = None,
        canvas: Float[Tensor, "pictures 2"] | None = None,
    ) -> Grounding:
        """Ground the phrases of a batch.

        Args:
            features: of the pictures.
            regions: proposals in them.
            captions: about them.
            prior: how well classes suit phrases, see `prior.py`; None where nothing is known of boxes.
            refine: how often boxes are moved and looked at anew; see `GroundingNetwork`. None takes as much as the
                network can: 1, or 0 for one that moves no boxes.
            text: features of the captions, where a text backbone reads them.
            canvas: what the maps cover of each picture, see `RegionReader`.

        Raises:
            InputError: what does not fit together.
        """
        if refine is None:
            refine = int(self.network.config.fine and self.network.config.regress)
        look = self.reader(features, regions, canvas)
        return self.network(look, regions, captions, prior=prior, refine=refine, text=text)

    def losses(self, found: Grounding, captions: Captions) -> dict[str, Tensor]:
        """What the head learns from, see `GroundingNetwork.losses`."""
        return self.network.losses(found, captions)


def _sentences(phrase_vocabulary: int, words: int | None, text: int | None, width: int) -> nn.Module:
    if (words is None) == (text is None):
        raise InputError("Captions are read either by words= of a vocabulary or by text= a text backbone's width.")
    if words is not None:
        return GRUSentences(words, width)
    assert text is not None
    return FrozenSentences(text, phrase_vocabulary, width)
