"""What the truth says is not judged, in every format that has a place for it."""

from pathlib import Path
from typing import Any

import pytest
from neutral import seen_mask, square, video

from core.formats.exchange.exporting import export
from core.formats.exchange.model import Ignored, SeenFrame, SeenObject
from core.formats.exchange.registry import read_results
from core.masks import rle


@pytest.mark.parametrize(
    ("to", "rules"),
    [
        ("coco", ["crowd", "region", "distractor", "unjudged", "void"]),
        ("coco-video", ["crowd", "region", "distractor", "unjudged", "void"]),
        ("rerun", ["crowd", "region", "distractor", "unjudged", "void"]),
        ("mots", ["region"]),
        ("davis", ["void"]),
    ],
)
def test_what_is_not_judged_comes_back(tmp_path: Path, to: str, rules: list[Any]) -> None:
    crowd = square(20, 10)
    packed = rle.encode(crowd)
    for rule in rules:
        marks = (Ignored(rule, "ball", rle.box_xyxy(packed), packed),)
        frames = [SeenFrame(n, n / 25, (seen_mask(1, square(2 + n, 3)),), marks if n else ()) for n in range(3)]
        export([video(frames)], to, tmp_path / f"{to}-{rule}")
        (back,) = read_results(tmp_path / f"{to}-{rule}")
        read = list(back.read())[:3]
        assert [[one.rule for one in frame.ignored] for frame in read] == [[], [rule], [rule]]
        assert read[1].ignored[0].rle == packed
        assert [len(frame.objects) for frame in read] == [1, 1, 1]


def test_unjudged_rows_of_mot_come_back(tmp_path: Path) -> None:
    box = (9, 9, 15, 20)
    marks = (Ignored("distractor", "reflection", box, obj_id=7), Ignored("unjudged", "car", box, obj_id=7))
    export([video([SeenFrame(0, 0.0, (SeenObject(1, "person", (2, 3, 8, 9)),), marks)])], "mot", tmp_path / "out")
    (frame, *_) = read_results(tmp_path / "out")[0].read()
    assert {(one.rule, one.label) for one in frame.ignored} == {("distractor", "reflection"), ("unjudged", "car")}
    assert len(frame.objects) == 1
