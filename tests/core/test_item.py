from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from core.item import Record, item
from core.progress import Progress


class _Request(BaseModel):
    """What to count."""

    words: list[str]


class _Counted(BaseModel):
    path: Path
    words: int


@item(_Request)
def _count(request: _Request, folder: Path, report: Progress) -> Record:
    """Count."""
    (folder / "words.txt").write_text(" ".join(request.words))
    report(len(request.words), None)
    return {"words": len(request.words)}


@item(_Request)
def _count_as_model(request: _Request, folder: Path, report: Progress) -> _Counted:
    return _Counted(path=folder, words=len(request.words))


def test_a_request_is_validated_and_the_record_timed(tmp_path: Path) -> None:
    reported = []
    record = _count({"words": ["a", "b"]}, tmp_path, lambda done, expected: reported.append((done, expected)))
    assert record["words"] == 2
    assert 0 <= record["seconds"] < 60
    assert reported == [(2, None)]
    assert (tmp_path / "words.txt").read_text() == "a b"
    assert _count.__doc__ == "Count."


def test_a_request_may_be_one_already(tmp_path: Path) -> None:
    assert _count(_Request(words=["a"]), tmp_path, lambda *_: None)["words"] == 1


def test_a_model_becomes_json_able(tmp_path: Path) -> None:
    assert _count_as_model({"words": []}, tmp_path, lambda *_: None) == {"path": str(tmp_path), "words": 0}


def test_a_wrong_request_does_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        _count({"words": 3}, tmp_path, lambda *_: None)
    assert list(tmp_path.iterdir()) == []
