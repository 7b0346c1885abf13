"""CVAT's exports of tasks, jobs and images, and what CVAT shows of ours."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from neutral import HEIGHT, WIDTH, seen_mask, sightings, square, video, write_file

from core.formats.exchange.exporting import export
from core.formats.exchange.model import SeenFrame
from core.formats.exchange.registry import read_results
from core.formats.exchange.sources import Sources

_META = (
    "<meta><{0}><size>5</size><mode>{1}</mode><start_frame>0</start_frame><stop_frame>4</stop_frame>{2}</{0}>{3}</meta>"
)
_SIZE = f"<original_size><width>{WIDTH}</width><height>{HEIGHT}</height></original_size>"
_BOX = '<box frame="{}" outside="0" keyframe="1" xtl="2" ytl="3" xbr="8" ybr="9"/>'
_MASK = '<mask frame="{}" outside="0" keyframe="1" rle="0, 4" left="{}" top="1" width="2" height="2"/>'


_SOURCE = "<source>walk.mp4</source>"


@pytest.mark.parametrize(
    "meta",
    [_META.format("task", "interpolation", _SIZE, _SOURCE), _META.format("job", "interpolation", "", _SIZE + _SOURCE)],
)
def test_cvat_has_size_and_source_in_several_places(tmp_path: Path, meta: str) -> None:
    write_file(
        tmp_path / "annotations.xml",
        f'<annotations>{meta}<track id="0" label="x">{_BOX.format(0)}</track></annotations>',
    )
    (found,) = read_results(tmp_path / "annotations.xml")
    assert (found.name, found.width, found.path) == ("walk", WIDTH, "walk.mp4")
    assert [len(frame.objects) for frame in found.read()] == [1] * 5


def test_groups_of_cvat_are_no_identity_but_in_our_own_files(tmp_path: Path) -> None:
    tracks = "".join(
        f'<track id="{n}" label="x" group_id="1">{_MASK.format(frame, 1 + 9 * n)}</track>'
        for n, frame in enumerate((0, 0, 2))
    )
    write_file(tmp_path / "a.xml", _task(tracks))
    assert len({one.obj_id for _, one in sightings(read_results(tmp_path / "a.xml"))}) == 3
    frames = [SeenFrame(n, n / 25, (seen_mask(5, square(2 + n, 3)),)) for n in range(3)]
    export([video(frames)], "cvat", tmp_path / "ours", shape="mask")
    assert {one.obj_id for _, one in sightings(read_results(tmp_path / "ours"))} == {5}


def test_shapes_that_cannot_be_read_are_noted(tmp_path: Path) -> None:
    tracks = f'<track id="0" label="x"><ellipse frame="1"/></track><track id="1" label="x">{_BOX.format(0)}</track>'
    write_file(tmp_path / "a.xml", _task(tracks))
    sources = Sources()
    assert len(sightings(read_results(tmp_path / "a.xml", sources=sources))) == 5
    assert any("track 0, frame 1: left out: ellipse shapes are not read" in note for note in sources.notes)


def _task(tracks: str) -> str:
    return f"<annotations>{_META.format('task', 'interpolation', _SIZE, '')}{tracks}</annotations>"


@pytest.mark.parametrize("tracked", [True, False])
def test_cvat_for_images(tmp_path: Path, tracked: bool) -> None:
    identity = '<attribute name="track_id">7</attribute>' if tracked else ""
    images = "".join(
        f'<image id="{n}" name="walk/frame_{n:06}.png" width="{WIDTH}" height="{HEIGHT}">'
        f'<box label="dog" xtl="2" ytl="3" xbr="8" ybr="9">{identity}</box><points label="p" points="1,2"/></image>'
        for n in (0, 5)
    )
    write_file(tmp_path / "a.xml", f"<annotations>{_META.format('task', 'annotation', '', '')}{images}</annotations>")
    sources = Sources()
    (found,) = read_results(tmp_path / "a.xml", sources=sources)
    seen = sightings([found])
    assert found.tracked is tracked
    assert [(frame, one.obj_id, one.label) for frame, one in seen] == [(n, 7 if tracked else 1, "dog") for n in (0, 5)]
    assert len(list(sources.notes)) == 2


def _between(first: np.ndarray, last: np.ndarray, share: float) -> np.ndarray:
    """CVAT's polygon between two key frames: corners by their share of the outline, moved in straight lines."""
    if first.shape == last.shape and (first == last).all():
        return first

    def even(points: np.ndarray) -> np.ndarray:
        closed = np.vstack([points, points[:1]])
        along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
        at = np.linspace(0, along[-1], 64, endpoint=False)
        return np.column_stack([np.interp(at, along, closed[:, axis]) for axis in (0, 1)])

    return even(first) * (1 - share) + even(last) * share


