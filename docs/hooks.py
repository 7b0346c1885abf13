"""Pages that are made when the site is built: from files elsewhere in the project, and from the command line itself."""

import html
import re
from pathlib import Path

import yaml
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
    "../deployments/README.md": "machines.md",
    "../CONTRIBUTING.md": "contributing.md",
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


def on_page_markdown(markdown: str, **_: object) -> str:
    """Put the table of mistakes where it belongs, and lead links to files of the project to their pages."""
    for file, page in _LINKS.items():
        markdown = markdown.replace(f"]({file}", f"]({page}")
    return markdown.replace("<!-- mistakes -->", mistakes())


def mistakes() -> str:
    """Commands that are refused and what is said, as a list."""
    known = yaml.safe_load((_ROOT / "docs" / "mistakes.yaml").read_text(encoding="utf-8"))
    return "\n\n".join(f"`{one['command']}`\n:   {_as_text(one['says'])}" for one in known)


def _as_text(said: str) -> str:
    """What is no code as it stands: no markup."""
    parts = (
        said.replace("HERE/", "").replace("HERE", "/work").replace("MACHINE", "this-machine").split("`")
    )  # every second one is code
    parts[::2] = (re.sub(r"([*_\[\]{}])", r"\\\1", html.escape(part, quote=False)) for part in parts[::2])
    return "`".join(parts)


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
        named = words if target in words else f"{words} (`{target}`)"
        return f"[{words}]({page}{anchor or ''})" if page is not None else named

    return re.sub(r"(?<!!)\[([^\]]+)\]\(([^)#\s]*)(#[^)]*)?\)", lambda m: link(m) if m[2] else m[0], text)
