"""Long videos made here, with exact truth and HD-EPIC-like annotations: objects that rest, are moved, leave the picture
and come back. Cheap to draw: only what moves is drawn anew. For benchmarks and tests of long videos."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from core.masks import Box, Mask
from core.masks.boxes import mask_box
from core.store.atomic import write_text

_COLOURS = {
    "red": (205, 40, 40),
    "blue": (40, 70, 210),
    "green": (40, 160, 60),
    "yellow": (225, 205, 40),
    "purple": (140, 50, 190),
    "pink": (230, 60, 170),
}
_NOUNS = ("mug", "bowl", "plate", "lid")
_Planes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Move:
    """An object is taken from one place to another, in a straight line: times in seconds, places of its centre."""

    start_s: float
    end_s: float
    source: tuple[float, float]
    target: tuple[float, float]


@dataclass(frozen=True)
class Thing:
    """A textured ellipse. It rests where a move left it; `moves` ascend in time."""

    name: str
    assoc_id: str
    rgb: tuple[int, int, int]
    half_size: tuple[int, int]
    home: tuple[float, float]
    moves: tuple[Move, ...]

    def centre(self, time_s: float) -> tuple[float, float]:
        """Centre x, y in pixels at a time."""
        place = self.home
        for move in self.moves:
            if time_s < move.start_s:
                break
            share = min(1.0, (time_s - move.start_s) / (move.end_s - move.start_s))
            place = tuple(a + share * (b - a) for a, b in zip(move.source, move.target, strict=True))  # type: ignore[assignment]
        return place


@dataclass(frozen=True)
class LongScene:
    """What the video shows, in front of a textured ground; later things hide earlier ones."""

    things: tuple[Thing, ...]
    duration_s: float
    width: int
    height: int
    fps: int
    seed: int

    @property
    def frames(self) -> int:
        """Number of frames."""
        return round(self.duration_s * self.fps)

    def masks(self, frame: int, scale: float = 1.0) -> dict[str, Mask]:
        """Visible part of every thing in the picture, by `assoc_id`: bool [H, W] at `scale`."""
        height, width = round(self.height * scale), round(self.width * scale)
        masks: dict[str, Mask] = {}
        for thing in self.things:
            shape = np.zeros((height, width), np.uint8)
            x, y = _drawn_at(thing, frame / self.fps)
            axes = (round(thing.half_size[0] * scale), round(thing.half_size[1] * scale))
            cv2.ellipse(shape, (round(x * scale), round(y * scale)), axes, 0, 0, 360, 1, -1)
            mask = np.asarray(shape.view(np.bool_), np.bool_)
            for other in masks.values():
                other &= ~mask
            masks[thing.assoc_id] = mask
        return {assoc_id: mask for assoc_id, mask in masks.items() if mask.any()}

    def boxes(self, frame: int) -> dict[str, Box]:
        """Boxes of the visible parts, in pixels of the video."""
        found = {assoc_id: mask_box(mask) for assoc_id, mask in self.masks(frame, 0.5).items()}
        return {assoc_id: tuple(2 * v for v in box) for assoc_id, box in found.items() if box is not None}  # type: ignore[misc]

    @cached_property
    def ground(self) -> _Planes:
        """The empty picture as YUV 4:2:0 planes, [3 H / 2, W]."""
        rng = np.random.default_rng(self.seed)
        size = (self.width, self.height)
        noise = sum(
            weight * cv2.resize(rng.random((self.height // step, self.width // step), np.float32), size)
            for step, weight in ((80, 0.6), (24, 0.3), (8, 0.1))
        )
        grey = np.asarray(60 + 120 * np.asarray(noise), np.uint8)
        return np.asarray(cv2.cvtColor(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), cv2.COLOR_RGB2YUV_I420), np.uint8)

    def pictures(self) -> Iterator[_Planes]:
        """Every frame as YUV 4:2:0 planes, [3 H / 2, W]. The array is drawn over by the next one."""
        sprites = [_Sprite(thing, number) for number, thing in enumerate(self.things)]
        canvas = self.ground.copy()
        for frame in range(self.frames):
            for sprite in sprites:
                sprite.erase(canvas, self)
            for sprite in sprites:
                sprite.draw(canvas, self, frame / self.fps)
            yield canvas


def _drawn_at(thing: Thing, time_s: float) -> tuple[int, int]:
    # Chroma has half the resolution: whole pairs of pixels.
    x, y = thing.centre(time_s)
    return 2 * round(x / 2), 2 * round(y / 2)


class _Sprite:
    """A thing's pixels, and where they were drawn last."""

    def __init__(self, thing: Thing, number: int) -> None:
        self._thing = thing
        a, b = (2 * round(half / 2) for half in thing.half_size)
        rng = np.random.default_rng(number)
        shade = cv2.resize(rng.random((8, 8), np.float32), (2 * a, 2 * b), interpolation=cv2.INTER_CUBIC)
        rgb = np.clip(np.array(thing.rgb) * (0.6 + 0.6 * shade[..., None]), 0, 255).astype(np.uint8)
        planes = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
        shape = np.zeros((2 * b, 2 * a), np.uint8)
        cv2.ellipse(shape, (a, b), (a, b), 0, 0, 360, 1, -1)
        self._half = (a, b)
        self._parts = [*_split(np.asarray(planes, np.uint8), 2 * a, 2 * b)]
        self._shapes = [shape > 0, *[shape[::2, ::2] > 0] * 2]
        self._drawn: tuple[int, int] | None = None

    def erase(self, canvas: _Planes, scene: LongScene) -> None:
        if self._drawn is not None:
            for (target, source), _, _ in self._places(canvas, scene, self._drawn):
                target[:] = source

    def draw(self, canvas: _Planes, scene: LongScene, time_s: float) -> None:
        self._drawn = _drawn_at(self._thing, time_s)
        for (target, _), part, shape in self._places(canvas, scene, self._drawn):
            np.copyto(target, part, where=shape)

    def _places(self, canvas: _Planes, scene: LongScene, centre: tuple[int, int]) -> Iterator[tuple[Any, Any, Any]]:
        """Of each plane: the part under the sprite and its empty ground, and the sprite's own part in the picture."""
        planes = zip(
            _split(canvas, scene.width, scene.height), _split(scene.ground, scene.width, scene.height), strict=True
        )
        for number, (target, source) in enumerate(planes):
            step = 1 if number == 0 else 2
            left, top = (centre[0] - self._half[0]) // step, (centre[1] - self._half[1]) // step
            part, shape = self._parts[number], self._shapes[number]
            rows = slice(max(0, -top), max(0, min(part.shape[0], target.shape[0] - top)))
            columns = slice(max(0, -left), max(0, min(part.shape[1], target.shape[1] - left)))
            if rows.stop <= rows.start or columns.stop <= columns.start:
                continue
            there = (slice(rows.start + top, rows.stop + top), slice(columns.start + left, columns.stop + left))
            yield (target[there], source[there]), part[rows, columns], shape[rows, columns]


