"""Weights of the authors' checkpoints under this library's names.

One table a form, of (pattern, replacement) rows: the pattern must match a whole key, the replacement is what
`re.Match.expand` or a function makes of the match. Sources of the names: docs/papers.md sections 1.1 to 1.6, 2.3, 2.4.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from torch import Tensor

from ..errors import CheckpointError, pick

Replacement = str | Callable[[re.Match[str]], str]
Rows = tuple[tuple[str, Replacement], ...]

# What a layer's tensors are called: P a linear, convolution or norm, B a batch norm with its statistics.
_P = r"(weight|bias)"
_B = r"(weight|bias|running_mean|running_var|num_batches_tracked)"


def _shifted(match: re.Match[str]) -> str:
    """CLIP-ViL counts its down-projections from the second state; the first has a name of its own."""
    return f"down.{int(match[1]) + 1}.{('linear', 'norm')[int(match[2])]}.{match[3]}"


def _fusion(prefix: str = "", out: str = "") -> Rows:
    """Rows of a SHERL fusion of gated blocks, under a prefix in the checkpoint and one in this library."""
    return (
        (prefix + rf"hor_block\.(\d+)\.fc1\.{_P}", out + r"mtsa.down.\1.linear.\2"),
        (prefix + rf"hor_block\.(\d+)\.fc2\.{_P}", out + r"mtsa.down.\1.residual.\2"),
        (prefix + rf"hor_block\.(\d+)\.fc3\.{_P}", out + r"mtsa.down.\1.gate.\2"),
        (prefix + rf"guide_block\.fc_attn\.{_P}", out + r"mtsa.relevance.\1"),
        (prefix + rf"fc_out\.{_P}", out + r"mtsa.out.\1"),
        (prefix + r"gate_params", out + r"mtsa.skip"),
    )


def _stack(name: str) -> Rows:
    """Rows of one MDETR stack of UniPT."""
    return (
        (rf"side_downsamples_{name}\.(\d+)\.0\.{_P}", rf"{name}.down.\1.linear.\2"),
        (rf"side_downsamples_{name}\.(\d+)\.1\.{_P}", rf"{name}.down.\1.norm.\2"),
        (rf"side_downsample0_{name}\.0\.{_P}", rf"{name}.down_guide.linear.\1"),
        (rf"side_downsample0_{name}\.1\.{_P}", rf"{name}.down_guide.norm.\1"),
        (rf"side_gate_layer_{name}\.{_P}", rf"{name}.gate.\1"),
        (rf"side_projection_{name}\.0\.{_P}", rf"{name}.project.expand.\1"),
        (rf"side_projection_{name}\.2\.{_P}", rf"{name}.project.contract.\1"),
        (rf"side_projection_{name}\.3\.{_P}", rf"{name}.project.norm.\1"),
    )


KEY_MAPS: dict[str, Rows] = {
    "unipt/bert": (
        (rf"downsample_layers\.(\d+)\.0\.{_P}", r"down.\1.linear.\2"),
        (rf"downsample_layers\.(\d+)\.1\.{_P}", r"down.\1.norm.\2"),
        (rf"gate_layer\.{_P}", r"gate.\1"),
        (rf"projection_layer\.0\.{_P}", r"project.linear.\1"),
        (rf"projection_layer\.1\.{_P}", r"project.norm.\1"),
        (rf"upsample_layer\.1\.{_P}", r"up.\1"),
    ),
    "unipt/cnn": (
        (rf"downsample_layers\.(\d+)\.0\.{_P}", r"down.\1.conv.\2"),
        (rf"downsample_layers\.(\d+)\.1\.{_B}", r"down.\1.norm.\2"),
        (rf"identity_layers\.(\d+)\.0\.{_P}", r"saliency.\1.\2"),
        (rf"gate_layer\.{_P}", r"gate.\1"),
        (rf"projection_layer\.0\.{_P}", r"project.conv.\1"),
        (rf"projection_layer\.1\.{_B}", r"project.norm.\1"),
        (rf"upsample_layer\.1\.{_P}", r"up.\1"),
    ),
    "unipt/clip": (
        (rf"downsample_layers\.(\d+)\.1\.{_P}", r"down.\1.linear.\2"),
        (rf"downsample_layer\.1\.{_P}", r"down_guide.linear.\1"),
        (rf"gate_layer\.{_P}", r"gate.\1"),
        (rf"upsample_layer\.1\.{_P}", r"up.\1"),
    ),
    "unipt/joint": (
        (rf"side_first_downsample_l\.0\.{_P}", r"down.0.linear.\1"),
        (rf"side_first_downsample_l\.1\.{_P}", r"down.0.norm.\1"),
        (rf"side_downsamples_l\.(\d+)\.([01])\.{_P}", _shifted),
        (rf"side_gate_layer_l\.{_P}", r"gate.\1"),
        (rf"side_projection_l\.0\.{_P}", r"project.expand.\1"),
        (rf"side_projection_l\.2\.{_P}", r"project.contract.\1"),
        (rf"side_projection_l\.3\.{_P}", r"project.norm.\1"),
        (rf"side_final_upsample_l\.0\.{_P}", r"up.\1"),
    ),
    "unipt/detr": (
        *_stack("encoder"),
        *_stack("decoder"),
        (rf"side_projection_crosser\.(\d+)\.0\.{_P}", r"decoder.cross.\1.linear.\2"),
        (rf"side_projection_crosser\.(\d+)\.1\.{_P}", r"decoder.cross.\1.norm.\2"),
        (rf"side_final_upsample\.1\.{_P}", r"decoder.up.\1"),
        (rf"side_final_upsample\.2\.{_P}", r"decoder.norm.\1"),
    ),
    "sherl/bert": (
        (rf"hor_block\.(\d+)\.fc\.0\.{_P}", r"mtsa.down.\1.linear.\2"),
        (rf"hor_block\.(\d+)\.fc\.1\.{_P}", r"mtsa.down.\1.norm.\2"),
        (rf"guide_block\.fc_attn\.{_P}", r"mtsa.relevance.\1"),
        (rf"fc_out\.1\.{_P}", r"mtsa.out.\1"),
        (rf"fc_out\.2\.{_P}", r"mtsa.norm.\1"),
        (r"gate_params", r"mtsa.skip"),
    ),
    "sherl/cnn": (
        (rf"hor_block\.(\d+)\.conv\.0\.{_P}", r"down.\1.conv.\2"),
        (rf"hor_block\.(\d+)\.conv\.1\.{_B}", r"down.\1.norm.\2"),
        (rf"guide_block\.fc_attn\.{_P}", r"relevance.\1"),
        (rf"conv_out\.0\.{_P}", r"out.conv.\1"),
        (rf"conv_out\.1\.{_B}", r"out.norm.\1"),
        (r"gate_params", r"skip"),
    ),
    "sherl/clip": (
        (rf"hor_block\.(\d+)\.fc\.{_P}", r"down.\1.linear.\2"),
        (rf"hor_block_last\.fc\.{_P}", r"down_guide.linear.\1"),
        (rf"guide_block\.spatial_attn\.(\d+)\.{_P}", r"spatial.\1.\2"),
        (rf"guide_block\.layer_attn\.{_P}", r"relevance.\1"),
        (r"guide_block\.gate_parameters", r"anchor_gate"),
        (rf"fc_out\.{_P}", r"out.\1"),
    ),
    "sherl/joint": _fusion(),
    "sherl/detr": (
        (rf"hor_block\.(\d+)\.fc\.{_P}", r"mtsa.down.\1.linear.\2"),
        (rf"hor_block\.(\d+)\.norm\.{_P}", r"mtsa.down.\1.norm.\2"),
        (rf"guide_block\.fc_attn\.{_P}", r"mtsa.relevance.\1"),
        (rf"guide_block\.mlp\.0\.{_P}", r"mtsa.project.expand.\1"),
        (rf"guide_block\.mlp\.2\.{_P}", r"mtsa.project.contract.\1"),
        (rf"guide_block\.mlp\.3\.{_P}", r"mtsa.project.norm.\1"),
        (rf"fc_out\.{_P}", r"mtsa.out.\1"),
        (rf"norm_out\.{_P}", r"mtsa.norm.\1"),
        (r"gate_params", r"mtsa.skip"),
    ),
    "sherl/t5": (
        *_fusion(r"encoder\.side_mtsa_block\.", "encoder.fusion."),
        *_fusion(r"decoder\.side_mtsa_block\.", "decoder."),
        (r"(encoder|decoder)\.final_side_layer_norm\.weight", r"\1.norm.weight"),
    ),
    "lst/bert": (
        (r"side_first_downsample_l\.weight", r"first_down.weight"),
        (r"side_downsamples_l\.(\d+)\.weight", r"downs.\1.weight"),
        (r"side_gate_params_l\.(\d+)", r"gates.\1"),
        (r"side_block_l\.(\d+)\.(.+)", r"blocks.\1.\2"),
        (r"side_final_upsample_l\.weight", r"up.weight"),
    ),
    "lst/t5": (
        (rf"(encoder|decoder)\.side_first_downsample\.{_P}", r"\1.first_down.\2"),
        (rf"(encoder|decoder)\.side_downsamples\.(\d+)\.{_P}", r"\1.downs.\2.\3"),
        (r"(encoder|decoder)\.side_gate_params\.(\d+)", r"\1.gates.\2"),
        (r"(encoder|decoder)\.side_block\.(\d+)\.(.+)", r"\1.blocks.\2.\3"),
        (r"(encoder|decoder)\.final_side_layer_norm\.weight", r"\1.norm.weight"),
        (rf"side_final_upsample\.{_P}", r"decoder.up.\1"),
    ),
    "gpo": (
        (r"gru\.((?:weight|bias)_[ih]h_l0(?:_reverse)?)", r"gru.\1"),
        (r"linear\.weight", r"score.weight"),
    ),
}


def _rename(key: str, rows: Rows) -> str | None:
    for pattern, replacement in rows:
        if match := re.fullmatch(pattern, key):
            return match.expand(replacement) if isinstance(replacement, str) else replacement(match)
    return None


def _kept_only(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """LST for T5: number the kept layers from 0, and drop the gates of skipped layers, which nothing reads."""
    numbered = re.compile(r"(encoder|decoder)\.(blocks|downs|gates)\.(\d+)(.*)")
    matches = {name: numbered.fullmatch(name) for name in state}
    kept = {stack: sorted({int(m[3]) for m in matches.values() if m and m[1] == stack and m[2] == "blocks"})
            for stack in ("encoder", "decoder")}  # fmt: skip
    result = {}
    for name, match in matches.items():
        if match is None:
            result[name] = state[name]
        elif int(match[3]) in kept[match[1]]:
            result[f"{match[1]}.{match[2]}.{kept[match[1]].index(int(match[3]))}{match[4]}"] = state[name]
    return result


def load_reference(state_dict: Mapping[str, Tensor], form: str) -> dict[str, Tensor]:
    """Rename the tensors of an authors' checkpoint so that this library's module of the same form loads them.

    Use: `side.load_state_dict(load_reference(state, "unipt/bert"))`. Pass the side network's entries only, with the
    path to the side network inside the authors' model cut off their keys; "sherl/t5" keeps `encoder.` and `decoder.`.
    The reference says which module a form belongs to:

    - "unipt/bert", "unipt/joint": `UniPT` of form bert or joint; "unipt/cnn": `UniPTMaps` of form cnn;
      "unipt/clip": `UniPTEmbedding`; "unipt/detr": `UniPTEncoderDecoder`.
    - "sherl/bert", "sherl/joint", "sherl/detr": `SHERL` of that form (MDETR: one stack at a time); "sherl/cnn":
      `SHERLMaps`; "sherl/clip": `SHERLEmbedding` of both clip forms; "sherl/t5": `SHERLEncoderDecoder`.
    - "lst/bert": `LST` of form bert; "lst/t5": `LSTT5`, with `encoder.` and `decoder.` kept. Its kept layers are
      numbered from 0 and the unused gates of skipped layers are left out.
    - "gpo": `GPO`.

    Args:
        state_dict: tensors under the authors' names. They are not copied.
        form: a row of `KEY_MAPS`.

    Raises:
        InputError: no such form; the nearest one is suggested.
        CheckpointError: keys that the form does not have, all listed.
    """
    rows = KEY_MAPS[pick("checkpoint form", form, KEY_MAPS)]
    names = {key: _rename(key, rows) for key in state_dict}
    unknown = [key for key, name in names.items() if name is None]
    if unknown:
        raise CheckpointError(
            f"{len(unknown)} of {len(names)} keys are not part of form {form!r}: {', '.join(sorted(unknown))}. "
            "Pass the side network's entries only, without the path that leads to it."
        )
    renamed = {name: state_dict[key] for key, name in names.items() if name is not None}
    return _kept_only(renamed) if form == "lst/t5" else renamed
