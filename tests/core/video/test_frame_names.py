import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.video.frame_names import frame_numbers, match_names, stem_of, video_of, written_numbers


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
        (["a1_1", "a2_2"], [0, 1]),
        (["7", "07"], [0, 1]),
    ],
)
def test_the_number_in_which_names_differ_is_the_frame(stems: list[str], frames: list[int]) -> None:
    assert list(frame_numbers(stems).frames) == frames


def test_what_was_taken_for_granted_is_told() -> None:
    assert "counted from 1" in frame_numbers(["1", "2"]).assumed
    assert "order" in frame_numbers(["a", "b"]).assumed
    assert frame_numbers(["0", "5"]).assumed == frame_numbers(["x"]).assumed == ""
    assert list(frame_numbers(["1", "2"], exact=True).frames) == [1, 2]


@given(st.sets(st.integers(0, 10**6), min_size=1, max_size=9), st.sampled_from(["", "frame_", "P01_02_frame_", "a b-"]))
def test_numbers_come_back_whatever_stands_before_them(numbers: set[int], prefix: str) -> None:
    ordered = sorted(numbers)
    assert written_numbers([f"{prefix}{number:07}" for number in ordered]) == ordered


@pytest.mark.parametrize(
    ("name", "video"),
    [
        ("walk/000012", "walk"), ("walk_000012", "walk"), ("walk/frame_000012", "walk"), ("000012", ""), ("img_7", ""),
        ("P01_01_frame_0000000005", "P01_01"), ("still", "still"), ("a/b/IMG-3", "a/b"),
    ],
)  # fmt: skip
def test_the_rest_of_a_name_is_the_video(name: str, video: str) -> None:
    assert video_of(name) == video


def test_pictures_are_matched_by_name_never_by_place() -> None:
    pictures = ["000001", "000002", "000004"]
    assert match_names(["000004", "000001"], pictures) == [2, 0]
    assert match_names(["frame_4", "2", "3"], pictures) == [2, 1, None]
    assert match_names(["0"], pictures) == [None]


def test_endings() -> None:
    assert [stem_of(name) for name in ("a/b.png", "b.jpg.png", "b.jpg.pth", "1.5.png")] == ["b", "b", "b", "1.5"]
