"""What a run says at its end."""

import logging
from pathlib import Path

import numpy as np
import pytest

from core.errors import MaskflowError, RefusedInput
from core.report.page import Page, Picture, Section, read_pictures, write_run_page
from tasks.reporting.summary import Row, SomeItemsFailed, Summary, _markdown, _no_traceback


def _summary(failed: int, outputs: list[tuple[str, str]] | None = None) -> Summary:
    rows = [Row("a.mp4", "done", ("9",)), Row("b.mp4", "cached", ("9",))]
    rows += [Row(f"bad{number}.mp4", "failed", (), f"reason | {number} <b>") for number in range(failed)]
    return Summary("Track cats", ("frames",), rows, outputs or [])


def test_the_message_tells_the_first_reasons() -> None:
    assert _summary(0).message == "2 of 2 delivered, 1 of them already done before"
    message = _summary(5).message
    assert message.startswith("2 of 7 delivered, 1 of them already done before, 5 failed; bad0.mp4: reason | 0 <b>")
    assert "bad2.mp4" in message
    assert "bad3.mp4" not in message
    assert message.endswith("and 2 more")


def test_the_page_has_the_first_pictures_of_the_report(tmp_path: Path) -> None:
    image = np.zeros((20, 30, 3), np.uint8)
    pictures = [Picture(image, f"frame {number} <of> a|b") for number in range(6)]
    write_run_page(
        tmp_path, Page("t", [], [Section("one", pictures=pictures[:2]), Section("two", pictures=pictures[2:])])
    )
    assert [caption for _, caption in read_pictures(tmp_path)] == [f"frame {number} <of> a|b" for number in range(4)]
    text = _markdown(_summary(1, [("Results", "r.jsonl")]), [tmp_path / "gone", tmp_path, tmp_path])
    assert text.count("](data:image/jpeg;base64,") == 4
    assert pictures[0].data in text
    assert "frame 3 &lt;of> a\\|b" in text
    assert "reason \\| 0 &lt;b>" in text
    assert "bad0.mp4" in text


def test_only_the_traceback_of_a_partial_run_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("test_only_the_traceback")
    logger.addFilter(_no_traceback)
    for error in (SomeItemsFailed("1 failed"), RefusedInput("bad"), ValueError("a bug")):
        try:
            raise error
        except (MaskflowError, ValueError):
            logger.exception("ended by %s", type(error).__name__)
    assert [record.getMessage() for record in caplog.records] == ["ended by RefusedInput", "ended by ValueError"]
    assert [record.exc_info is not None for record in caplog.records] == [False, True]
