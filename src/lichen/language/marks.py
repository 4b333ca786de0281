"""The few words that sequences are held together by."""

from __future__ import annotations

SEAM = ":"
"""Stands between payload and answer, and in LocCa's sequences between words and box."""
SEPARATOR = ";"
"""Stands between two objects of a list."""
MARKERS: dict[str, str] = {
    "classify": "classify",
    "caption": "caption",
    "vqa": "answer",
    "ocr": "read",
    "detect": "detect",
    "cap": "cap",
    "aref": "aref",
    "gcap": "gcap",
}
"""The first word of a prompt, by task."""
EXAMPLES = tuple(f"{marker}: a {SEAM} b {SEPARATOR} c" for marker in MARKERS.values())
"""Texts that hold all of them, for a tokenizer to learn from."""
