"""`maskflow cache`: what runs keep beside their outputs, what was fetched from addresses, and making room."""

import re
import time
from itertools import groupby

from cyclopts import App
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from core.addresses.cache import cache_limit_bytes
from core.errors import RefusedInput
from core.store.cache import CachedItem, choose, list_items, remove
from flows.cli.console import open_console
from flows.cli.paths import HomePath
from tasks.elsewhere import fetch_cache

app = App(name="cache", help="List and remove what runs keep to go on from, and what was fetched.", help_epilogue="")
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SPANS = {"h": 3600, "d": 86_400, "w": 7 * 86_400}
_MOST_ROWS = 50


@app.command(name="list")
def list_cache(output: HomePath | None = None, /) -> int:
    """Show what runs keep in an output folder, by kind: how many items, how large, when last used.

    Args:
        output: the output folder of a run; of track-videos, the folder of its results file. When left out: what this
            machine keeps of what was fetched from addresses.
    """
    if output is None:
        return _list_fetched()
    items = list_items(output)
    table = Table("items of", "number", "size", "unused by the last run", "last used")
    for stage, group in groupby(sorted(items, key=lambda one: one.stage), key=lambda one: one.stage):
        own = list(group)
        unused = sum(one.size_bytes for one in own if one.unused)
        latest = max(one.used_s for one in own)
        table.add_row(stage, str(len(own)), _size(own), decimal(unused), _ago(latest))
    console = open_console()
    console.print(table)
    console.print(f"{len(items)} items, {_size(items)}; `maskflow cache prune` removes what you name")
    return 0


@app.command
def prune(
    output: HomePath | None = None,
    /,
    *,
    older_than: str | None = None,
    max_size: str | None = None,
    unused: bool = False,
    yes: bool = False,
) -> int:
    """Remove items that runs keep in an output folder; delivered files stay. Without --yes it only shows which.

    Args:
        output: the output folder of a run; of track-videos, the folder of its results file. When left out: what this
            machine keeps of what was fetched from addresses, but nothing that is in use.
        older_than: remove what was not used for so long, as in 12h, 30d or 8w.
        max_size: remove the longest unused until so much is left, as in 500M or 20G.
        unused: remove what the last run did not use.
        yes: remove it.
    """
    if older_than is None and max_size is None and not unused:
        raise RefusedInput("name what to remove: --older-than 30d, --max-size 20G, --unused")
    old_s = None if older_than is None else _number("older_than", older_than, _SPANS, "12h, 30d or 8w")
    most = None if max_size is None else int(_number("max_size", max_size, _UNITS, "500M or 20G"))
    if output is None and unused:
        raise RefusedInput("--unused: name the output folder of a run; of what was fetched: --older-than, --max-size")
    if output is None:
        return _prune_fetched(old_s, most, yes)
    items = list_items(output)
    chosen = choose(items, old_s, most, unused)
    table = Table("item", "size", "last used")
    for one in chosen[:_MOST_ROWS]:
        table.add_row(Text(f"{one.stage}/{one.folder.name}"), decimal(one.size_bytes), _ago(one.used_s))
    console = open_console()
    if chosen:
        console.print(table)
    more = f" (of which {_MOST_ROWS} are shown)" if len(chosen) > _MOST_ROWS else ""
    console.print(f"{len(chosen)} of {len(items)} items{more}, {_size(chosen)} of {_size(items)}")
    if yes and chosen:
        remove(output, chosen)
        console.print("Removed. A run that needs them makes them again.")
    elif chosen:
        console.print("Nothing was removed: say --yes to remove them")
    return 0


def _list_fetched() -> int:
    cache = fetch_cache()
    objects = cache.objects()
    table = Table("content", "size", "last used", "")
    for one in objects[-_MOST_ROWS:]:
        table.add_row(one.sha256[:24], decimal(one.size_bytes), _ago(one.used_s), "in use" if one.in_use else "")
    console = open_console()
    console.print(table)
    total = decimal(sum(one.size_bytes for one in objects))
    limit = decimal(cache_limit_bytes())
    console.print(f"{len(objects)} files, {total} of {limit} in {cache.root}", soft_wrap=True)
    return 0


def _prune_fetched(older_than_s: float | None, max_bytes: int | None, yes: bool) -> int:
    cache = fetch_cache()
    chosen = cache.prunable(max_bytes, older_than_s)
    console = open_console()
    console.print(f"{len(chosen)} of {len(cache.objects())} files, {decimal(sum(one.size_bytes for one in chosen))}")
    if yes:
        cache.remove(chosen)
        console.print("Removed. A run that needs them fetches them again.")
    elif chosen:
        console.print("Nothing was removed: say --yes to remove them")
    return 0


def _size(items: list[CachedItem]) -> str:
    return decimal(sum(one.size_bytes for one in items))


def _ago(then_s: float) -> str:
    hours = max(0.0, time.time() - then_s) / 3600
    return f"{hours / 24:.0f} days ago" if hours >= 48 else f"{hours:.0f} hours ago" if hours >= 1 else "this hour"


def _number(parameter: str, text: str, units: dict[str, int], examples: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]?)(?:i?b)?", text.strip().lower())
    if match is None or match[2] not in units:
        raise RefusedInput.of(parameter, text, f"a number and its unit, as in {examples}")
    return float(match[1]) * units[match[2]]
