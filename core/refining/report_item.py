"""The work of one item: the scores of all scenes put together, and a page that shows them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from core.formats.review_jsonl import ReviewEntry, read_review, write_review
from core.quality.review import worst_first
from core.refining import chunk_item
from core.refining.chunk_item import read_scores
from core.refining.compare_item import read_truth
from core.refining.report import ReportRequest, RunSummary, SceneRequest, Shown, write_report
from core.refining.summaries import summarise

REPORT_FILE, SUMMARY_FILE, IMAGES_FILE, REVIEW_FILE = "report.html", "report.json", "images.jsonl", "review.jsonl"


def report_refined(request: dict[str, Any], folder: Path, report: Callable[[int, int | None], None]) -> dict[str, Any]:
    """Leave `report.html`, `report.json`, `images.jsonl` (a line for each image) and `review.jsonl` in `folder`.

    Args:
        request: a `ReportRequest` as JSON-able values.
        folder: where the outputs go.
        report: told pictures drawn and expected.

    Returns:
        `scenes`: a `SceneSummary` for each, by name; `total`: of all.
    """
    asked = ReportRequest.model_validate(request)
    shown: list[Shown] = []
    scenes = {}
    for scene in asked.scenes:
        found = _images(scene)
        scenes[scene.name] = summarise([one.score for one in found], scene.total_images)
        shown += found
    total = summarise([one.score for one in shown], sum(scene.total_images for scene in asked.scenes))
    summary = RunSummary(total=total, scenes=scenes)
    with (folder / IMAGES_FILE).open("w", encoding="utf-8") as lines:
        for one in shown:
            line = {"scene": one.scene, **one.score.model_dump(mode="json")}
            lines.write(json.dumps(line, ensure_ascii=False) + "\n")
    (folder / SUMMARY_FILE).write_text(summary.model_dump_json(indent=1) + "\n", encoding="utf-8")
    review = worst_first(entry for scene in asked.scenes for entry in _doubtful(scene))
    write_review(folder / REVIEW_FILE, review)
    write_report(folder / REPORT_FILE, asked, summary, shown, review, report)
    return summary.model_dump(mode="json")


def _doubtful(scene: SceneRequest) -> Iterator[ReviewEntry]:
    for chunk in scene.chunks:
        for entry in read_review(chunk.folder / chunk_item.REVIEW_FILE):
            yield entry.model_copy(update={"video": f"{scene.name}/{entry.video}"})


def _images(scene: SceneRequest) -> list[Shown]:
    found = []
    for chunk in scene.chunks:
        files = {one.image.name: one for one in chunk.images}
        known = {} if chunk.compared is None else read_truth(chunk.compared)
        for score in read_scores(chunk.folder):
            refined, truth = chunk.folder / f"{score.image}.pth", chunk.truth.get(score.image)
            told = score.model_copy(update={"truth": known.get(score.image)})
            found.append(Shown(scene.name, told, files[score.image], refined, truth))
    return found
