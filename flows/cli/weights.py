"""`maskflow weights`: list, get and verify model weights. The only place that downloads anything."""

from functools import partial
from pathlib import Path

from cyclopts import App
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column, Table
from rich.text import Text

from core.errors import RefusedInput
from core.weights.catalogue import MODELS, UNFETCHED_WEIGHTS, WEIGHTS, Weights, find_weights, how_to_fetch
from core.weights.download import DownloadFailed, check, download, part_of
from core.weights.folder import WEIGHTS_FILE
from core.weights.sam2_names import SAM_TYPES
from flows.cli.console import open_console
from flows.cli.paths import HomePath

app = App(name="weights", help="List, get and verify model weights. Everything else works offline.")
_STYLES = {"ok": "green", "on disk": "green", "in part": "yellow", "missing": "dim", "damaged": "red"}


@app.command(name="list")
def list_weights(*, models: HomePath = MODELS) -> int:
    """Show the weights there are, and which of them are on disk.

    Args:
        models: folder of the weights.
    """
    table = Table(*(Column(name, no_wrap=True) for name in ("name", "does", "size")), "licence", "state")
    for weights in WEIGHTS:
        state = _presence(weights, models)
        licence = weights.licence + (", to accept" if weights.gated else "")
        row = (weights.name, weights.use, decimal(weights.size_bytes), licence)
        table.add_row(*row, Text(state, style=_STYLES[state]))
    for own in UNFETCHED_WEIGHTS:
        state = "on disk" if (models / own.name / WEIGHTS_FILE).is_file() else "missing"
        table.add_row(own.name, own.use, "", own.licence, Text(state, style=_STYLES[state]))
    console = open_console()
    console.print(table)
    sam2, folder = find_weights(SAM_TYPES[0]).place(models).parent, models / "NAME"
    console.print(
        f"They belong to {sam2}/NAME.pt, the others to {folder}/; `maskflow weights verify NAME` lists files. "
        "Each takes at least its size of a GPU's memory. Apache-2.0 allows commercial use; "
        "for other licences see their pages."
    )
    for own in UNFETCHED_WEIGHTS:
        console.print(f"{own.name}: {how_to_fetch(own, models)}.", soft_wrap=True)
    return 0


@app.command
def get(names: list[str], /, *, models: HomePath = MODELS, mirror: str | None = None) -> int:
    """Download weights. Goes on where it was interrupted, where the server can; checks SHA-256 before a file counts.

    Args:
        names: which, as in `maskflow weights list`.
        models: folder of the weights.
        mirror: address to take them from instead of their source, laid out like the models folder.
    """
    chosen = [find_weights(name) for name in names]
    if mirror is not None and not mirror.startswith(("http://", "https://")):
        raise RefusedInput.of("mirror", mirror, "an address that begins with http:// or https://")
    failed = {}
    console = open_console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(TextColumn("{task.description}"), *columns, console=console, disable=not console.is_terminal) as bars:
        for weights in chosen:
            try:
                for file in weights.files:
                    bar = bars.add_task(file.path, total=file.size_bytes)
                    download(weights, file, models, mirror, partial(_show, bars, bar))
            except DownloadFailed as error:
                failed[weights.name] = str(error)
    for name, reason in failed.items():
        console.print(f"maskflow: {name}: {reason}", style="red", soft_wrap=True)
    for weights in chosen:
        if weights.name in failed:
            continue
        open_console().print(f"{weights.name}: {weights.place(models)} ({weights.licence})", soft_wrap=True)
    return 1 if failed else 0


@app.command
def verify(names: list[str] | None = None, /, *, models: HomePath = MODELS) -> int:
    """Check weights on disk against their published SHA-256; exit code 1 where one does not fit.

    Args:
        names: which; all that are on disk when left out.
        models: folder of the weights.
    """
    present = [weights for weights in WEIGHTS if _presence(weights, models) != "missing"]
    chosen = [find_weights(name) for name in names] if names else present
    table = Table("file", "state")
    states = {}
    with open_console(stderr=True).status("Reading …"):
        for weights in chosen:
            for file in weights.files:
                states[file.path] = state = check(file, models)
                table.add_row(file.path, Text(state, style=_STYLES[state]))
    if not states:
        open_console().print(f"No weights in {models}; `maskflow weights list` shows what there is.")
        return 0
    open_console().print(table)
    return 0 if set(states.values()) == {"ok"} else 1


def _show(bars: Progress, bar: TaskID, there: int) -> None:
    bars.update(bar, completed=there)


def _presence(weights: Weights, models: Path) -> str:
    """By names and sizes, which cost nothing to look at."""
    paths = [models / file.path for file in weights.files]
    if not any(path.is_file() or part_of(path).is_file() for path in paths):
        return "missing"
    if not all(path.is_file() for path in paths):
        return "in part"
    sizes = all(file.size_bytes in (None, path.stat().st_size) for path, file in zip(paths, weights.files, strict=True))
    return "on disk" if sizes else "damaged"
