import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.video.frame_names import common_origin, frame_numbers, match_names, stem_of, video_names, written_numbers


@pytest.mark.parametrize(
    ("stems", "frames"),
    [
        (["00000", "00005", "00010"], [0, 5, 10]),
        (["frame_000005", "frame_000010"], [5, 10]),
        (["P01_01_frame_0000000000", "P01_01_frame_0000042133"], [0, 42_133]),
        (["img_0", "img_9", "img_10"], [0, 9, 10]),
        (["00001", "00002", "00003"], [0, 1, 2]),  # counted from 1
        (["00001", "00006", "00011"], [1, 6, 11]),  # a choice of frames: as they stand
        (["00002", "00003"], [2, 3]),
        (["frame_000120"], [120]),
        (["cam1_5_mask", "cam1_7_mask"], [5, 7]),
        (["a", "b", "c"], [0, 1, 2]),
        (["1403636579763555584", "1403636579813555456"], [0, 1]),
        (["1305031102.175304", "1305031102.211214"], [0, 1]),
        (["20240131_101112", "20240131_101113"], [0, 1]),
        (["20240131_101112345", "20240131_101112378"], [0, 1]),
        (["2023-01-05_10-15-05", "2023-01-05_10-15-07"], [0, 1]),
        (["0.033", "0.067", "0.100"], [0, 1, 2]),
        (["frame_000005_mask_1"], [5]),
        (["video_720p"], [0]),
        (["mask_v2"], [0]),
        (["a1_1", "a2_2"], [0, 1]),
        (["7", "07"], [0, 1]),
    ],
)
def test_the_number_in_which_names_differ_is_the_frame(stems: list[str], frames: list[int]) -> None:
    assert list(frame_numbers(stems).frames) == frames


def test_what_was_taken_for_granted_is_told() -> None:
    assert "counted from 1" in frame_numbers(["1", "2"]).assumed
    assert "order" in frame_numbers(["a", "b"]).assumed
    assert "counted from 0" in frame_numbers(["2", "5"]).assumed
    assert frame_numbers(["0", "5"]).assumed == frame_numbers(["x"]).assumed == ""


def test_videos_of_a_data_set_count_from_the_same_number() -> None:
    assert common_origin([["1", "2", "3"], ["2", "5"]]) == 1
    assert common_origin([["1", "2", "3"], ["0", "5"]]) == 0
    assert common_origin([["2", "5"], ["a"]]) is None
    assert list(frame_numbers(["2", "5"], 1).frames) == [1, 4]
    assert list(frame_numbers(["1", "2"], 0).frames) == [1, 2]


@given(st.sets(st.integers(0, 10**6), min_size=1, max_size=9), st.sampled_from(["", "frame_", "P01_02_frame_", "a b-"]))
def test_numbers_come_back_whatever_stands_before_them(numbers: set[int], prefix: str) -> None:
    ordered = sorted(numbers)
    assert written_numbers([f"{prefix}{number:07}" for number in ordered]) == ordered


@pytest.mark.parametrize(
    ("names", "videos"),
    [
        (["walk/000012", "walk/000013"], ["walk"] * 2),
        (["walk_000012"], ["walk"]),
        (["walk/frame_000012"], ["walk"]),
        (["000012", "img_7"], ["", ""]),
        (
            ["P01_01_frame_0000000005", "P02_01_frame_0000000005", "P02_01_frame_0000000006"],
            ["P01_01", "P02_01", "P02_01"],
        ),
        (["still", "other"], ["still", "other"]),
        (["a/b/IMG-3"], ["a/b"]),
        (["frame_0003_left", "frame_0004_left", "frame_0004_right"], ["_left", "_left", "_right"]),
        (["img (1)", "img (2)"], ["", ""]),
        (["cam_2023-01-05_10-15-05", "cam_2023-01-05_10-15-07"], ["cam"] * 2),
    ],
)
def test_the_rest_of_a_name_is_the_video(names: list[str], videos: list[str]) -> None:
    assert video_names(names) == videos


def test_pictures_are_matched_by_name_never_by_place() -> None:
    pictures = ["000001", "000002", "000004"]
    assert match_names(["000004", "000001"], pictures) == [2, 0]
    assert match_names(["frame_4", "2", "3"], pictures) == [2, 1, None]
    assert match_names(["0"], pictures) == [None]


def test_endings() -> None:
    assert [stem_of(name) for name in ("a/b.png", "b.jpg.png", "b.jpg.pth", "1.5.png", "w-1_jpg.rf.8f3a12.jpg")] == [
        "b", "b", "b", "1.5", "w-1",
    ]  # fmt: skip
