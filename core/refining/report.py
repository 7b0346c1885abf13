"""The page about a run: what refining did to each scene, with pictures of the worst and of a sample."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from core.errors import BadMedia, UnsafeFile
from core.formats.id_maps import read_id_map
from core.formats.review_jsonl import ReviewEntry
from core.progress import Progress
from core.refining.chunk_item import ImageRequest
from core.refining.pictures import before_and_after, picture_of_map
from core.refining.scores import ImageScore
from core.refining.summaries import SceneSummary
from core.report.page import (
    FAILED,
    LOOK_FIRST,
    Page,
    Section,
    Table,
    facts_table,
    look_first,
    warnings_of,
    write_run_page,
)
from core.report.run_facts import RunFacts, run_sections

_WORST, _SAMPLE = 4, 4
_MOST_ROWS = 200
_MOST_IDS = 30


class Chunk(BaseModel):
    """A finished chunk: its folder, the files of its images, the folder of its comparison and the true maps, if any."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    folder: Path
    images: list[ImageRequest]
    compared: Path | None = None
    truth: dict[str, Path] = Field(default_factory=dict)


class SceneRequest(BaseModel):
    """One scene: its finished chunks, and the images (or "": the scene) that failed, with the reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    total_images: int
    chunks: list[Chunk] = Field(default_factory=list)
    failures: list[tuple[str, str]] = Field(default_factory=list)
    warnings: list[tuple[str, str]] = Field(default_factory=list)


class ReportRequest(BaseModel):
    """All scenes, what the page says of the run (settings and models, name and value), and ids that are no objects."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    title: str
    scenes: list[SceneRequest]
    facts: list[tuple[str, str]] = Field(default_factory=list)
    run: RunFacts = Field(default_factory=RunFacts)
    background: tuple[int, ...] | None = None


class RunSummary(BaseModel):
    """`report.json`: every scene, and all together."""

    model_config = ConfigDict(frozen=True)
    total: SceneSummary
    scenes: dict[str, SceneSummary]


@dataclass(frozen=True)
class Shown:
    """A refined image: its scores and files."""

    scene: str
    score: ImageScore
    files: ImageRequest
    refined: Path
    truth: Path | None

    @property
    def name(self) -> str:
        """Scene and image."""
        return f"{self.scene}/{self.score.image}"

    @property
    def badness(self) -> tuple[float, float]:
        """Most lost against the truth first, then most changed."""
        truth = self.score.truth
        return (0.0 if truth is None else truth.miou_after - truth.miou_before), self.score.mean_iou


def write_report(
    folder: Path,
    request: ReportRequest,
    summary: RunSummary,
    shown: Sequence[Shown],
    review: Sequence[ReviewEntry],
    report: Progress,
) -> None:
    """Write the page; `review`: ids that may be wrong, worst first; `report` gets pictures drawn and expected."""
    sections = _sections(request, summary, shown, review, report)
    write_run_page(folder, Page(request.title, _figures(summary.total), sections, warnings_of(request.facts)))


def _figures(total: SceneSummary) -> list[tuple[str, str]]:
    figures = [
        ("images refined", f"{total.successful} of {total.total_images}"),
        ("ids with masks", f"{total.total_sam_matched} of {total.total_objects}"),
        ("pixels changed", f"{total.avg_changed:.1%}"),
        ("ids lost", str(total.ids_lost)),
    ]
    if total.truth is not None:
        t = total.truth
        figures += [
            (f"mIoU, {t.images} images", f"{t.miou_before:.3f} → {t.miou_after:.3f}"),
            ("boundary F", f"{t.boundary_f_before:.3f} → {t.boundary_f_after:.3f}"),
            ("images better / worse", f"{t.better} / {t.worse}"),
        ]
    return figures


def _sections(
    request: ReportRequest,
    summary: RunSummary,
    shown: Sequence[Shown],
    review: Sequence[ReviewEntry],
    report: Progress,
) -> list[Section]:
    sections = [
        Section("Scenes", _ABOUT_SCENES, table=_scene_table(summary)),
        Section("How they were refined", table=facts_table(request.facts)),
    ]
    failures = [
        (f"{scene.name}/{image}" if image else scene.name, why)
        for scene in request.scenes
        for image, why in scene.failures
    ]
    if failures:
        note = _cut(len(failures), "failures.jsonl")
        sections.append(Section("Not refined", note, table=Table(("what", "why"), failures[:_MOST_ROWS]), rank=FAILED))
    warnings = [(f"{scene.name}/{image}", what) for scene in request.scenes for image, what in scene.warnings]
    if warnings:
        sections.append(Section("Warnings", table=Table(("image", "what"), warnings[:_MOST_ROWS])))
    worst = sorted(shown, key=lambda one: one.badness)[:_WORST]
    others = [one for one in shown if one not in worst]
    sample = random.Random(0).sample(others, min(_SAMPLE, len(others)))  # noqa: S311 - the same at every run
    for done, (why, one) in enumerate([*(("worst", one) for one in worst), *(("sample", one) for one in sample)], 1):
        shown_first = LOOK_FIRST if why == "worst" else 0
        sections.append(replace(_pictures(why, one, request.background), rank=shown_first))
        report(done, len(worst) + len(sample))
    if shown:
        sections.insert(0, _review_section(review))
        sections.append(Section("Ids that changed most", _ABOUT_IDS, table=_id_table(shown)))
    return [*sections, *run_sections(request.run)]


