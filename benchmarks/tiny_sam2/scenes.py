"""Random rendered clips with exact truth, square and small: what the tiny SAM 2 is trained and judged on."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

_SUBPIXEL = 4  # fractional bits of the outlines that are drawn
_OUTLINE_POINTS = 48
_TEXTURE = 64


@dataclass(frozen=True, eq=False)
class Clip:
    """One rendered clip of T frames and O objects.

    Attributes:
        images: uint8 RGB [T, S, S, 3].
        masks: bool [T, O, S, S], the visible part of each object.
    """

    images: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.bool_]


class _Actor:
    """A textured shape on a path. Lengths are in parts of the picture's side."""

    def __init__(self, rng: np.random.Generator, frames: int, colour: npt.NDArray[np.float32], smallest: float) -> None:
        self.outline = _outline(rng, float(np.exp(rng.uniform(np.log(smallest), np.log(0.3)))))
        self.texture = _texture(rng, colour)
        self.angle, self.spin = rng.uniform(0, 6.3), rng.normal(0, 0.03)
        self.swing, self.phase = rng.uniform(0, 0.08) * (rng.random() < 0.4), rng.uniform(0, 6.3)
        self.growth = rng.normal(0, 0.006)
        speed = rng.uniform(0, 0.035)
        heading = rng.uniform(0, 6.3)
        self.velocity = np.array([np.cos(heading), np.sin(heading)]) * speed
        self.turn = rng.uniform(0.2, 0.9) * frames if rng.random() < 0.5 else np.inf
        self.start = rng.uniform(0.15, 0.85, 2)

    def place(self, index: int) -> npt.NDArray[np.float64]:
        """Rotation and scale [2, 2] and centre [2] at a frame, as one matrix [2, 3]."""
        way = index if index < self.turn else 2 * self.turn - index
        centre = self.start + self.velocity * way + [0, self.swing * np.sin(self.phase + index / 5)]
        angle, size = self.angle + self.spin * index, np.exp(self.growth * index)
        turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * size
        return np.column_stack([turned, centre])


def random_clip(
    rng: np.random.Generator, frames: int, side: int, objects: int = 3, smallest: float = 0.06, repeat: int = 1
) -> Clip:
    """A clip in which objects move, turn, cross, hide behind pillars, leave and come back while the camera moves.

    Args:
        rng: decides everything.
        frames: length.
        side: of the picture, pixels.
        objects: whose masks are given, O; there may be others.
        smallest: mean radius of the smallest object, in parts of the side.
        repeat: time goes so many times faster.
    """
    alike = rng.random() < 0.3
    first = _colour(rng)
    colours = [(first + rng.normal(0, 12, 3)).astype(np.float32) if alike else _colour(rng) for _ in range(objects)]
    actors = [_Actor(rng, frames * repeat, colour, smallest) for colour in colours]
    pan = rng.normal(0, 0.008, 2) * (rng.random() < 0.6)
    ground = _ground(rng, side, alike, first)
    pillar = (rng.uniform(0.2, 0.8), rng.uniform(0.06, 0.2), _colour(rng)) if rng.random() < 0.35 else None
    noise, blur = rng.uniform(0, 6), rng.random() < 0.3
    images, masks = np.empty((frames, side, side, 3), np.uint8), np.zeros((frames, objects, side, side), np.bool_)
    for index in range(frames):
        time = index * repeat
        offset = np.clip(np.round((0.5 + pan * time) * side), 0, ground.shape[0] - side).astype(int)
        image = ground[offset[1] : offset[1] + side, offset[0] : offset[0] + side].astype(np.float32)
        for row, actor in enumerate(actors):
            alpha = _paint(image, actor, time)
            masks[index, :row] &= ~(alpha > 0.5)
            masks[index, row] = alpha > 0.5
        if pillar is not None:
            left = round((pillar[0] - pan[0] * time) * side)
            across = slice(max(0, left), max(0, left + round(pillar[1] * side)))
            image[:, across] = pillar[2]
            masks[index, :, :, across] = False
        if blur:
            cv2.GaussianBlur(image, (3, 3), 0.8, image)
        images[index] = np.clip(image + rng.normal(0, noise, image.shape), 0, 255)
    return Clip(images, masks)


