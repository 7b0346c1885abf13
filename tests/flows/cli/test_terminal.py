import io

import pytest
from rich.console import Console

import flows.cli.terminal
from flows.cli.terminal import Terminal


class _Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time_s = 0.0

    def monotonic(self) -> float:
        return self.time_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr(flows.cli.terminal, "time", clock)
    return clock


def test_where_output_goes_to_a_file_a_line_comes_every_half_minute(clock: _Clock) -> None:
    out = io.StringIO()
    terminal = Terminal(Console(file=out, width=200))
    terminal.stage("track", 4)
    for clock.time_s in range(0, 91, 10):
        terminal.show(clock.time_s / 200, 1, [("walks/a.mp4", 30, 120), ("walks/b.mp4", 5, None)])
    lines = out.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[0] == (
        "track: 1 of 4 items done (15%); about 2:50 left; a.mp4 30/120, b.mp4 5/?, 1 waiting for a slot"
    )


def test_a_bar_shows_the_same_in_a_terminal(clock: _Clock) -> None:
    out = io.StringIO()
    with Terminal(Console(file=out, width=200, force_terminal=True)) as terminal:
        terminal.stage("track", 3)
        clock.time_s = 60
        terminal.show(0.5, 1, [("a.mp4", 30, 120)])
    assert "about 1:00 left" in out.getvalue()
    assert "a.mp4 30/120, 1 waiting for a slot" in out.getvalue()
