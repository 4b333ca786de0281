"""Sentences as the caption metrics compare them: words of the Penn Treebank, in lower case, without punctuation.

The reference evaluation (pycocoevalcap) cuts sentences with the PTBTokenizer of Stanford CoreNLP 3.4.1, a Java program,
and drops the tokens of `PUNCTUATION` afterwards. `words` does the same by one regular expression. `java_words` runs the
Java program, for whoever wants a figure from the original.

They agree on 24,223 of 24,231 different sentences: captions of COCO, Flickr30k and TextCaps, questions and answers of
VQA v2, GQA and TextVQA, CoLA, SST-2 and TREC. Where they do not, Java reads more kinds of smileys, telephone numbers,
addresses, figures ("4/5ths") and programming languages ("C++") as one token, and tells the end of a sentence from a
full stop of an abbreviation by the words around it ("v.9", "you and I."). Brackets stay in both, as "-lrb-" and the
like: the list of punctuation spells them in capitals, and the tokens are in lower case by then.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError, MissingPackageError

PUNCTUATION = frozenset(("''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"))
"""Tokens that are dropped."""

# A letter; a letter or a figure; where a word must end.
_L = r"[^\W\d_]"
_W = r"[^\W_]"
_END = r"(?![\w-])"
_ABBREVIATIONS = (
    "adj|adm|apr|ariz|assn|assoc|asst|attys?|aug|ave|bldg|blvd|brig|bros|calif|capt|cf|cmdr|cos?|col|colo|conn|corp|cpl|"
    "dec|dept|drs?|elec|esq|est|etc|ext|feb|fla|fri|ft|ga|gen|gov|hon|inc|ind|insp|intl|jan|jr|jul|jun|kans?|ky|lieut|"
    "lt|ltd|maj|mar|md|messrs|mfg|mich|minn|mlle|mme|mo|mon|mont|mrs?|ms|mt|natl|neb|nev|nov|oct|okla|penn|pfc|ph|pres|"
    "prof|rd|reps?|rev|sens?|sept?|sgt|spc|sq|sr|st|ste|supt|tel|tenn|thurs?|tues?|univ|va|vs|vt|wed|wis|wm|wyo|al"
)
# These are also words: they keep their full stop before a capital, or before a number, alone.
_STATES = "ark|del|ill|la|mass|miss|ore|pa|tex|wash"
_NUMBERED = "nos?|figs?|pp|art"
_TOKEN = re.compile(
    rf"""
      -[lr][rsc]b-
    | </?[a-z][^<>\s]*>
    | (?:https?://|www\.)[^\s"<>|()]*[^\s"<>|(),.;:?!'-]
    | [\w.+-]+@\w[\w-]*(?:\.\w+)+ | @[a-z]\w* | \#{_L}{_W}*
    | [:;=]'?-?[()dp](?!\w)
    | '(?:t(?=is|was)|n'|n(?!\w)|em\b|cause\b|(?<!\d')\d\ds?\b)
    | (?:(?:gon|wan)(?=na{_END})|got(?=ta{_END})|(?:gim|lem)(?=me{_END})|can(?=not{_END}))
    | {_L}+(?=n't\b) | n't\b | '(?:s|m|d|re|ve|ll)\b
    | [odl]'(?!(?:s|d|ll)\b){_L}+ | ma'am\b | (?:n?e|o)'er\b | ol'(?!\w) | y'(?=all\b)
    | (?:{_ABBREVIATIONS})\.(?!\w) | (?:{_STATES})\.(?=\s+(?-i:[A-Z])) | (?:{_NUMBERED})\.(?=\s*\d)
    | (?!i\.(?!\w))(?:{_L}\.)+{_L}?(?:-{_W}+)*(?!\w)
    | (?-i:[A-Z]+(?:&[A-Z]+)+)
    | [-+]?\d+(?:(?:[.,:]|\\?/)\d+)+(?:-{_W}+)* | [-+]?\.?\d+(?!{_W}|[-./]{_W})
    | {_W}+(?:(?:[-_.?!]|\\?/)(?={_L}){_W}+|[-/_]{_W}+)*\$?
    | \.{{3,}} | -{{2,}} | [?!]{{2,}} | \#+ | \*+ | \^_\^ | `` | ''
    | \S
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SPELLING = str.maketrans(
    {"’": "'", "‘": "`", "‹": "`", "›": "'", "“": "``", "”": "''", "«": "``", "»": "''", "´": " ´ ", '"': "''"}
    | {"–": "--", "—": "--", "―": "--", "…": "...", "½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3"}
    | {"£": " # ", "€": " $ ", "¢": " cents ", "\u200b": "", "\u00ad": "", "\ufeff": ""}
)
_BRACKETS = str.maketrans(
    {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"},
)
# Java drops what it has no rule for: control characters, and all beyond the first 65,536 characters, such as emoji.
_UNKNOWN = re.compile("[\x00-\x08\x0e-\x1f\x7f\U00010000-\U0010ffff]")
_CLASS = "edu.stanford.nlp.process.PTBTokenizer"


def words(sentence: str) -> tuple[str, ...]:
    """The words of a sentence, in lower case: "A man's dog isn't here." is a, man, 's, dog, is, n't, here."""
    text = _UNKNOWN.sub("", sentence.translate(_SPELLING))
    found = (_spelt(token) for token in _TOKEN.findall(text))
    return tuple(token for token in found if token not in PUNCTUATION)


def _spelt(token: str) -> str:
    if token[0] == "." and len(token) > 2 and not token.strip("."):
        return "..."
    if token[0] == "-" and not token.strip("-"):
        return token[:2]
    return token.translate(_BRACKETS).lower()


def java_words(sentences: Sequence[str]) -> list[tuple[str, ...]]:
    """The same by the Java program that comes with pycocoevalcap, for all sentences in one call.

    Raises:
        MissingPackageError: Java or pycocoevalcap is not installed.
        InputError: Java failed; its own message is quoted.
    """
    java, folder = find_java("PTBTokenizer"), scorers("tokenizer")
    lines = [re.sub(r"[^\S ]", " ", sentence) for sentence in sentences]
    jar = str(folder / "stanford-corenlp-3.4.1.jar")
    call = [java, "-Dfile.encoding=UTF-8", "-cp", jar, _CLASS, "-preserveLines", "-lowerCase"]
    done = subprocess.run(call, input="\n".join([*lines, ""]).encode(), capture_output=True, check=False)
    found = done.stdout.decode().split("\n")
    if done.returncode or len(found) < len(lines):
        raise InputError(f"Java's tokenizer failed: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return [tuple(token for token in line.split() if token not in PUNCTUATION) for line in found[: len(lines)]]


def find_java(what: str) -> str:
    """Path of the Java program.

    Args:
        what: the part that runs on it, for the message.

    Raises:
        MissingPackageError: there is none.
    """
    java = shutil.which("java")
    if java is None:
        raise MissingPackageError(
            f"{what} is a Java program, and there is no `java` on the PATH. Install a Java runtime, such as Debian's "
            "default-jre-headless, or leave it out: CIDEr-D, BLEU and ROUGE-L need no Java."
        )
    return java


def scorers(part: str = "") -> Path:
    """The folder of pycocoevalcap, or a folder in it.

    Raises:
        MissingPackageError: pycocoevalcap is not installed.
    """
    import importlib.util

    found = importlib.util.find_spec("pycocoevalcap")
    if found is None or not found.submodule_search_locations:
        raise MissingPackageError(
            "BLEU, ROUGE-L and METEOR are computed by pycocoevalcap. Run: pip install 'lichen[metrics]'"
        )
    return Path(next(iter(found.submodule_search_locations))) / part