def _cvat_shows(xml: Path) -> dict[tuple[str, int], np.ndarray]:
    """What CVAT shows of each track on each frame, from its key frames alone."""
    shown = {}
    root = ET.parse(xml).getroot()
    stop = int(root.findtext("meta/task/stop_frame") or 0)
    for track in root.iter("track"):
        keys = [
            (int(one.get("frame") or 0), one.get("outside") == "1",
             np.array([p.split(",") for p in (one.get("points") or "").split(";")], float))
            for one in track.iter("polygon")
        ]  # fmt: skip
        for (frame, outside, points), after in zip(keys, [*keys[1:], None], strict=True):
            end = stop + 1 if after is None else after[0]
            for now in range(frame, end):
                place = points
                if after is not None and not after[1]:
                    place = _between(points, after[2], (now - frame) / (end - frame))
                if not outside:
                    shown[track.get("id") or "", now] = place
    return shown


def test_cvat_shows_polygons_where_they_are(tmp_path: Path) -> None:
    """CVAT moves polygons all the way from one key frame to the next: one that stood still needs a key at its end."""
    places: dict[int, list[int | None]] = {
        1: [2, 2, 2, 2, 8, 9, 9, 9, 3],
        2: [None, 5, 5, 5, None, None, 4, 4, 6],
    }
    frames = [
        SeenFrame(
            n, n / 25,
            tuple(
                seen_mask(obj_id, square(x, 3 * obj_id))
                for obj_id, row in places.items()
                if (x := row[n]) is not None
            ),
        )
        for n in range(9)
    ]  # fmt: skip
    export([video(frames)], "cvat", tmp_path / "out", shape="polygon")
    (xml,) = (tmp_path / "out").rglob("*.xml")
    shown = _cvat_shows(xml)
    assert set(shown) == {(str(one.obj_id), f.source_frame) for f in frames for one in f.objects}
    for frame in frames:
        for one in frame.objects:
            assert one.rle is not None
            x0, y0, _, _ = one.box_xyxy
            corners = shown[str(one.obj_id), frame.source_frame]
            np.testing.assert_allclose(corners.min(axis=0), (x0, y0), atol=0.01)


def test_cvat_for_images_of_several_folders_and_sizes(tmp_path: Path) -> None:
    shape = '<box label="d" xtl="2" ytl="3" xbr="8" ybr="9"><attribute name="track_id">{}</attribute></box>'
    images = "".join(
        f'<image id="{n}" name="{name}" width="{width}" height="{HEIGHT}">{shape.format(n % 2)}</image>'
        for n, (name, width) in enumerate(
            [("cam0/000000.jpg", WIDTH), ("cam0/000001.jpg", WIDTH), ("cam1/000000.jpg", WIDTH), ("cam1/x.jpg", 50)]
        )
    )
    write_file(tmp_path / "a.xml", f"<annotations>{_META.format('task', 'annotation', '', '')}{images}</annotations>")
    found = read_results(tmp_path / "a.xml")
    assert [(one.place[-1], one.width, [f.source_frame for f in one.read()]) for one in found] == [
        ("cam0", WIDTH, [0, 1]), ("cam1", WIDTH, [0]), ("cam1", 50, [0]),
    ]  # fmt: skip
    assert [one.obj_id for _, one in sightings(found[:1])] == [1, 2], "0 is an id, too"
