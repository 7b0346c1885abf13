import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scene_files import write_scene

from core.formats.id_maps import read_id_map
from core.models.options import GeneratorOptions
from core.models.sam2.backend import GENERATOR
from core.models.spec import ModelSpec
from core.refining.chunk_item import ImageRequest, RefineRequest, read_scores, refine_images
from core.refining.compare_item import CompareRequest, TruthRequest, compare_images, read_truth
from core.refining.refine import Settings
from core.refining.report_item import report_refined
from core.refining.scenes import read_scene
from core.store.digests import host_digest
from core.weights.catalogue import TINY_SAM2


def _request(root: Path, **more: Any) -> dict[str, Any]:
    images = [ImageRequest(image=files.image, id_map=files.id_map) for files in read_scene(root, "s").files]
    requested = RefineRequest(images=images, generator=ModelSpec(backend="classical"), settings=Settings(), **more)
    return requested.model_dump(mode="json")


def _refine(root: Path, request: dict[str, Any], name: str = "out") -> tuple[Path, dict[str, Any]]:
    folder = root.parent / name
    folder.mkdir()
    return folder, refine_images(request, folder, lambda done, expected: None)


def _compare(root: Path, refined: Path) -> tuple[Path, dict[str, Any]]:
    images = [
        TruthRequest(image=f.name, id_map=f.id_map, refined=refined / f"{f.name}.pth", truth=f.truth)
        for f in read_scene(root, "s", root.parent / "truth").files
        if f.truth is not None
    ]
    folder = root.parent / "compared"
    folder.mkdir()
    requested = CompareRequest(images=images).model_dump(mode="json")
    return folder, compare_images(requested, folder, lambda done, expected: None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_scene(tmp_path / "scenes", "s", 4)
    return tmp_path / "scenes"


@pytest.mark.slow
def test_maps_get_better_by_the_masks_of_a_trained_sam2(root: Path) -> None:
    generator = GENERATOR.spec(GeneratorOptions(model_path=TINY_SAM2), host_digest)
    folder, record = _refine(root, {**_request(root), "generator": generator.model_dump(mode="json")})
    assert record["failed"] == {}
    truth = read_truth(_compare(root, folder)[0])
    assert all(one.miou_after > one.miou_before for one in truth.values())


def test_maps_get_better_and_the_input_stays(root: Path) -> None:
    before = {path: path.read_bytes() for path in root.rglob("*.pth")}
    folder, record = _refine(root, _request(root, png=True))
    assert list(record["images"]) == [f"frame_{number:06d}.jpg" for number in range(4)]
    assert record["failed"] == {}
    scores = read_scores(folder)
    compared, _ = _compare(root, folder)
    truth = read_truth(compared)
    assert list(truth) == [one.image for one in scores]
    assert all(one.miou_after > one.miou_before for one in truth.values())
    assert all(one.lost == [] for one in scores)
    refined = read_id_map(folder / "frame_000001.jpg.pth")
    assert set(np.unique(refined)) <= {0, 3, 5, 9, 70_000}
    # 70,000 does not fit a PNG file of 16 bits.
    assert not list(folder.glob("*.png"))
    assert "do not fit 16 bits" in record["warnings"]["frame_000001.jpg"]
    assert {path: path.read_bytes() for path in root.rglob("*.pth")} == before


def test_what_cannot_be_read_is_named_and_the_rest_refined(root: Path) -> None:
    images, maps = sorted((root / "s/images").iterdir()), sorted((root / "s/obj_ids").iterdir())
    images[0].write_bytes(images[0].read_bytes()[:300])
    maps[1].write_bytes(b"")
    Image.new("RGB", (50, 90)).save(images[2])
    request = _request(root)
    folder, record = _refine(root, request)
    assert list(record["images"]) == ["frame_000003.jpg"]
    assert {name: reason.partition(":")[0] for name, reason in record["failed"].items()}.keys() == {
        "frame_000000.jpg", "frame_000001.jpg", "frame_000002.jpg"
    }  # fmt: skip
    assert "unreadable image" in record["failed"]["frame_000000.jpg"]
    assert "it is empty" in record["failed"]["frame_000001.jpg"]
    assert "50x90, its map 96x60: another shape" in record["failed"]["frame_000002.jpg"]
    assert [path.name for path in sorted(folder.iterdir())] == [
        "frame_000003.jpg.pth", "review.jsonl", "scores.jsonl"
    ]  # fmt: skip


def test_a_larger_image_is_brought_to_its_maps_size(root: Path) -> None:
    image = next((root / "s/images").iterdir())
    Image.open(image).resize((288, 180)).save(image, quality=95)
    _, record = _refine(root, _request(root))
    assert record["failed"] == {}


def test_maps_of_small_ids_become_png_files_too(root: Path) -> None:
    path = root / "s/obj_ids/frame_000000.jpg.pth"
    id_map = read_id_map(path)
    id_map[id_map == 70_000] = 65_535
    id_map[id_map == 9] = -1
    torch.save(torch.from_numpy(id_map), path)
    folder, _ = _refine(root, _request(root, png=True))
    tensors, picture = read_id_map(folder / "frame_000000.jpg.pth"), read_id_map(folder / "frame_000000.jpg.png")
    assert {-1, 65_535} <= set(np.unique(tensors))
    np.testing.assert_array_equal(picture, tensors.clip(0))


def test_a_truth_of_another_size_is_a_warning(root: Path) -> None:
    truth = root.parent / "truth/s/frame_000002.jpg.pth"
    torch.save(torch.zeros(5, 5, dtype=torch.int32), truth)
    folder, record = _compare(root, _refine(root, _request(root))[0])
    assert record["warnings"] == {"frame_000002.jpg": "not compared: the truth is 5x5, the map 96x60"}
    assert list(read_truth(folder)) == [f"frame_{number:06d}.jpg" for number in (0, 1, 3)]


def test_the_report_tells_scenes_images_and_failures(root: Path, tmp_path: Path) -> None:
    request = _request(root)
    folder, _ = _refine(root, request)
    truth = {files.name: str(files.truth) for files in read_scene(root, "s", root.parent / "truth").files}
    chunk = {
        "folder": str(folder),
        "images": request["images"],
        "truth": truth,
        "compared": str(_compare(root, folder)[0]),
    }
    scenes = [
        {"name": "s <1>", "total_images": 5, "chunks": [chunk],
         "failures": [["frame_9.jpg", "no id map"]]},
        {"name": "bad", "total_images": 0, "failures": [["", "no folder obj_ids/"]]},
    ]  # fmt: skip
    first, second = tmp_path / "r1", tmp_path / "r2"
    for made in (first, second):
        made.mkdir()
        requested = {"title": "Refined maps", "scenes": scenes, "facts": [["matching", "optimal"]]}
        reported = report_refined(requested, made, lambda done, expected: None)
    assert (reported["scenes"]["s <1>"]["successful"], reported["scenes"]["s <1>"]["failed"]) == (4, 1)
    assert reported["total"]["truth"]["better"] == 4
    assert json.loads((first / "report.json").read_text()) == reported
    lines = [json.loads(line) for line in (first / "images.jsonl").read_text().splitlines()]
    assert [line["scene"] for line in lines] == ["s <1>"] * 4
    page = (first / "report.html").read_text()
    assert "s &lt;1&gt;" in page
    assert "no folder obj_ids/" in page
    assert page.count("<img") == 4 * 5  # whole before and after, detail before, after and truth
    assert [path.read_bytes() for path in sorted(first.iterdir())] == [p.read_bytes() for p in sorted(second.iterdir())]
    shutil.rmtree(folder)
