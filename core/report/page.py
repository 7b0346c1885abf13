"""Report pages: one HTML file that needs nothing else, for people."""

import base64
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import cv2
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from core.masks.draw import colour
from core.report.plot import Plot
from core.text import clock
from core.video.frames import RGB

REPORT_FILE, PICTURES_FILE = "report.html", "pictures.json"
_MOST_PICTURES = 4
_JPEG_QUALITY = 80
_PICTURE_SIDE = 1024


@dataclass(frozen=True)
class Table:
    """Rows of text under heads; the first column is a name.

    `filter_by`: the head of a column with few different values, by which a reader can choose rows.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    filter_by: str | None = None

    @property
    def filtered_column(self) -> int | None:
        """The number of that column, where there is something to choose."""
        return None if self.filter_by is None or len(self.choices) < 2 else list(self.heads).index(self.filter_by)

    @property
    def choices(self) -> list[tuple[str, int]]:
        """Its values, each with the number of its rows, in the order in which they come first."""
        if self.filter_by is None:
            return []
        column = list(self.heads).index(self.filter_by)
        return list(Counter(row[column] for row in self.rows).items())


@dataclass(frozen=True)
class Bar:
    """A row of a timeline: the stretches in which something was there and single moments, in seconds. Its number picks
    the colour, the same as in pictures."""

    number: int
    name: str
    stretches: Sequence[tuple[float, float]]
    moments: Sequence[float] = ()


def note_presence(stretches: list[tuple[float, float]], time_s: float, step_s: float) -> None:
    """Note that something was there at a time, for a `Bar`: times ascend, and a pause longer than a step of `step_s`
    seconds begins a new stretch."""
    if stretches and time_s - stretches[-1][1] <= 1.6 * step_s:
        stretches[-1] = (stretches[-1][0], time_s)
    else:
        stretches.append((time_s, time_s))


@dataclass(frozen=True, eq=False)
class Picture:
    """An image [H, W, 3] with a line under it."""

    image: RGB
    caption: str

    @property
    def data(self) -> str:
        """As a data URL."""
        scale = min(1.0, _PICTURE_SIDE / max(self.image.shape[:2]))
        size = tuple(max(1, round(scale * side)) for side in self.image.shape[1::-1])
        small = cv2.resize(self.image, size, interpolation=cv2.INTER_AREA)
        _, jpeg = cv2.imencode(
            ".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        )
        return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()


@dataclass(frozen=True)
class Section:
    """A part of a page: whichever of these it has, in this order.

    Attributes:
        video: a file to play, relative to the page.
        links: a word and a file each, relative to the page.
        command: to copy.
        rank: parts of a lower one stand further up.
    """

    title: str
    note: str = ""
    links: Sequence[tuple[str, str]] = ()
    command: str = ""
    video: str = ""
    pictures: Sequence[Picture] = ()
    plots: Sequence[Plot] = ()
    timeline: Sequence[Bar] = ()
    duration_s: float = 0.0
    table: Table | None = None
    rank: int = 0


FAILED, LOOK_FIRST = -2, -1
"""Ranks of what failed and of what a person should look at: the first parts of every page."""


@dataclass(frozen=True)
class Page:
    """A whole page: `figures` are the few numbers that matter most, large at the top; `warnings` stand under them."""

    title: str
    figures: Sequence[tuple[str, str]]
    sections: Sequence[Section] = field(default_factory=list)
    warnings: Sequence[str] = ()

    @property
    def ordered(self) -> list[Section]:
        """The sections in the order in which they stand on the page: by rank."""
        return sorted(self.sections, key=lambda section: section.rank)


def look_first(about: str, table: Table | None, pictures: Sequence[Picture] = ()) -> Section:
    """What a person should look at first; without a table nothing is suspicious."""
    note = about if table is not None else "Nothing is suspicious."
    return Section("Look at these first", note, pictures=pictures, table=table, rank=LOOK_FIRST)


WARNING = "WARNING"
"""The name of a fact that belongs to the head of a page."""


def fact_of(note: str) -> tuple[str, str]:
    """A note as a fact: `Detector: sam3` gives Detector and sam3."""
    name, colon, text = note.partition(": ")
    return (name, text) if colon else ("", note)


def warnings_of(facts: Sequence[tuple[str, str]]) -> list[str]:
    """Those of the facts about a run that are warnings."""
    return [text for name, text in facts if name == WARNING]


def facts_table(facts: Sequence[tuple[str, str]]) -> Table:
    """The others."""
    return Table(("", ""), [fact for fact in facts if fact[0] != WARNING])


def _hex(number: int) -> str:
    return "#888888" if number == 0 else "#{:02x}{:02x}{:02x}".format(*(round(0.8 * part) for part in colour(number)))


def _address(path: str) -> str:
    """A path as a link has it; names that are no UTF-8 byte by byte."""
    return quote(path, errors="surrogateescape")


def _code(text: str) -> Markup:
    """Text in which what stands between backticks is code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def write_page(path: Path, page: Page) -> None:
    """Write a page; all text is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"clock": clock, "hex": _hex, "address": _address, "code": _code}
    html = environment.get_template("page.html.jinja").render(page=page)
    path.write_text(html, encoding="utf-8", errors="backslashreplace")


def write_run_page(folder: Path, page: Page) -> None:
    """Write the page about a run, and beside it its first pictures, for Prefect's UI."""
    write_page(folder / REPORT_FILE, page)
    pictures = (picture for section in page.ordered for picture in section.pictures)
    shown = [{"data_url": one.data, "caption": one.caption} for one in islice(pictures, _MOST_PICTURES)]
    (folder / PICTURES_FILE).write_text(json.dumps(shown, ensure_ascii=False), encoding="utf-8")


def read_pictures(folder: Path) -> list[tuple[str, str]]:
    """Data URL and caption of the first pictures of the run's page in this folder; none where there is no page."""
    try:
        shown = json.loads((folder / PICTURES_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return [(one["data_url"], one["caption"]) for one in shown]
