"""Folders of images: which of them are frames."""

import logging
from pathlib import Path

import pytest
from PIL import Image

from core.video.image_folder import image_files


def _write(folder: Path, *names: str) -> None:
    for name in names:
        Image.new("RGB" if "depth" not in name else "I;16", (8, 6)).save(folder / name)


def test_of_an_rgbd_scan_the_colour_images_are_the_frames(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _write(tmp_path, *(f"frame-{n}.{kind}" for n in (2, 10) for kind in ("color.jpg", "depth.png")))
    with caplog.at_level(logging.WARNING, "maskflow.video"):
        assert [path.name for path in image_files(tmp_path)] == ["frame-2.color.jpg", "frame-10.color.jpg"]
    assert "2 depth images are left out" in caplog.text


def test_depth_images_by_themselves_are_frames(tmp_path: Path) -> None:
    _write(tmp_path, "1.depth.png", "2.depth.png", "depths.png", "a_depth.png", "a_rgb.png")
    assert [path.name for path in image_files(tmp_path)] == ["1.depth.png", "2.depth.png", "a_rgb.png", "depths.png"]
