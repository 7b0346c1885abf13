"""The documentation: it builds without a warning, its links lead somewhere, the README is short and its tests exist."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)")


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    assert len(README.encode()) <= 8 * 1024
    assert [link for link in LINK.findall(README) if "://" not in link and not (ROOT / link).exists()] == []


def test_each_promise_of_the_readme_names_a_test_that_is_there() -> None:
    promised = re.findall(r"\[`(test_\w+)`\]\(([^)]+)\)", README)
    assert len(promised) == 6
    for test, file in promised:
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), test


@pytest.mark.slow
def test_the_site_builds_with_every_link_and_page(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    commands = (tmp_path / "site/command-line/index.html").read_text()
    assert "--text-prompt" in commands
    refusals = (tmp_path / "site/troubleshooting/index.html").read_text()
    assert "track-videos a.mp4 --text-prompt elephant" in refusals
    assert "MACHINE" not in refusals
    assert "tcp://HOST:PORT" in refusals
    api = (tmp_path / "site/python-api/index.html").read_text()
    assert "reconstruct_windows" in api
    for page in (tmp_path / "site").rglob("*.html"):
        loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?://[^"]+)"', page.read_text())
        assert loaded == [], "pages need no network"


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.stem)
def test_links_of_a_page_lead_somewhere_in_the_checkout_too(page: Path) -> None:
    generated = {"command-line.md"}
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if link not in generated and not (page.parent / link).exists()] == []