_ABOUT_SCENES = (
    "background: pixels under no matched mask (they keep their id). changed: pixels with another id than before. "
    "made: share of the changes proposed by masks that were made, because the colours of the picture bear them out. "
    "IoU and F (of boundaries): of the refined map with the one before, no accuracy; to truth: before and after."
)
_ABOUT_REVIEW = "Ids that may be wrong, by cheap signs, the most suspicious first; all of them are in review.jsonl."
_ABOUT_IDS = "Lowest IoU of an id's pixels after with those before; 0 masks: no mask fits, it kept its own."


def _review_section(review: Sequence[ReviewEntry]) -> Section:
    rows = [(one.video, one.obj_id, f"{one.suspicion:.2f}", one.why) for one in review[:_MOST_IDS]]
    table = Table(("image", "id", "suspicion", "why"), rows) if rows else None
    return look_first(_ABOUT_REVIEW, table)


def _cut(number: int, where: str) -> str:
    return f"The first {_MOST_ROWS} of {number}; all are in {where}." if number > _MOST_ROWS else ""


def _scene_table(summary: RunSummary) -> Table:
    heads = ["scene", "images", "background", "matched", "merged", "ids", "unlabelled", "changed", "made", "IoU", "F"]
    truth = summary.total.truth is not None
    if truth:
        heads += ["mIoU to truth", "F to truth", "better / worse"]
    rows = [[name, *_scene_row(scene, truth)] for name, scene in list(summary.scenes.items())[:_MOST_ROWS]]
    if len(summary.scenes) > 1:
        rows.append(["all", *_scene_row(summary.total, truth)])
    return Table(heads, rows)


def _scene_row(scene: SceneSummary, truth: bool) -> list[str]:
    if scene.successful == 0:
        return [f"0 of {scene.total_images}"]
    row = [
        f"{scene.successful} of {scene.total_images}",
        f"{scene.avg_invalid_ratio:.1%}",
        str(scene.total_sam_matched),
        str(scene.total_merged),
        str(scene.total_objects),
        f"{scene.avg_unlabelled_before:.1%} → {scene.avg_unlabelled_after:.1%}",
        f"{scene.avg_changed:.2%}",
        "" if scene.avg_accepted_ratio is None else f"{scene.avg_accepted_ratio:.0%}",
        f"{scene.avg_mean_iou:.3f}",
        f"{scene.avg_boundary_f:.3f}",
    ]
    if truth and scene.truth is None:
        row += ["", "", ""]
    elif scene.truth is not None:
        t = scene.truth
        row += [
            f"{t.miou_before:.3f} → {t.miou_after:.3f}",
            f"{t.boundary_f_before:.3f} → {t.boundary_f_after:.3f}",
            f"{t.better} / {t.worse}",
        ]
    return row


def _pictures(why: str, one: Shown, background: tuple[int, ...] | None) -> Section:
    try:
        truth = None if one.truth is None else read_id_map(one.truth)
        before, after = read_id_map(one.files.id_map), read_id_map(one.refined)
        pictures = before_and_after(picture_of_map(one.files.image, before.shape)[0], before, after, truth, background)
    except (BadMedia, UnsafeFile) as error:  # changed since it was refined
        return Section(one.name, f"{why}: no pictures ({error})")
    score = one.score
    note = f"{why}: {score.changed:.2%} of the pixels changed, IoU with before {score.mean_iou:.3f}"
    if score.truth is not None:
        note += f"; mIoU to the truth {score.truth.miou_before:.3f} → {score.truth.miou_after:.3f}"
    return Section(one.name, note, pictures=pictures)


def _id_table(shown: Sequence[Shown]) -> Table:
    ids = sorted(((i.iou, one.name, i) for one in shown for i in one.score.ids), key=lambda row: row[:2])[:_MOST_IDS]
    rows = [
        [f"{name}: {i.id}", f"{i.pixels_before:,} → {i.pixels_after:,}", f"{iou:.3f}", str(i.num_masks)]
        for iou, name, i in ids
    ]
    return Table(("image: id", "pixels", "IoU", "masks"), rows)
