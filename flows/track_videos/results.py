"""The review list and the page of `track_videos`: what to look at first, and what was done."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from prefect.logging import get_run_logger

from core.addresses.mirror import relative, shown
from core.formats.corrections import Corrections, used_corrections, write_corrections
from core.formats.review_jsonl import ReviewEntry, read_review
from core.formats.run_command import RunCommand, write_command
from core.quality.review import worst_first
from core.quality.review_item import REVIEW_FILE
from core.report.page import REPORT_FILE, WARNING, fact_of
from core.store.atomic import write_text
from core.text import one_line
from core.tracking.prompt_check import PromptProblem
from flows.track_videos.items import source_again
from flows.track_videos.plan import PROBLEMS, Plan
from tasks.inputs import Files, ListedFiles
from tasks.items import Item, Outcome, Stage
from tasks.reporting.delivery import deliver, undelivered
from tasks.reporting.facts import command_words, run_facts
from tasks.running import ItemRun, run_items

REVIEW = Stage(
    "review", "core.quality.review_item:review_video", lambda done: [f"{done['entries']} frames to look at"], version=2
)
_MOST_NAMES = 5
MAKE_REPORT = Stage("report", "core.tracking.report_item:report_tracked", lambda _: [], page=True, version=3)


def _short_names(videos: Sequence[str]) -> dict[str, str]:
    """Names for people: those of the files, the whole path where two are alike."""
    files = Counter(Path(video).name for video in videos)
    return {video: Path(video).name if files[Path(video).name] == 1 else video for video in videos}


def review_videos(run: ItemRun, plan: Plan, tracked: Sequence[Outcome]) -> list[Outcome]:
    """Look through what was tracked for signs of trouble."""
    items, names = [], _short_names(plan.videos)
    for outcome in tracked:
        if outcome.record is not None:
            name = names[outcome.item.name]
            request = {"name": name, "video": source_again(outcome), "tracks": str(outcome.folder)}
            inputs = {"name": name, "tracks": outcome.key}
            items.append(Item(outcome.item.name, inputs, request, outcome.item.cost))
    return run_about(run, REVIEW, items, "review", tracked)


def run_about(
    run: ItemRun, stage: Stage, items: Sequence[Item], what: str, tracked: Sequence[Outcome]
) -> list[Outcome]:
    """Make items about tracked videos: at work they are called `VIDEO (what)`, in their outcomes as the videos."""
    contents = {f"{one.item.name} ({what})": one.item.inputs["video"] for one in tracked if one.record is not None}
    named = [replace(item, name=f"{item.name} ({what})") for item in items]
    made = run_items(run, stage, named, inputs=Files(run.store, "video", contents))
    return [replace(one, item=item) for one, item in zip(made, items, strict=True)]


def doubtful_frames(reviewed: Sequence[Outcome]) -> list[ReviewEntry]:
    """The frames a person should look at, of all videos."""
    done = (one for one in reviewed if one.reason is None)
    return worst_first(entry for one in done for entry in read_review(one.folder / REVIEW_FILE))


def prompt_problems(tracked: Sequence[Outcome]) -> list[tuple[str, PromptProblem]]:
    """The prompts of each video that were not used or found nothing; logged, too."""
    problems = [
        (outcome.item.name, PromptProblem.model_validate(one))
        for outcome in tracked
        for one in (outcome.record or {}).get("problems", [])
    ]
    for video, one in problems:
        get_run_logger().warning("%s: %s: %s", one_line(video), one_line(one.where), one_line(one.what))
    return problems


def found_nothing(plan: Plan, tracked: Sequence[Outcome]) -> list[str]:
    """A warning, logged too, where videos were tracked and nothing was found in them."""
    empty = [one_line(Path(one.item.name).name) for one in tracked if (one.record or {}).get("objects") == 0]
    if not empty:
        return []
    more = f" and {len(empty) - _MOST_NAMES} more" if len(empty) > _MOST_NAMES else ""
    of_text = "point at it with a box (--prompts), or take another detector"
    remedy = of_text if plan.text_prompt is not None else f"see {PROBLEMS}"
    warning = f"Nothing was found in {', '.join(empty[:_MOST_NAMES])}{more}: {remedy}"
    get_run_logger().warning(warning)
    return [f"{WARNING}: {warning}"]


def mostly_doubtful(plan: Plan, tracked: Sequence[Outcome], reviewed: Sequence[Outcome]) -> list[str]:
    """A warning, logged too, where more than half of all objects are doubtful: what would help."""
    objects = sum((one.record or {}).get("objects", 0) for one in tracked)
    doubtful = sum(len((one.record or {}).get("doubtful", ())) for one in reviewed)
    if 2 * doubtful <= objects:
        return []
    warning = (
        f"Most objects are doubtful ({doubtful} of {objects}): look at the first pictures of the report. Boxes on "
        f"other frames help: `maskflow label --results {plan.results}`"
    )
    if plan.segmenter.weights is None:
        warning += "; and so do trained weights: `maskflow weights get sam2.1_hiera_tiny`"
    get_run_logger().warning(warning)
    return [f"{WARNING}: {warning}"]


def write_problems(path: Path, problems: Sequence[tuple[str, PromptProblem]]) -> None:
    """Write `problems.jsonl`: video, where and why a prompt came to nothing, a line each."""
    lines = (json.dumps({"video": video, **one.model_dump()}, ensure_ascii=False) + "\n" for video, one in problems)
    write_text(path, "".join(lines))


def make_report(
    run: ItemRun,
    plan: Plan,
    tracked: Sequence[Outcome],
    reviewed: Sequence[Outcome],
    failures: dict[str, str],
    problems: Sequence[tuple[str, PromptProblem]],
    notes: list[str],
) -> str | None:
    """Make the page about the run; why there is none."""
    done = [one for one in tracked if one.reason is None]
    names = _short_names(plan.videos)
    folders = {one.item.name: str(one.folder) for one in reviewed if one.reason is None}
    about = {
        "title": title(plan),
        "failures": [[names[video], failures[video]] for video in plan.videos if video in failures],
        "problems": [[names[video], f"{one.where}: {one.what}"] for video, one in problems],
        "facts": list(map(fact_of, notes)),
    }
    folder = plan.results.parent
    drawn = {v: {w: relative(Path(p), folder) for w, p in output_files(plan, v).items()} for v in plan.videos}
    files = [("results", plan.results.name), ("objects", objects_path(plan).name), ("review", REVIEW_FILE)]
    inputs = [[names[one.item.name], one.key, drawn[one.item.name]] for one in done]
    videos = [
        {
            "name": names[one.item.name], "video": source_again(one), "tracks": str(one.folder),
            "review": folders.get(one.item.name), "drawn": drawn[one.item.name],
        }
        for one in done
    ]  # fmt: skip
    request = {"videos": videos, "files": files, **about, "run": run_facts(run.made, plan.results)}
    item = Item("report", {"videos": inputs, "files": files, **about}, request, 1.0)
    (made,) = run_items(run, MAKE_REPORT, [item], inputs=ListedFiles("videos", "video"))
    if made.reason is not None:
        return made.reason
    try:
        deliver(made.folder / REPORT_FILE, report_path(plan), run.store.digests)
    except OSError as error:
        return undelivered(error)
    return None


def report_path(plan: Plan) -> Path:
    """Where the page goes: beside the results, called after them."""
    return plan.results.with_name(f"{plan.results.stem}_report.html")


def objects_path(plan: Plan) -> Path:
    """Where the table of all objects goes."""
    return plan.results.with_name(f"{plan.results.stem}_objects.csv")


def write_provenance(plan: Plan) -> None:
    """Beside the results, for who corrects them: the command that made them, and the corrections that are in them."""
    write_command(plan.results, RunCommand(words=command_words(), folder=Path.cwd()))
    used = used_corrections(plan.results)
    if plan.corrections:
        write_corrections(used, Corrections(videos=plan.corrections))
    else:
        used.unlink(missing_ok=True)


def output_files(plan: Plan, video: str) -> dict[str, str]:
    """What was drawn of a video, by what it is."""
    places = (("annotated_video", plan.annotated_video(video)), ("recording", plan.recording(video)))
    return {what: str(place) for what, place in places if place is not None and place.is_file()}


def delivered_files(plan: Plan, video: str) -> dict[str, str]:
    """The same, as people find it: at its address, where it belongs at one."""
    return {what: shown(Path(place)) for what, place in output_files(plan, video).items()}


def title(plan: Plan) -> str:
    """What the run is called, for people."""
    return f"Track {plan.text_prompt or ('given detections' if plan.detections else 'prompted objects')}"
