"""Scenes on disk, of the picture of blocks."""

from pathlib import Path

import numpy as np
import torch
from blocks import blocks
from PIL import Image

from benchmarks.degrade import everything


def write_scene(root: Path, name: str, images: int, seed: int = 0) -> Path:
    """A scene with so many images, all a little different, and spoilt maps; the truth goes to `root/../truth/name`."""
    scene, truth_folder = root / name, root.parent / "truth" / name
    for folder in (scene / "images", scene / "obj_ids", truth_folder):
        folder.mkdir(parents=True)
    image, truth = blocks()
    for number in range(images):
        file = f"frame_{number:06d}.jpg"
        turned = np.roll(image, number, axis=1), np.roll(truth, number, axis=1)
        Image.fromarray(turned[0]).save(scene / "images" / file, quality=95)
        spoilt = everything(turned[1], 3.0, np.random.default_rng([seed, number]))
        torch.save(torch.from_numpy(spoilt), scene / "obj_ids" / f"{file}.pth")
        torch.save(turned[1], truth_folder / f"{file}.pth")
    return scene