def _split(planes: _Planes, width: int, height: int) -> list[_Planes]:
    flat = planes.reshape(-1)
    luma, chroma = width * height, width * height // 4
    return [
        flat[:luma].reshape(height, width),
        flat[luma : luma + chroma].reshape(height // 2, width // 2),
        flat[luma + chroma :].reshape(height // 2, width // 2),
    ]


def make_scene(
    duration_s: float, things: int = 12, width: int = 1920, height: int = 1080, fps: int = 30, seed: int = 0
) -> LongScene:
    """A scene in which every thing is moved every one to four minutes, and every fourth time out of the picture."""
    rng = np.random.default_rng(seed)
    unit = width / 1920
    made = []
    for number in range(things):
        colour = list(_COLOURS)[number % len(_COLOURS)]
        a, b = (2 * round(unit * rng.uniform(35, 55)) for _ in range(2))
        ends = (a + 20 * unit, width - a - 20 * unit), (b + 20 * unit, height - b - 20 * unit)

        def inside(ends: tuple[tuple[float, float], tuple[float, float]] = ends) -> tuple[float, float]:
            return float(rng.uniform(*ends[0])), float(rng.uniform(*ends[1]))

        home = place = inside()
        moves: list[Move] = []
        time_s, turn = float(rng.uniform(5, 60)), number
        while time_s < duration_s:
            leaves = turn % 4 == 3
            target = (place[0], -2.0 * b) if leaves else inside()
            speed = unit * float(rng.uniform(15, 30))
            end_s = time_s + float(np.hypot(target[0] - place[0], target[1] - place[1])) / speed
            moves.append(Move(time_s, end_s, place, target))
            time_s, place = end_s, target
            if leaves:  # comes back through the top, somewhere else
                above, target = (inside()[0], -2.0 * b), inside()
                target = (above[0], target[1])
                time_s += float(rng.uniform(20, 60))
                end_s = time_s + (target[1] - above[1]) / speed
                moves.append(Move(time_s, end_s, above, target))
                time_s, place = end_s, target
            time_s += float(rng.uniform(60, 240))
            turn += 1
        name = f"{colour} {_NOUNS[number // len(_COLOURS) % len(_NOUNS)]}"
        assoc_id = hashlib.sha256(f"{seed}/{number}".encode()).hexdigest()[:16]
        made.append(Thing(name, assoc_id, _COLOURS[colour], (a, b), home, tuple(moves)))
    return LongScene(tuple(made), duration_s, width, height, fps, seed)


def write_video(scene: LongScene, path: Path, gop: int) -> None:
    """Write the scene as H.264, quickly: `gop` frames from key frame to key frame."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=scene.fps, options={"preset": "ultrafast", "crf": "26", "g": str(gop)})
        stream.width, stream.height, stream.pix_fmt = scene.width, scene.height, "yuv420p"
        for number, planes in enumerate(scene.pictures()):
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, scene.fps)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def annotations(scene: LongScene) -> tuple[dict[str, Any], dict[str, Any]]:
    """The scene as HD-EPIC would annotate it: of each move its time, and a box when it begins and when it is over.

    Where a thing leaves or enters, the box is from when it was last or is first all in the picture.

    Returns:
        associations and masks of this video, as in `assoc_info.json` and `mask_info.json`.
    """
    associations: dict[str, Any] = {}
    masks: dict[str, Any] = {}
    for thing in scene.things:
        tracks = []
        for number, move in enumerate(thing.moves):
            shown = []
            for end, time_s in enumerate((move.start_s, move.end_s)):
                frame = min(round(time_s * scene.fps), scene.frames - 1)
                box = scene.boxes(frame).get(thing.assoc_id) if time_s < scene.duration_s else None
                if box is None or box[1] <= 0:
                    continue
                mask_id = f"{thing.assoc_id}-{number}-{end}"
                masks[mask_id] = {"frame_number": frame, "3d_location": [0, 0, 0], "bbox": list(box), "fixture": None}
                shown.append(mask_id)
            if shown:
                segment = [move.start_s, min(move.end_s, scene.duration_s)]
                tracks.append({"track_id": f"{thing.assoc_id}-{number}", "time_segment": segment, "masks": shown})
        associations[thing.assoc_id] = {"name": thing.name, "tracks": tracks}
    return associations, masks


def write_annotations(scene: LongScene, folder: Path, video_id: str) -> None:
    """Write `assoc_info.json`, `mask_info.json` and `scene_graphs_{video_id}.jsonl`."""
    associations, masks = annotations(scene)
    write_text(folder / "assoc_info.json", json.dumps({video_id: associations}))
    write_text(folder / "mask_info.json", json.dumps({video_id: masks}))
    graph = {"counter": [thing.name for thing in scene.things], "wall": ["clock", "shelf"]}
    event = {"video_id": video_id, "time": 0.0, "action": "INITIAL", "object_name": None, "mask_id": None}
    write_text(folder / f"scene_graphs_{video_id}.jsonl", json.dumps({**event, "scene_graph": graph}) + "\n")


def prompts_of(scene: LongScene) -> list[dict[str, Any]]:
    """A box for each thing on the first frame."""
    boxes = scene.boxes(0)
    return [
        {"obj_id": number, "label": thing.name, "box": list(boxes[thing.assoc_id])}
        for number, thing in enumerate(scene.things, 1)
        if thing.assoc_id in boxes
    ]


def prompted_scene(folder: Path, name: str, minutes: float) -> LongScene:
    """A scene of three things, as NAME.mp4 in a folder, with the prompts.json to track them."""
    scene = make_scene(60 * minutes, things=3, width=480, height=270, fps=10)
    write_video(scene, folder / f"{name}.mp4", 100)
    (folder / "prompts.json").write_text(json.dumps({name: prompts_of(scene)}))
    return scene
