"""Results and the truth to judge them by, read together: each may say of the videos what the other does not."""

from dataclasses import replace
from pathlib import Path

from core.formats.exchange.model import VideoResults
from core.formats.exchange.registry import read_results
from core.formats.exchange.sources import MissingFacts, Sources
from core.video.frame_names import Origin, agreed_origin


def read_both(
    results: Path, results_format: str | None, truth: Path, truth_format: str | None, sources: Sources
) -> tuple[list[VideoResults], list[VideoResults], Sources]:
    """Results, truth, and where their videos are. What one of them does not say of the videos, the other may."""

    def read_truth(found: list[VideoResults], origin: Origin | None = None) -> tuple[list[VideoResults], Sources]:
        known = tuple(one.path for one in found if one.path is not None)
        more = replace(sources, known=known, like=tuple(found), truth=True, origin=origin)
        return read_results(truth, truth_format, more), more.of(len(found))

    try:
        found = read_results(results, results_format, sources)
    except MissingFacts:  # as in files of a tracker, which have no sizes
        right, more = read_truth([])
        found = read_results(results, results_format, replace(sources, like=tuple(right)))
    else:
        right, more = read_truth(found)
    origin = agreed_origin(one.origin for one in (*found, *right) if one.by_number)
    if any(one.by_number and one.origin != origin for one in found):
        found = read_results(results, results_format, replace(sources, like=tuple(right), origin=origin))
    if any(one.by_number and one.origin != origin for one in right):
        right, more = read_truth(found, origin)
    return found, right, more
