"""The texts of four models: words and numbers of boxes in each one's markup, and back.

A text is a caption, where the format has one, and mentions: words with the boxes that they mean.

| format | two mentions, the second of two boxes |
|---|---|
| paligemma | `(box) a cat ; (box) two dogs ; (box) two dogs` |
| florence2 | `a cat(box)two dogs(box)(box)` |
| kosmos2 | `<grounding><phrase> a cat</phrase><object>(box)</object> and<phrase> two dogs</phrase><object>(box)` … |
| locca | a line each: `Cap: a cat and two dogs`, `GCap: (box) : a cat`, also `ARef: a cat : (box)` |

Source: decoders.md 2.2 and 4.2; the processors of transformers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..errors import InputError
from ..regions import CODES, Code

Codes = tuple[int, ...]
"""The numbers of one box."""
LEFTOVER, OUTSIDE, MASKS, UNREADABLE = "incomplete box", "broken markup", "mask left out", "no such line"
_SPECIAL = re.compile(r"</?s>|<pad>|<eos>|<bos>")
_GAP = re.compile(r"(<(?:loc_?|patch_index_)\d+>)\s+(?=<(?:loc_?|patch_index_)\d+>)")
"""Blanks between the numbers of a box, which some tokenizers put there."""
_BETWEEN = "</delimiter_of_multi_objects/>"


@dataclass
class Mention:
    """Words with the boxes that they mean."""

    text: str | None
    boxes: list[Codes]
    span: tuple[int, int] | None = None
    """Where the words stand in the caption, if that is known."""


@dataclass
class Marked:
    """What a text of one of the formats says."""

    caption: str | None = None
    mentions: list[Mention] = field(default_factory=list)
    malformed: Counter[str] = field(default_factory=Counter)


def _clean(text: str | None, forbidden: str, model: str) -> str:
    """Words with single blanks, in which nothing of the format's markup occurs."""
    words = " ".join((text or "").split())
    found = re.search(forbidden, words)
    if found is not None:
        raise InputError(f"{words!r} cannot be written in the format of {model}: it holds {found[0]!r}.")
    return words


def _boxes(code: Code, text: str) -> list[Codes]:
    return [tuple(row) for row in code.find(text)[0].tolist()]


def _write_box(code: Code, codes: Sequence[Codes]) -> list[str]:
    return [
        code.frame[0] + code.frame[1].join(code.token.format(number) for number in box) + code.frame[2] for box in codes
    ]


# --- PaliGemma


def _write_paligemma(marked: Marked, directed: bool) -> str:
    code = CODES["paligemma"]
    if marked.caption is not None and not marked.mentions:
        return _clean(marked.caption, r"<loc\d{4}>|<seg\d{3}>", "PaliGemma")
    objects = [
        f"{box} {_clean(mention.text, r';|<loc|<seg', 'PaliGemma')}".rstrip()
        for mention in marked.mentions
        for box in _write_box(code, mention.boxes)
    ]
    return " ; ".join(objects)


def _read_paligemma(text: str) -> Marked:
    code = CODES["paligemma"]
    found = Marked()
    if "<loc" not in text:
        found.caption = text.strip() or None
        return found
    for part in text.split(";"):
        boxes = _boxes(code, part)
        found.malformed[MASKS] += bool(re.search(r"<seg\d{3}>", part))
        found.malformed[LEFTOVER] += len(re.findall(r"<loc\d*", part)) > 4 * len(boxes)
        words = " ".join(re.sub(r"<(loc|seg)\d*>?", " ", part).split())
        if boxes:
            found.mentions.append(Mention(words or None, boxes))
        elif words:
            found.malformed[OUTSIDE] += 1
    return found


# --- Florence-2


def _write_florence2(marked: Marked, directed: bool) -> str:
    if marked.caption is not None and not marked.mentions:
        return _clean(marked.caption, "<", "Florence-2")
    parts = []
    for mention in marked.mentions:
        words = _clean(mention.text, "<", "Florence-2")
        if not words and len(marked.mentions) > 1:
            raise InputError("Florence-2 cannot write a box without words beside others; give every entity a label.")
        parts.append(words + "".join(_write_box(CODES["florence2"], mention.boxes)))
    return "".join(parts)


def _read_florence2(text: str) -> Marked:
    code = CODES["florence2"]
    found = Marked()
    if "<loc" not in text:
        found.caption = text.strip() or None
        return found
    done = 0
    for match in re.finditer(r"(?:<loc_\d+>)+", text):
        words = text[done : match.start()]
        done = match.end()
        boxes = _boxes(code, match[0])
        found.malformed[LEFTOVER] += match[0].count("<loc") != 4 * len(boxes)
        found.malformed[OUTSIDE] += "<" in words
        words = " ".join(re.sub(r"<[^>]*>?", " ", words).split())
        if boxes:
            found.mentions.append(Mention(words or None, boxes))
    found.malformed[OUTSIDE] += bool(text[done:].strip(" .\n"))
    return found


# --- Kosmos-2


