"""The work of one item: the scores of all scenes put together, and a page that shows them."""

import json
from collections.abc import Iterator
from pathlib import Path

from core.formats.review_jsonl import ReviewEntry, read_review, write_review
from core.item import item
from core.progress import Progress
from core.quality.review import worst_first
from core.refining import chunk_item
from core.refining.chunk_item import read_scores
from core.refining.compare_item import read_truth
from core.refining.report import ReportRequest, RunSummary, SceneRequest, Shown, write_report
from core.refining.summaries import summarise

SUMMARY_FILE, IMAGES_FILE, REVIEW_FILE = "report.json", "images.jsonl", "review.jsonl"


@item(ReportRequest)
def report_refined(request: ReportRequest, folder: Path, report: Progress) -> RunSummary:
    """Leave `report.html`, `report.json`, `images.jsonl` (a line for each image) and `review.jsonl` in `folder`.

    Returns:
        `scenes`: a `SceneSummary` for each, by name; `total`: of all.
    """
    shown: list[Shown] = []
    scenes = {}
    for scene in request.scenes:
        found = _images(scene)
        scenes[scene.name] = summarise([one.score for one in found], scene.total_images)
        shown += found
    total = summarise([one.score for one in shown], sum(scene.total_images for scene in request.scenes))
    summary = RunSummary(total=total, scenes=scenes)
    with (folder / IMAGES_FILE).open("w", encoding="utf-8") as lines:
        for one in shown:
            line = {"scene": one.scene, **one.score.model_dump(mode="json")}
            lines.write(json.dumps(line, ensure_ascii=False) + "\n")
    (folder / SUMMARY_FILE).write_text(summary.model_dump_json(indent=1) + "\n", encoding="utf-8")
    review = worst_first(entry for scene in request.scenes for entry in _doubtful(scene))
    write_review(folder / REVIEW_FILE, review)
    write_report(folder, request, summary, shown, review, report)
    return summary


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
            with_truth = score.model_copy(update={"truth": known.get(score.image)})
            found.append(Shown(scene.name, with_truth, files[score.image], refined, truth))
    return found
