"""Weights of the released ReIR head under this library's names. Source: graphs.md 2.10."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ...errors import CheckpointError

NAMES: Mapping[str, str] = {
    "phrase_embed.enc_embedding": "sentences.embedding",
    "phrase_embed.sent_rnn": "sentences.gru",
    "visual_embedding.0": "enter",
    "vis_batchnorm": "box_norm",
    "phr_batchnorm": "phrase_norm",
    "similarity_fc.0": "matcher.score",
    "box_reg_fc.0": "matcher.enter",
    "box_reg_fc.2": "matcher.leave",
    "sent_mlp": "contrast.sentence",
    "visual_mlp": "contrast.picture",
    "dec_phrase_gru": "decoder.gru",
    "vis2phr": "decoder.out",
    "rel_trans": "graph.compare",
    "agg_trans.0": "graph.learn",
    "relation_merge.0": "name.0",
    "vis2rel": "name.2",
}
"""Modules of `GroundingNetwork` by those of the released head."""


def from_released(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of a released head, for `GroundingNetwork.load_state_dict`.

    The network must be built with `**RELEASED` and the sizes of the weights.

    Args:
        state: names begin at the head itself; the number of batches that a norm has counted is left out.

    Raises:
        CheckpointError: a name that the released head does not have.
    """
    result = {}
    for name, value in state.items():
        module, _, leaf = name.rpartition(".")
        if leaf == "num_batches_tracked":
            continue
        if module not in NAMES:
            raise CheckpointError(f"{name!r} is no weight of a released ReIR head, which has {', '.join(NAMES)}.")
        result[f"{NAMES[module]}.{leaf}"] = value
    return result
