"""Clips made here, with exact truth: textured objects that move, hide behind things, leave and come back while the
camera moves. For the demo, tests and benchmarks."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from core.formats.exchange.model import SeenFrame, SeenObject, VideoResults
from core.masks import Mask, rle
from core.store.atomic import write_text
from core.store.safe_load import load_json
from core.video.frames import RGB
from core.video.writer import write_video

_COLOURS = {"red": (214, 44, 40), "green": (46, 168, 60), "blue": (40, 70, 214)}
_OCCLUDER = (120, 116, 110)


@dataclass(frozen=True)
class Actor:
    """A textured ellipse on a path, in pixels of the picture: it may swing up and down, and turn back at a frame. Its
    colour is that of its name, unless it has another."""

    name: str
    start: tuple[float, float]
    speed: tuple[float, float]
    half_size: tuple[float, float]
    spin_deg: float = 0.0
    swing: float = 0.0
    turns_back_at: int | None = None
    colour: str | None = None

    def position(self, index: int) -> tuple[float, float]:
        """Centre x, y at a frame."""
        way = index if self.turns_back_at is None else self.turns_back_at - abs(index - self.turns_back_at)
        return self.start[0] + self.speed[0] * way, self.start[1] + self.speed[1] * way + self.swing * math.sin(
            index / 9
        )


@dataclass(frozen=True)
class Scene:
    """What a clip shows. `camera` is the camera's speed in pixels a frame; `pillar` the occluder's x in the world."""

    name: str
    actors: tuple[Actor, ...]
    camera: tuple[float, float] = (0.0, 0.0)
    pillar: float | None = None
    frames: int = 90
    width: int = 480
    height: int = 270
    fps: float = 30.0


SCENES: Sequence[Scene] = (
    Scene(
        "crossing",
        (
            Actor("red", (60, 90), (3.6, 0.3), (34, 26), 2.0),
            Actor("blue", (430, 185), (-3.2, -0.2), (28, 30), -1.5),
            Actor("green", (240, 140), (0.3, 0.2), (22, 22), 1.0, swing=30),
        ),
        camera=(0.4, 0.1),
    ),
    Scene(
        "behind_a_pillar",
        (Actor("red", (40, 120), (4.4, 0.2), (26, 22), 1.5), Actor("green", (330, 200), (-0.6, 0.0), (30, 24), 0.5)),
        pillar=230,
    ),
    Scene(
        "leaving_and_returning",
        (
            Actor("blue", (330, 110), (6.0, 0.0), (30, 26), 1.0, turns_back_at=50),
            Actor("red", (140, 190), (0.5, -0.3), (26, 26), 2.5),
        ),
        camera=(-0.3, 0.0),
        frames=100,
    ),
)


def render_scene(scene: Scene, seed: int = 0) -> Iterator[tuple[RGB, dict[str, Mask]]]:
    """Frames [H, W, 3] of a scene, each with the visible part of every object as a mask [H, W] by name."""
    rng = np.random.default_rng(seed)
    world = _ground(rng, scene)
    textures = {actor.name: _texture(rng, _COLOURS[actor.colour or actor.name]) for actor in scene.actors}
    for index in range(scene.frames):
        offset = (round(100 + scene.camera[0] * index), round(100 + scene.camera[1] * index))
        image = world[offset[1] : offset[1] + scene.height, offset[0] : offset[0] + scene.width].copy()
        masks: dict[str, Mask] = {}
        for actor in scene.actors:
            shape = _paint(image, actor, textures[actor.name], index, scene)
            for other in masks.values():
                other &= ~shape
            masks[actor.name] = shape
        if scene.pillar is not None:
            left = round(scene.pillar - (offset[0] - 100))
            image[:, max(0, left) : max(0, left + 36)] = _OCCLUDER
            for mask in masks.values():
                mask[:, max(0, left) : max(0, left + 36)] = False
        yield image, masks


def _ground(rng: np.random.Generator, scene: Scene) -> RGB:
    height, width = scene.height + 300, scene.width + 300
    noise = sum(
        cv2.resize(rng.random((height // step, width // step, 1), np.float32), (width, height)) * weight
        for step, weight in ((40, 0.6), (12, 0.3), (4, 0.1))
    )
    grey = 60 + 130 * np.asarray(noise, np.float32)
    return np.clip(np.stack([grey, grey * 0.98, grey * 0.93], -1), 0, 255).astype(np.uint8)


def _texture(rng: np.random.Generator, colour: tuple[int, int, int]) -> RGB:
    shade = cv2.resize(rng.random((24, 24), np.float32), (128, 128), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(np.array(colour) * (0.65 + 0.5 * shade[..., None]), 0, 255), np.uint8)


def _paint(image: RGB, actor: Actor, texture: RGB, index: int, scene: Scene) -> Mask:
    """Draw an actor's ellipse into `image`; gives its mask."""
    x, y = actor.position(index)
    a, b = actor.half_size
    turn = np.deg2rad(actor.spin_deg * index)
    rows, columns = np.mgrid[: scene.height, : scene.width].astype(np.float32)
    u = ((columns - x) * np.cos(turn) + (rows - y) * np.sin(turn)) / a
    v = (-(columns - x) * np.sin(turn) + (rows - y) * np.cos(turn)) / b
    mask = np.asarray(u * u + v * v <= 1, np.bool_)
    u, v = ((axis + 1).astype(np.float32) * 63.5 for axis in (u, v))
    painted = cv2.remap(texture, u, v, cv2.INTER_LINEAR)
    image[mask] = painted[mask]
    return mask


def truth_file(clip: Path) -> Path:
    """Where a clip's truth is: a JSON list of frames, each an RLE by object name."""
    return clip.with_suffix(".truth.json")


def render_clip(scene: Scene, clip: Path, seed: int = 0) -> None:
    """Write a scene as H.264 with its truth beside it."""
    truth: list[dict[str, rle.RLE]] = []
    with write_video(clip, scene.fps, scene.width, scene.height) as video:
        for index, (image, masks) in enumerate(render_scene(scene, seed)):
            video.write(image, index / scene.fps)
            truth.append({name: rle.encode(mask) for name, mask in masks.items()})
        write_text(truth_file(clip), json.dumps(truth))


def clip_truth(clip: Path, scene: Scene) -> VideoResults:
    """The truth of a rendered clip as neutral results; objects are numbered in the order of the scene's actors."""
    frames = []
    for index, masks in enumerate(load_json(truth_file(clip))):
        there = [(number, name, mask) for number, (name, mask) in enumerate(masks.items(), 1) if rle.area(mask)]
        objects = (SeenObject(number, name, rle.box_xyxy(mask), rle=mask) for number, name, mask in there)
        frames.append(SeenFrame(index, index / scene.fps, tuple(objects)))
    name, fps = clip.stem, scene.fps
    return VideoResults(name, scene.width, scene.height, fps, lambda: iter(frames), len(frames), str(clip), None, fps)


def render_clips(folder: Path) -> list[Path]:
    """Write every scene of `SCENES` into `folder`; clips that are there already are kept."""
    clips = []
    for seed, scene in enumerate(SCENES):
        clip = folder / f"{scene.name}.mp4"
        if not clip.exists():
            render_clip(scene, clip, seed)
        clips.append(clip)
    return clips
