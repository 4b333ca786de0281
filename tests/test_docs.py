"""What the documentation shows runs as written, and what it links to exists."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from lichen.backbones.embedded import load_embedded_folder
from lichen.errors import MissingPackageError

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")])


def test_python_blocks_of_side_networks_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        load_embedded_folder("minilm")
    except MissingPackageError as error:
        pytest.skip(str(error))
    text = (ROOT / "docs" / "side-networks.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 5
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "side_networks.py"
    script.write_text("\n".join(blocks), encoding="utf-8")
    runpy.run_path(str(script), run_name="side_networks")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), flags=re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{page.name} links to {target}"


def test_memory_table_of_the_readme_is_the_measured_one() -> None:
    readme, measured = (ROOT / "README.md").read_text("utf-8"), (ROOT / "docs" / "memory.md").read_text("utf-8")
    table = re.search(r"<!-- memory: vit-base -->\n(.*?)\n<!-- /memory -->", readme, flags=re.DOTALL)
    assert table is not None and table[1] in measured
