"""Recordings, read back with Rerun's own reader."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from rerun.chunk import RrdReader

from core.formats.exchange.model import SeenFrame, SeenObject
from core.formats.rerun_recording import record_tracks
from core.masks import rle
from core.masks.draw import colour

WIDTH, HEIGHT = 71, 45
BOXES = {3: (40, 10, 60, 30), 300: (5, 20, 21, 44)}
LABELS = {3: "red ball", 300: "dog"}


def _object(obj_id: int, shift: int) -> SeenObject:
    x0, y0, x1, y1 = BOXES[obj_id]
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[y0:y1, x0 + shift : x1 + shift] = True
    return SeenObject(obj_id, LABELS[obj_id], (x0 + shift, y0, x1 + shift, y1), 0.9, rle.encode(mask))


def _record(path: Path, obj_ids: tuple[int, ...]) -> None:
    with record_tracks(path, WIDTH, HEIGHT, identity="test") as recording:
        for frame in range(3):
            objects = tuple(_object(obj_id, 2 * frame) for obj_id in obj_ids)
            recording.log(SeenFrame(frame, frame / 10, objects), np.full((HEIGHT, WIDTH, 3), 90, np.uint8))


def _rows(path: Path, entity: str, component: str) -> list[Any]:
    """The values of a component, in the order of frames."""
    rows: list[tuple[int, Any]] = []
    for chunk in RrdReader(path).stream():
        batch = chunk.to_record_batch()
        if chunk.entity_path == entity and component in batch.schema.names:
            frames = batch.column("frame").to_pylist() if "frame" in batch.schema.names else [0] * batch.num_rows
            rows += zip(frames, batch.column(component).to_pylist(), strict=True)
    return [value for _, value in sorted(rows, key=lambda row: row[0])]


def _masks(path: Path) -> list[npt.NDArray[np.uint16]]:
    sizes = _rows(path, "/video/masks", "SegmentationImage:format")
    buffers = _rows(path, "/video/masks", "SegmentationImage:buffer")
    found = []
    for (size,), (buffer,) in zip(sizes, buffers, strict=True):
        data = np.asarray(buffer, np.uint8)
        wide = len(data) // (size["width"] * size["height"]) == 2
        pixels = data.view(np.uint16) if wide else data
        found.append(pixels.reshape(size["height"], size["width"]).astype(np.uint16))
    return found


@pytest.mark.parametrize("obj_ids", [(3,), (3, 300)])
def test_masks_lie_where_their_boxes_and_the_picture_are(tmp_path: Path, obj_ids: tuple[int, ...]) -> None:
    path = tmp_path / "tracks.rrd"
    _record(path, obj_ids)
    masks = _masks(path)
    assert [ids.shape for ids in masks] == [(HEIGHT, WIDTH)] * 3
    centres = _rows(path, "/video/boxes", "Boxes2D:centers")
    halves = _rows(path, "/video/boxes", "Boxes2D:half_sizes")
    for frame, ids in enumerate(masks):
        for number, obj_id in enumerate(obj_ids):
            rows, columns = np.nonzero(ids == obj_id)
            corner = np.array(centres[frame][number]) - halves[frame][number]
            other = np.array(centres[frame][number]) + halves[frame][number]
            np.testing.assert_allclose(corner, [columns.min(), rows.min()])
            np.testing.assert_allclose(other, [columns.max() + 1, rows.max() + 1])


def test_the_background_is_transparent_and_objects_have_their_names_and_colours(tmp_path: Path) -> None:
    path = tmp_path / "tracks.rrd"
    _record(path, (3, 300))
    *_, ((context,),) = [[row] for row in _rows(path, "/video", "AnnotationContext:context")]
    infos = {one["class_id"]: one["class_description"]["info"] for one in context}
    assert infos[0]["color"] == 0
    for obj_id, label in LABELS.items():
        red, green, blue = colour(obj_id)
        assert infos[obj_id]["label"] == f"{obj_id} {label}"
        assert infos[obj_id]["color"] == red << 24 | green << 16 | blue << 8 | 255


def test_a_frame_without_objects_clears_masks_and_boxes(tmp_path: Path) -> None:
    path = tmp_path / "tracks.rrd"
    with record_tracks(path, WIDTH, HEIGHT, identity="test") as recording:
        recording.log(SeenFrame(0, 0.0, (_object(3, 0),)), None)
        recording.log(SeenFrame(1, 0.1, ()), None)
    assert [ids.any() for ids in _masks(path)] == [True, False]
    assert _rows(path, "/video/boxes", "Boxes2D:centers")[1] in ([], None)


def test_an_error_while_recording_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="stop"),
        record_tracks(tmp_path / "a.rrd", WIDTH, HEIGHT, identity="test") as recording,
    ):
        recording.log(SeenFrame(0, 0.0, (_object(3, 0),)), None)
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []


_FULL = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from core.formats.exchange.model import SeenFrame
from core.formats.rerun_recording import record_tracks
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))
noise = np.random.default_rng(0).integers(0, 255, (100, 200, 3)).astype(np.uint8)
try:
    with record_tracks(Path(sys.argv[1]), 200, 100, identity="test") as recording:
        for frame in range(50):
            recording.log(SeenFrame(frame, frame / 10), noise)
except OSError as error:
    print(f"{error.filename}: {error.strerror}")
"""


def test_a_file_that_cannot_grow_is_an_error_and_no_wait_without_end(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FULL, tmp_path / "a.rrd"], capture_output=True, text=True, timeout=60, check=True
    )
    assert "a.rrd" in done.stdout
    assert "File too large" in done.stdout
    assert list(tmp_path.iterdir()) == []
