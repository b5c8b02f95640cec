"""Pages whose links lead somewhere and whose Python can be read."""

import ast
import re
from pathlib import Path

import pytest

from mediarouter.testing.sim import SCENARIOS

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "bench").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_python_can_be_read(page):
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        compile(block, page.name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_the_example_is_short_and_the_readmes_first_lines_are_in_shape():
    assert len((ROOT / "examples" / "sfu_room.py").read_text().splitlines()) <= 120
    lines = (ROOT / "README.md").read_text().splitlines()
    assert lines[0] == "# mediarouter" and lines[2].endswith(".")
    assert "```python" in lines[:30]


def test_commands_of_the_readme_exist():
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)$", readme, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    for path in re.findall(r"(?:tests|bench)/[\w/]+\.py", readme):
        assert (ROOT / path).exists()


def test_each_scenario_of_congestion_control_has_a_line_and_a_picture():
    page = (ROOT / "docs" / "congestion_scenarios.md").read_text()
    pictures = ROOT / "docs" / "pictures" / "congestion"
    for scenario in SCENARIOS.values():
        line = rf"^\*\*{scenario.id}\*\* .*{re.escape(scenario.title[1:])}.*\n\n"
        assert re.search(rf"{line}!\[{scenario.id}\]", page, re.MULTILINE), scenario.id
    assert {path.stem for path in pictures.iterdir()} == set(SCENARIOS)
    assert sum(path.stat().st_size for path in pictures.iterdir()) <= 2_000_000