def _write_kosmos2(marked: Marked, directed: bool) -> str:
    if marked.caption is None:
        parts = [_phrase(f" {_clean(m.text, '<', 'Kosmos-2')}" if m.text else "", m.boxes) for m in marked.mentions]
        return "<grounding>" + "".join(parts)
    caption = marked.caption
    _clean(caption, "<", "Kosmos-2")
    written, done = "<grounding>", 0
    for mention in sorted(marked.mentions, key=lambda mention: mention.span or (0, 0)):
        if mention.span is None or mention.span[0] < done:
            raise InputError(f"Kosmos-2 cannot write phrases that overlap: {mention.text!r} in {caption!r}.")
        start, end = mention.span
        before = caption[done:start] if done else f" {caption[:start]}"
        blank = " " if before.endswith(" ") else ""
        written += before.removesuffix(" ") + _phrase(blank + caption[start:end], mention.boxes)
        done = end
    return written + (caption[done:] if done else f" {caption}")


def _phrase(words: str, boxes: Sequence[Codes]) -> str:
    named = f"<phrase>{words}</phrase>" if words else ""
    return f"{named}<object>{_BETWEEN.join(_write_box(CODES['kosmos2'], boxes))}</object>"


_KOSMOS = re.compile(r"(?:<phrase>([^<]*)</phrase>)?\s*<object>((?:(?!</?object>|</?phrase>).)*)</object>", re.DOTALL)


def _read_kosmos2(text: str) -> Marked:
    found = Marked()
    text = text.replace("<grounding>", "")
    caption, done = "", 0
    for match in _KOSMOS.finditer(text):
        caption += _bare(text[done : match.start()], found)
        boxes = _boxes(CODES["kosmos2"], match[2])
        found.malformed[LEFTOVER] += match[2].count("<patch_index") != 2 * len(boxes)
        words = match[1]
        span = None
        if words is not None:
            span = (len(caption) + len(words) - len(words.lstrip()), len(caption) + len(words.rstrip()))
            caption += words
        if boxes:
            named = words is not None and bool(words.strip())
            found.mentions.append(Mention(words.strip() if words and named else None, boxes, span if named else None))
        done = match.end()
    caption += _bare(text[done:], found)
    lead = len(caption) - len(caption.lstrip())
    for mention in found.mentions:
        if mention.span is not None:
            mention.span = (mention.span[0] - lead, mention.span[1] - lead)
    found.caption = caption.strip() or None
    return found


def _bare(text: str, found: Marked) -> str:
    """Text between mentions. Phrases without a box are plain words; any other tag is out of place."""
    text = re.sub(r"</?phrase>", "", text)
    bare = re.sub(r"<[^<>]*>", "", text)
    found.malformed[OUTSIDE] += bare != text
    return bare


# --- LocCa


def _write_locca(marked: Marked, directed: bool) -> str:
    lines = [] if marked.caption is None else [f"Cap: {_clean(marked.caption, _LOCCA_BOX, 'LocCa')}"]
    for mention in marked.mentions:
        words = _clean(mention.text, _LOCCA_BOX, "LocCa")
        if not words:
            raise InputError("LocCa writes no box without words; give every entity a label.")
        for box in _write_box(CODES["locca"], mention.boxes):
            lines.append(f"ARef: {words} : {box}" if directed else f"GCap: {box} : {words}")
    return "\n".join(lines)


_LOCCA_BOX = r"\[\s*\d+\s*,\s*\d+\s*,\s*\d+\s*,\s*\d+\s*\]"
_LOCCA = re.compile(
    rf"\s*(?:cap\s*:(?P<cap>.*)|aref\s*:(?P<aref>.*?):?\s*(?P<abox>{_LOCCA_BOX})"
    rf"|gcap\s*:\s*(?P<gbox>{_LOCCA_BOX})\s*:?(?P<gcap>.*))\s*",
    re.IGNORECASE,
)


def _read_locca(text: str) -> Marked:
    found = Marked()
    for line in text.splitlines():
        if not line.strip():
            continue
        match = _LOCCA.fullmatch(line)
        if match is None:
            found.malformed[UNREADABLE] += 1
        elif match["cap"] is not None:
            found.caption = " ".join(match["cap"].split()) or None
        else:
            boxes = _boxes(CODES["locca"], match["abox"] or match["gbox"])
            words = " ".join((match["aref"] or match["gcap"] or "").split())
            found.mentions.append(Mention(words or None, boxes))
    return found


WRITERS: dict[str, Callable[[Marked, bool], str]] = {
    "paligemma": _write_paligemma,
    "florence2": _write_florence2,
    "kosmos2": _write_kosmos2,
    "locca": _write_locca,
}
"""What a text of each format is; the flag says whether words single out one thing (LocCa's `ARef`)."""
_READERS: dict[str, Callable[[str], Marked]] = {
    "paligemma": _read_paligemma,
    "florence2": _read_florence2,
    "kosmos2": _read_kosmos2,
    "locca": _read_locca,
}


def read_markup(format: str, text: str) -> Marked:
    """What a text of a format says. It never raises: what cannot be read is counted."""
    return _READERS[format](_GAP.sub(r"\1", _SPECIAL.sub("", text)))
