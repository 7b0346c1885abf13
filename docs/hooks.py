"""Pages that are made when the site is built: from files elsewhere in the project, and from the command line itself."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from flows.cli.main import app

_ROOT = Path(__file__).parent.parent
_COPIED = {
    "benchmarks.md": "benchmarks/README.md",
    "contributing.md": "CONTRIBUTING.md",
    "machines.md": "deployments/README.md",
    "changelog.md": "CHANGELOG.md",
}
_LINKS = {
    "../README.md": "index.md",
    "README.md": "index.md",
    "benchmarks/README.md": "benchmarks.md",
    "../benchmarks/README.md": "benchmarks.md",
    "deployments/README.md": "machines.md",
    "CONTRIBUTING.md": "contributing.md",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    for page, source in _COPIED.items():
        files.append(File.generated(config, page, content=_relinked((_ROOT / source).read_text(encoding="utf-8"))))
    files.append(File.generated(config, "command-line.md", content=command_line()))
    return files


def command_line() -> str:
    """Every command with its options, as `--help` shows them."""
    text: str = app.generate_docs(output_format="markdown", recursive=True, heading_level=1)
    return text


def _relinked(text: str) -> str:
    """Links between files of the project as links between pages; to files that are no page, as their names."""

    def link(match: re.Match[str]) -> str:
        words, target, anchor = match.groups()
        if "://" in target:
            return match[0]
        page = _LINKS.get(target) or (target.removeprefix("docs/") if target.endswith(".md") else None)
        return f"[{words}]({page}{anchor})" if page is not None else f"{words} (`{target}`)"

    return re.sub(r"(?<!!)\[([^\]]+)\]\(([^)#\s]*)(#[^)]*)?\)", lambda m: link(m) if m[2] else m[0], text)
