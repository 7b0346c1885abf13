"""Results judged by the truth: against slow plain versions of the definitions, and where they do not fit together."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from neutral import HEIGHT, WIDTH, video

from core.errors import RefusedInput
from core.evaluation.davis import contour_accuracy, over_frames
from core.evaluation.evaluate import Evaluation, How, evaluate
from core.formats.exchange.model import SeenFrame, SeenObject, VideoResults
from core.formats.exchange.sources import Sources
from core.masks import Mask, rle


def _square(x: int, y: int, side: int = 6) -> Mask:
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[y : y + side, x : x + side] = True
    return mask


def _seen(obj_id: int, mask: Mask, label: str = "thing", score: float | None = None) -> SeenObject:
    packed = rle.encode(mask)
    return SeenObject(obj_id, label, rle.box_xyxy(packed), score, packed)


def _video(frames: Sequence[Sequence[SeenObject]], name: str = "walk") -> VideoResults:
    return video([SeenFrame(i, i / 25, tuple(objects)) for i, objects in enumerate(frames)], name)


def _judge(truth: VideoResults, found: VideoResults, how: How | None = None) -> Evaluation:
    return evaluate([truth], [found], how or How(), lambda what, done, expected: None)


def _plain_f(predicted: Mask, truth: Mask) -> float:
    """F as the benchmark's text has it, pixel by pixel: a boundary pixel differs from its right, lower or diagonal
    neighbour; it is matched where the other boundary comes within the tolerance."""

    def boundary(mask: Mask) -> list[tuple[int, int]]:
        height, width = mask.shape
        found = []
        for y in range(height):
            for x in range(width):
                others = [(y, x + 1), (y + 1, x), (y + 1, x + 1)]
                if any(a < height and b < width and mask[a, b] != mask[y, x] for a, b in others):
                    found.append((y, x))
        return found

    def matched(some: list[tuple[int, int]], others: list[tuple[int, int]]) -> float:
        near = sum(any((a - c) ** 2 + (b - d) ** 2 <= reach**2 for c, d in others) for a, b in some)
        return near / len(some)

    reach = math.ceil(0.008 * math.hypot(*truth.shape))
    first, second = boundary(predicted), boundary(truth)
    if not first or not second:
        return float(not first and not second)
    precision, recall = matched(first, second), matched(second, first)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 25), st.integers(0, 17), st.integers(0, 25), st.integers(0, 17), st.integers(0, 999))
def test_f_is_that_of_a_plain_version(x: int, y: int, u: int, v: int, seed: int) -> None:
    noise = np.random.default_rng(seed).random((HEIGHT, WIDTH)) < 0.03
    first, second = _square(x, y) ^ noise, _square(u, v, 9)
    assert contour_accuracy(first, second) == pytest.approx(_plain_f(first, second))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_recall_and_decay_are_those_of_the_benchmark(values: list[float]) -> None:
    count = len(values)
    ends = [math.floor(1 + (count - 1) * quarter / 4 + 1e-10 + 0.5) - 1 for quarter in range(5)]
    reported = over_frames(values)
    assert reported.mean == pytest.approx(sum(values) / count)
    assert reported.recall == pytest.approx(sum(value > 0.5 for value in values) / count)
    if all(abs((1 + (count - 1) * q / 4) % 1 - 0.5) > 1e-6 for q in range(5)):  # halves round to even there
        first, last = values[ends[0] : ends[1] + 1], values[ends[3] : ends[4] + 1]
        assert reported.decay == pytest.approx(sum(first) / len(first) - sum(last) / len(last))


def test_ids_are_matched_for_the_whole_video_and_the_unmatched_count_as_nothing() -> None:
    truth = _video([[_seen(1, _square(2, 2)), _seen(2, _square(20, 10))]] * 4)
    found = _video([[_seen(7, _square(2, 2), score=0.9), _seen(9, _square(10, 10), score=0.1)]] * 4)
    evaluation = _judge(truth, found)
    (score,) = evaluation.videos
    assert score.matched == {1: 7}
    assert [(one.truth_id, one.found_id, one.j.mean) for one in score.objects] == [(1, 7, 1.0), (2, None, 0.0)]
    assert evaluation.jf == pytest.approx(0.5)
    assert evaluation.identity is not None
    assert evaluation.identity.recall == pytest.approx(0.5)
    assert evaluation.precision.ap == pytest.approx(0.5, abs=0.02)


def test_an_object_that_is_away_on_both_sides_is_right_and_on_one_wrong() -> None:
    square = _square(2, 2)
    truth = _video([[_seen(1, square)], [], [_seen(1, square)]])
    found = _video([[_seen(1, square)], [], []])
    (score,) = _judge(truth, found).videos
    assert list(score.objects[0].per_frame) == [1.0, 1.0, 0.0]
    assert score.objects[0].f is not None
    assert score.objects[0].f.mean == pytest.approx(2 / 3)


def test_two_ids_that_swap_are_one_switch_each() -> None:
    left, right = _square(2, 2), _square(20, 10)
    truth = _video([[_seen(1, left), _seen(2, right)]] * 6)
    found = _video([[_seen(1, left), _seen(2, right)]] * 3 + [[_seen(2, left), _seen(1, right)]] * 3)
    identity = _judge(truth, found).identity
    assert identity is not None
    assert identity.switches == 2
    assert identity.det_a == pytest.approx(1.0)
    assert identity.ass_a < 0.6
    assert identity.idf1 == pytest.approx(0.5)


def test_foreground_skipped_ends_and_labels() -> None:
    truth = _video([[_seen(1, _square(0, 0)), _seen(2, _square(6, 0))]] * 3)
    found = _video([[_seen(1, np.asarray(_square(0, 0) | _square(6, 0), np.bool_), "other")]] * 3)
    assert _judge(truth, found, How(foreground=True)).jf == pytest.approx(1.0)
    assert len(_judge(truth, found, How(skip_ends=True)).videos[0].source_frames) == 1
    with pytest.raises(RefusedInput, match="no label in common: the truth has thing, the results other"):
        _judge(truth, found, How(by_label=True))


def test_boxes_are_judged_without_f() -> None:
    box = SeenObject(1, "person", (2.0, 2.0, 8.0, 8.0))
    evaluation = _judge(_video([[box]] * 3), _video([[box]] * 3))
    assert evaluation.f is None
    assert evaluation.j is not None
    assert evaluation.j.mean == 1.0
    assert evaluation.precision.ap == pytest.approx(1.0)


def test_what_does_not_fit_together_is_told_in_one_line() -> None:
    truth = _video([[_seen(1, _square(2, 2))]] * 4)
    small = VideoResults("walk", 16, 12, 25.0, lambda: iter(()))
    with pytest.raises(RefusedInput, match="of 32x24 pixels, the results are of 16x12: these are not the same"):
        _judge(truth, small)
    short = VideoResults("walk", WIDTH, HEIGHT, 25.0, _video([[]] * 2).read, length=2)
    with pytest.raises(RefusedInput, match="the truth has frame 3, the video of the results only 2 frames"):
        _judge(truth, short)
    with pytest.raises(RefusedInput, match="ids do not match: 1 in the truth, 5 in the results; use --match optimal"):
        _judge(truth, _video([[_seen(5, _square(2, 2))]] * 4), How(matching="same"))
    with pytest.raises(RefusedInput, match=r"no video of the truth \(a, b\) is called like one of the results"):
        evaluate([_video([], "a"), _video([], "b")], [_video([], "c"), _video([], "d")], How(), lambda *_: None)
    with pytest.raises(RefusedInput, match="the truth has no object on any frame"):
        _judge(_video([[]] * 3), truth)


def test_published_predictions_score_as_published(shared_data: Path) -> None:
    """J and F of a sequence, computed by davis2017-evaluation's own code (`benchmarks/README.md` says how)."""
    from core.formats.exchange.registry import read_results

    (truth,) = read_results(shared_data / "davis2016" / "Annotations" / "480p" / "drift-straight", "davis")
    (found,) = read_results(shared_data / "davis2017_predictions" / "osvos" / "drift-straight", "davis")
    evaluation = _judge(truth, found, How(foreground=True, skip_ends=True))
    assert evaluation.j is not None
    assert evaluation.f is not None
    wanted = (0.665461, 0.729167, 0.619852, 0.706774, 0.666667, 0.489586)
    reported = [evaluation.j.mean, evaluation.j.recall, evaluation.j.decay]
    reported += [evaluation.f.mean, evaluation.f.recall, evaluation.f.decay]
    assert reported == pytest.approx(wanted, abs=1e-4)


def test_what_was_missed_counts_also_where_results_do_not_list_empty_frames(tmp_path: Path) -> None:
    from core.formats.exchange import results_lines

    square = _square(2, 2)
    truth = _video([[_seen(1, square)]] * 6)
    found = _video([[_seen(1, square)]] * 3 + [[]] * 3)
    scores = []
    for schema in ("frames", "objects"):
        results_lines.write(tmp_path / f"{schema}.jsonl", [found], "frames" if schema == "frames" else "objects")
        (read,) = results_lines.read(tmp_path / f"{schema}.jsonl", Sources())
        evaluation = _judge(truth, read)
        assert evaluation.identity is not None
        scores.append((evaluation.jf, evaluation.identity.recall, len(evaluation.videos[0].frames)))
    assert scores[0] == scores[1]
    assert scores[0][0] == pytest.approx(0.5)