def _paint(image: npt.NDArray[np.float32], actor: _Actor, time: int) -> npt.NDArray[np.float32]:
    """Draw an actor into `image`; gives its opacity [S, S]."""
    side = len(image)
    place = actor.place(time)
    points = (actor.outline @ place[:, :2].T + place[:, 2]) * side
    alpha = np.zeros((side, side), np.uint8)
    fixed = np.round(points * 2**_SUBPIXEL).astype(np.int32)
    cv2.fillPoly(alpha, [fixed], 255, cv2.LINE_AA, _SUBPIXEL)
    extent = float(np.abs(actor.outline).max())
    to_picture = np.column_stack([place[:, :2] * (2 * extent * side / _TEXTURE), place[:, 2] * side])
    to_picture[:, 2] -= to_picture[:, :2] @ np.full(2, _TEXTURE / 2)
    texture = cv2.warpAffine(actor.texture, to_picture, (side, side), borderMode=cv2.BORDER_REFLECT)
    opacity = alpha.astype(np.float32) / np.float32(255)
    image += (texture - image) * opacity[..., None]
    return opacity


def _outline(rng: np.random.Generator, radius: float) -> npt.NDArray[np.float64]:
    """A closed outline [48, 2] round the origin: an ellipse, a rectangle, or a blob."""
    angles = np.linspace(0, 2 * np.pi, _OUTLINE_POINTS, endpoint=False)
    aspect = np.exp(rng.uniform(-0.5, 0.5))
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    kind = rng.random()
    if kind < 0.35:
        shape = circle
    elif kind < 0.55:
        shape = circle / np.abs(circle).max(axis=1, keepdims=True) * 0.9
    else:
        waves = sum(rng.normal(0, 0.35 / k) * np.cos(k * angles + rng.uniform(0, 6.3)) for k in range(2, 6))
        shape = circle * np.clip(1 + waves, 0.35, 1.8)[:, None]
    return np.asarray(shape * [aspect * radius, radius / aspect])


def _texture(rng: np.random.Generator, colour: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A surface [64, 64, 3] of one colour, shaded; or of two."""
    cells = int(rng.integers(3, 24))
    shade = cv2.resize(rng.random((cells, cells), np.float32), (_TEXTURE, _TEXTURE), interpolation=cv2.INTER_CUBIC)
    surface = colour * (1 + rng.uniform(0.1, 0.6) * (shade[..., None] - 0.5))
    if rng.random() < 0.3:
        rows, columns = np.mgrid[:_TEXTURE, :_TEXTURE]
        stripes = np.sin((rows * rng.uniform(-1, 1) + columns * rng.uniform(-1, 1)) * 0.5) > 0.3
        surface[stripes] = _colour(rng)
    return np.asarray(np.clip(surface, 0, 255), np.float32)


def _ground(rng: np.random.Generator, side: int, alike: bool, colour: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """A textured world [2 S, 2 S, 3], with shapes on it that stay where they are."""
    size = 2 * side
    noise = np.zeros((size, size), np.float32)
    for cells, weight in ((6, 0.5), (20, 0.3), (60, 0.2)):
        noise += weight * cv2.resize(rng.random((cells, cells), np.float32), (size, size))
    base, spread = _colour(rng), rng.uniform(20, 160)
    image = np.clip(base + spread * (noise[..., None] - 0.5), 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(0, 7))):
        points = (_outline(rng, rng.uniform(0.04, 0.25)) + rng.uniform(0, 2, 2)) * side
        near = colour + rng.normal(0, 30, 3) if alike and rng.random() < 0.5 else _colour(rng)
        fill = [float(value) for value in np.clip(near, 0, 255)]
        cv2.fillPoly(image, [np.round(points * 2**_SUBPIXEL).astype(np.int32)], fill, cv2.LINE_AA, _SUBPIXEL)
    return image


def _colour(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    return rng.uniform(15, 240, 3).astype(np.float32)
