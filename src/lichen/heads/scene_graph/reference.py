"""Weights of the authors' checkpoints under this library's names. Source of the names: graphs.md 1.9."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from ...errors import CheckpointError, InputError
from .head import SceneGraphHead

_P = r"(weight|bias)"
_B = r"(weight|bias|running_mean|running_var|num_batches_tracked)"
_PAIRS = r"context_layer\.pairwise_feature_extractor\."
_SURE = r"context_layer\.relation_conf_aware_models\.(\d+)\."
_ROUND = r"context.messages.rounds."

KEYS: tuple[tuple[str, str], ...] = (
    (_PAIRS + r"obj_embed_on_prob_dist\.weight", "representation.seeming.weight"),
    (_PAIRS + r"obj_embed_on_pred_label\.weight", "representation.label.weight"),
    (_PAIRS + rf"pos_embed\.(\d)\.{_B}", r"representation.place.\1.\2"),
    (_PAIRS + rf"obj_hidden_linear\.{_P}", r"representation.join.\1"),
    (_PAIRS + rf"obj_feat_aug_finalize_fc\.0\.{_P}", r"representation.entity.\1"),
    (_PAIRS + rf"pairwise_obj_feat_updim_fc\.{_P}", r"representation.roles.\1"),
    (_PAIRS + rf"spt_emb\.(\d)\.{_P}", r"representation.between.\1.\2"),
    (_PAIRS + rf"pairwise_rel_feat_finalize_fc\.0\.{_P}", r"representation.pair.\1"),
    (_PAIRS + rf"rel_feature_up_dim\.{_P}", r"representation.union.\1"),
    (_SURE + r"obj_sem_embed\.weight", r"context.estimators.\1.seeming.weight"),
    (_SURE + rf"obj_pos_embed\.(\d)\.{_P}", r"context.estimators.\1.place.\2.\3"),
    (_SURE + rf"proposal_box_feat_extract\.1\.{_P}", r"context.estimators.\1.boxes.\2"),
    (_SURE + rf"vis_embed\.1\.{_P}", r"context.estimators.\1.seen.\2"),
    (_SURE + rf"proposal_feat_fusion\.0\.{_P}", r"context.estimators.\1.joined_norm.\2"),
    (_SURE + rf"proposal_feat_fusion\.2\.{_P}", r"context.estimators.\1.joined.\2"),
    (_SURE + rf"proposal_relness_cls_fc\.0\.{_P}", r"context.estimators.\1.each_norm.\2"),
    (_SURE + rf"proposal_relness_cls_fc\.2\.{_P}", r"context.estimators.\1.each.\2"),
    (_SURE + rf"fusion_layer\.{_P}", r"context.estimators.\1.any.\2"),
    (r"context_layer\.learnable_relness_score_gating_recalibration\.alpha", "context.gate.slope"),
    (rf"context_layer\.obj_downdim_fc\.0\.{_P}", r"context.entities.\1"),
    (rf"context_layer\.rel_downdim_fc\.0\.{_P}", r"context.predicates.\1"),
    (rf"context_layer\.gate_sub2pred\.(\d+)\.w\.0\.{_P}", _ROUND + r"\1.from_subject.norm.\2"),
    (rf"context_layer\.gate_sub2pred\.(\d+)\.w\.2\.{_P}", _ROUND + r"\1.from_subject.votes.\2"),
    (rf"context_layer\.gate_obj2pred\.(\d+)\.w\.0\.{_P}", _ROUND + r"\1.from_object.norm.\2"),
    (rf"context_layer\.gate_obj2pred\.(\d+)\.w\.2\.{_P}", _ROUND + r"\1.from_object.votes.\2"),
    (rf"context_layer\.gate_pred2sub\.(\d+)\.w\.0\.{_P}", _ROUND + r"\1.to_subject.norm.\2"),
    (rf"context_layer\.gate_pred2sub\.(\d+)\.w\.2\.{_P}", _ROUND + r"\1.to_subject.votes.\2"),
    (rf"context_layer\.gate_pred2obj\.(\d+)\.w\.0\.{_P}", _ROUND + r"\1.to_object.norm.\2"),
    (rf"context_layer\.gate_pred2obj\.(\d+)\.w\.2\.{_P}", _ROUND + r"\1.to_object.votes.\2"),
    (rf"context_layer\.object_msg_fusion\.(\d+)\.wih\.{_P}", _ROUND + r"\1.entity_fusion.message.\2"),
    (rf"context_layer\.object_msg_fusion\.(\d+)\.whh\.{_P}", _ROUND + r"\1.entity_fusion.own.\2"),
    (rf"context_layer\.pred_msg_fusion\.(\d+)\.wih\.{_P}", _ROUND + r"\1.predicate_fusion.message.\2"),
    (rf"context_layer\.pred_msg_fusion\.(\d+)\.whh\.{_P}", _ROUND + r"\1.predicate_fusion.own.\2"),
    (rf"rel_classifier\.{_P}", r"classify.\1"),
    (r"freq_bias\.obj_baseline\.weight", "bias.table"),
)
"""(pattern of a whole key, this library's name for it)."""

UNUSED = (
    r"context_layer\.gate_\w+\.\d+\.(gate_weight|aux_gate_weight)",
    r"context_layer\.obj_pair2rel_fuse\..+",
    r"obj_classifier\..+",
)
"""Parameters of the release that nothing reads."""
_PREFIXES = re.compile(r"^(module\.)?(roi_heads\.relation\.predictor\.)?")
_OFFSET = "context_layer.learnable_relness_score_gating_recalibration.beta"
_SCALE = "freq_lambda"


def load_released(head: SceneGraphHead, state: Mapping[str, Tensor]) -> SceneGraphHead:
    """Put the weights of a released relation head into one of `SceneGraphConfig(**RELEASED)`, or of other sizes.

    Args:
        head: a head of context bgnn with gates, bias and compat="pysgg".
        state: tensors under the authors' names, with or without the path that leads to them.

    Returns:
        The head itself.

    Raises:
        InputError: a head of other settings.
        CheckpointError: keys that are not part of the release, weights that are missing or of another shape, or
            constants that differ from the head's settings.
    """
    config = head.config
    if not (config.released and config.context == "bgnn" and config.gates and config.bias):
        raise InputError("Released weights fit a head of context='bgnn' with gates, bias and compat='pysgg'.")
    short = {_PREFIXES.sub("", key, count=1): value for key, value in state.items()}
    for key, constant in ((_OFFSET, config.offset), (_SCALE, 1.0)):
        if key in short and abs(float(short[key]) - constant) > 1e-6:
            raise CheckpointError(f"{key} is {float(short[key]):g} in the checkpoint, but {constant:g} in this head.")
    named = {key: _rename(key) for key in short if key not in (_OFFSET, _SCALE)}
    strange = sorted(key for key, name in named.items() if name is None)
    if strange:
        raise CheckpointError(f"{len(strange)} keys are not part of BGNN's release, such as {strange[0]!r}.")
    wanted = head.state_dict()
    weights = {name: short[key] for key, name in named.items() if name}
    missing = sorted(name for name in wanted if name not in weights and not name.endswith("num_batches_tracked"))
    if missing:
        raise CheckpointError(f"{len(missing)} weights are missing, such as {missing[0]!r}.")
    for name, value in weights.items():
        if name not in wanted or wanted[name].shape != value.shape:
            here = tuple(wanted[name].shape) if name in wanted else "no such weight"
            raise CheckpointError(f"{name} is {tuple(value.shape)} in the checkpoint; this head has {here}.")
    with torch.no_grad():
        head.load_state_dict({**wanted, **weights})
    return head


def _rename(key: str) -> str | None:
    """This library's name; an empty one for what nothing reads; None for what the release does not have."""
    for pattern, name in KEYS:
        if match := re.fullmatch(pattern, key):
            return match.expand(name)
    return "" if any(re.fullmatch(pattern, key) for pattern in UNUSED) else None
