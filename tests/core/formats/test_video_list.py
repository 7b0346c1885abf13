from pathlib import Path

import pytest

from core.formats.video_list import read_video_list


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, and beside it one with a list and videos; empty files will do."""
    (tmp_path / "here").mkdir()
    for name in ("a.mp4", "b 10.mp4", "b 2.mp4", "notes.txt", "#1.mp4", "[x].mp4", "x.mp4", "'q'.mp4"):
        (tmp_path / "lists" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "lists" / name).touch()
    for name in (
        "walks/2.mov",
        "walks/10.mov",
        "walks/._2.mov",
        "walks/readme.txt",
        "frames/1.png",
        "frames/clip.mp4",
        "void/x.txt",
    ):
        (tmp_path / "lists" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "lists" / name).touch()
    (tmp_path / "here" / "a.mp4").touch()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "lists"))
    return tmp_path / "lists"


def _read(place: Path, text: str) -> list[str]:
    (place / "videos.txt").write_text(text)
    return [one.replace(str(place), "LISTS") for one in read_video_list(place / "videos.txt")]


@pytest.mark.parametrize(
    ("line", "videos"),
    [
        ("a.mp4", ["a.mp4"]),  # where one works, before the list's folder
        ("x.mp4", ["LISTS/x.mp4"]),
        ("  x.mp4\r", ["LISTS/x.mp4"]),
        ("~/a.mp4", ["LISTS/a.mp4"]),
        ('"b 2.mp4"', ["LISTS/b 2.mp4"]),
        ("'b 2.mp4'", ["LISTS/b 2.mp4"]),
        ("'q'.mp4", ["LISTS/'q'.mp4"]),
        ("# a comment", []),
        ("../lists/#1.mp4", ["../lists/#1.mp4"]),
        ("b*.mp4", ["LISTS/b 2.mp4", "LISTS/b 10.mp4"]),
        ("[x].mp4", ["LISTS/[x].mp4"]),  # a name before a pattern
        ("w*/*.mov", ["LISTS/walks/2.mov", "LISTS/walks/10.mov"]),
        ("walks", ["LISTS/walks/2.mov", "LISTS/walks/10.mov"]),
        ("frames", ["LISTS/frames"]),  # images: the folder is one video
        ("void", ["LISTS/void"]),
        ("nowhere.mp4", ["nowhere.mp4"]),
        ("nowhere*.mp4", ["nowhere*.mp4"]),
        ("~nosuchuser/a.mp4", ["~nosuchuser/a.mp4"]),
        ("x" * 5000, ["x" * 5000]),
    ],
)
def test_what_a_line_means(place: Path, line: str, videos: list[str]) -> None:
    assert _read(place, f"{line}\n") == videos


def test_a_comment_may_be_the_name_of_a_file_where_one_works(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    assert _read(place, "#1.mp4\n# 2.mp4\n") == ["#1.mp4"]


def test_each_video_comes_once_and_in_order(place: Path) -> None:
    assert _read(place, "x.mp4\nb*.mp4\n\n~/b 2.mp4\nx.mp4\n") == [
        "LISTS/x.mp4", "LISTS/b 2.mp4", "LISTS/b 10.mp4",
    ]  # fmt: skip


def test_what_is_no_file_is_an_error(place: Path) -> None:
    with pytest.raises(OSError, match="not a regular file"):
        read_video_list(place)
    with pytest.raises(FileNotFoundError):
        read_video_list(place / "none.txt")
    (place / "latin.txt").write_bytes(b"caf\xe9.mp4")
    with pytest.raises(UnicodeDecodeError):
        read_video_list(place / "latin.txt")
