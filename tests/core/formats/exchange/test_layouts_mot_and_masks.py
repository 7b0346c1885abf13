"""MOT, MOTS and folders of masks as other people lay them out."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from neutral import HEIGHT, WIDTH, seen_mask, sightings, square, video, write_file, write_picture
from PIL import Image

from core.formats.exchange.exporting import export
from core.formats.exchange.id_map_scenes import write_frames
from core.formats.exchange.model import SeenFrame
from core.formats.exchange.registry import detect, read_results
from core.formats.exchange.sources import MissingFacts, Sources
from core.masks import rle


def _mot(folder: Path, rows: str, size: bool = True) -> Path:
    reported = f"[Sequence]\nname=A\nframeRate=25\nseqLength=4\nimWidth={WIDTH}\nimHeight={HEIGHT}\n"
    if size:
        write_file(folder / "A" / "seqinfo.ini", reported)
        write_file(folder / "A" / "gt" / "gt.txt", rows)
        return folder
    write_file(folder / "A.txt", rows)
    return folder / "A.txt"


def test_frames_of_mot_count_from_0_where_one_is_0(tmp_path: Path) -> None:
    assert [frame for frame, _ in sightings(read_results(_mot(tmp_path / "k", "0,1,1,2,3,4,1\n2,1,1,2,3,4,1\n")))] == [
        0,
        2,
    ]
    assert [frame for frame, _ in sightings(read_results(_mot(tmp_path / "m", "1,1,1,2,3,4,1\n2,1,1,2,3,4,1\n")))] == [
        0,
        1,
    ]


@pytest.mark.parametrize("nobody", ["-1", " -1", "-1.0"])
def test_ids_of_minus_one_are_nobody_however_written(tmp_path: Path, nobody: str) -> None:
    rows = f"1,{nobody},1,2,3,4,0.5\n1,{nobody},9,2,3,4,0.6\n"
    (found,) = read_results(_mot(tmp_path / "all", rows))
    assert not found.tracked
    assert len(sightings([found])) == 2
    sources = Sources()
    (mixed,) = read_results(_mot(tmp_path / "mixed", f"{rows}1,4,5,5,3,4,1\n2,4,5,5,3,4,1\n"), sources=sources)
    ids = [one.obj_id for _, one in sightings([mixed])]
    assert mixed.tracked
    assert ids.count(4) == 2
    assert len(set(ids)) == 3
    assert len(sources.notes) == 1


def test_other_results_tell_the_size(tmp_path: Path) -> None:
    rows = "1,1,1,2,3,4,1\n"
    file = _mot(tmp_path / "found", rows, size=False)
    with pytest.raises(MissingFacts):
        read_results(file)
    truth = read_results(_mot(tmp_path / "truth", rows))
    (found,) = read_results(file, sources=Sources(like=tuple(truth)))
    assert (found.width, found.height, found.length) == (WIDTH, HEIGHT, 4)


def test_mots_as_png(tmp_path: Path) -> None:
    for n in range(2):
        ids = np.zeros((HEIGHT, WIDTH), np.uint16)
        ids[2:9, 3 + n : 9 + n], ids[10:20, 12:20], ids[:, 28:] = 1001, 2003, 10_000
        path = tmp_path / "instances" / "0007" / f"{n:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), ids)
    assert detect(tmp_path) == "mots"
    (found,) = read_results(tmp_path)
    frame, _ = found.read()
    assert [(one.obj_id, one.label) for one in frame.objects] == [(1001, "car"), (2003, "pedestrian")]
    assert [one.rule for one in frame.ignored] == ["region"]


def test_sa_v_has_a_folder_for_each_object(tmp_path: Path) -> None:
    for name, objects in (("sav_000001", 2), ("sav_000002", 1)):
        for number in range(objects):
            for frame in (0, 4, 8):
                path = tmp_path / name / f"{number:03}" / f"{frame:05}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                if (number, frame) != (1, 8):
                    Image.fromarray(255 * square(3 + 9 * number, 4).astype(np.uint8)).save(path)
    found = read_results(tmp_path)
    assert [(one.name, sorted({seen.obj_id for _, seen in sightings([one])})) for one in found] == [
        ("sav_000001", [1, 2]), ("sav_000002", [1]),
    ]  # fmt: skip
    assert [[f.source_frame, len(f.objects)] for f in found[0].read()] == [[0, 2], [4, 2], [8, 1]]


def test_videos_of_one_name_in_several_folders(tmp_path: Path) -> None:
    for camera in ("cam0", "cam1"):
        Image.fromarray(square(3, 4).astype(np.uint8)).convert("P").save(
            _made(tmp_path / "masks" / camera / "rgb") / "00000.png"
        )
        write_picture(tmp_path / "videos" / camera / "rgb" / "00000.jpg", grey=40 if camera == "cam0" else 80)
    found = read_results(tmp_path / "masks")
    assert [one.name for one in found] == ["cam0_rgb", "cam1_rgb"]
    sources = Sources(tmp_path / "videos")
    assert sources.find("rgb", "elsewhere/cam1/rgb") == tmp_path / "videos" / "cam1" / "rgb"
    assert sources.find("cam0_rgb") == tmp_path / "videos" / "cam0" / "rgb"
    assert sources.find("rgb") is None, "it could be either"


def test_one_video_that_was_pointed_at_is_not_whatever_name_comes(tmp_path: Path) -> None:
    write_picture(tmp_path / "walk" / "0.jpg")
    sources = Sources(tmp_path / "walk")
    assert sources.of(2).find("run") is None
    assert sources.of(2).find("walk") == tmp_path / "walk"
    assert sources.of(1).find("run") == tmp_path / "walk"


def test_our_own_masks_keep_their_frames_whatever_their_names_look_like(tmp_path: Path) -> None:
    frames = [SeenFrame(n, n / 25, (seen_mask(1, square(n, 3)),)) for n in (1, 2, 3)]
    for to in ("davis", "coco-video", "coco"):
        export([video(frames)], to, tmp_path / to)
        assert [f.source_frame for f in read_results(tmp_path / to)[0].read()] == [1, 2, 3]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("inside", ["", "A", "A/gt", "A/gt/gt.txt"])
def test_a_sequence_of_mot_is_read_from_any_of_its_folders(tmp_path: Path, inside: str) -> None:
    _mot(tmp_path, "1,1,1,2,3,4,1\n")
    (found,) = read_results(tmp_path / inside)
    assert (found.name, len(sightings([found]))) == ("A", 1)


@pytest.mark.parametrize("row", ["1,nan,1,2,3,4,1", "1,inf,1,2,3,4,1", ",,,,,,", "x"])
def test_a_broken_row_of_mot_costs_itself(tmp_path: Path, row: str) -> None:
    sources = Sources()
    found = read_results(_mot(tmp_path, f"{row}\n1,1,1,2,3,4,1\n"), sources=sources)
    assert len(sightings(found)) == 1
    assert "line 1: left out" in next(iter(sources.notes))


def test_files_of_mot_count_from_one_number(tmp_path: Path) -> None:
    for name, first in (("0000", 0), ("0001", 3)):
        rows = "".join(f"{n} 1001 1 {HEIGHT} {WIDTH} {rle.encode(square(n, 3))['counts']}\n" for n in range(first, 5))
        write_file(tmp_path / "instances_txt" / f"{name}.txt", rows)
    frames = [[f.source_frame for f in one.read()] for one in read_results(tmp_path)]
    assert frames == [[0, 1, 2, 3, 4], [3, 4]]


def test_a_sequence_without_a_size_leaves_the_others(tmp_path: Path) -> None:
    _mot(tmp_path, "1,1,1,2,3,4,1\n")
    write_file(tmp_path / "B" / "gt" / "gt.txt", "1,1,1,2,3,4,1\n")
    sources = Sources(like=(video([]),))
    assert [one.name for one in read_results(tmp_path, sources=sources)] == ["A"]
    assert any("left out: B: nothing says the size" in note for note in sources.notes)


@pytest.mark.parametrize("folder", ["Annotations/480p", "masks"])
def test_videos_that_are_called_by_numbers_are_videos(tmp_path: Path, folder: str) -> None:
    for name in ("001", "002"):
        _made(tmp_path / folder / name)
        Image.fromarray(255 * square(3, 4).astype(np.uint8)).save(tmp_path / folder / name / "00000.PNG")
    assert [one.name for one in read_results(tmp_path)] == ["001", "002"]


def test_a_source_is_not_taken_for_a_video_of_another_folder(tmp_path: Path) -> None:
    write_picture(tmp_path / "data" / "cam1" / "rgb" / "00000.jpg")
    sources = Sources(tmp_path / "data").of(2)
    assert sources.find("cam1_rgb", "/gone/cam1/rgb") == tmp_path / "data" / "cam1" / "rgb"
    assert sources.find("cam0_rgb", "/gone/cam0/rgb") is None
    assert sources.find("rgb", "/gone/elsewhere/rgb") == tmp_path / "data" / "cam1" / "rgb", "the only one of its name"


def test_a_broken_map_costs_its_frame(tmp_path: Path) -> None:
    for number in range(4):
        Image.fromarray(square(3 + number, 4).astype(np.uint8)).save(_made(tmp_path / "walk") / f"{number:05}.png")
    (tmp_path / "walk" / "00001.png").write_bytes(b"no picture")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "walk" / "00002.png")
    sources = Sources()
    (found,) = read_results(tmp_path, sources=sources)
    assert [frame.source_frame for frame in found.read()] == [0, 3]
    assert [name for note in sources.notes for name in ("00001.png", "00002.png") if name in note] == [
        "00001.png", "00002.png",
    ]  # fmt: skip


def test_black_and_white_may_have_a_palette(tmp_path: Path) -> None:
    for number in range(2):
        image = Image.fromarray(255 * square(3, 4).astype(np.uint8), "P")
        image.putpalette([0, 0, 0] * 255 + [255, 255, 255])
        image.save(_made(tmp_path / "walk") / f"{number:05}.png")
    frame, _ = read_results(tmp_path)[0].read()
    assert [one.obj_id for one in frame.objects] == [1]
    assert frame.ignored == ()


def test_pictures_beside_masks_are_the_video(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write_picture(_made(tmp_path / "JPEGImages" / "480p" / "bear") / f"{number:05}.jpg")
    Image.fromarray(square(3, 4).astype(np.uint8)).save(_made(tmp_path / "Annotations" / "480p" / "bear") / "00003.png")
    (found,) = read_results(tmp_path, "davis", Sources(tmp_path))
    assert [frame.source_frame for frame in found.read()] == [2]


def test_a_map_that_is_not_among_the_source_frames_of_its_scene_is_left_out(tmp_path: Path) -> None:
    for name in ("a", "b", "stray"):
        Image.fromarray(square(3, 4).astype(np.uint8)).save(_made(tmp_path / "walk" / "obj_ids") / f"{name}.png")
    write_frames(tmp_path / "walk", {"a": 4, "b": 9})
    sources = Sources()
    (found,) = read_results(tmp_path, sources=sources)
    assert [frame.source_frame for frame in found.read()] == [4, 9]
    assert [note for note in sources.notes if "stray.png" in note and "source_frames.json" in note]
