"""The page in a real browser, its server a real process, its runs real flow runs."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import MakeVideo
from playwright.sync_api import Browser, Page, expect, sync_playwright
from waiting import wait_until

from core.formats.exchange.registry import read_results

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Its socket's path must be short; that of the tests' folder is not.
        environment: dict[str, str | float | bool] = {**os.environ, "TMPDIR": "/tmp"}
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], env=environment)
        yield browser
        browser.close()


@contextmanager
def served(folder: Path, *videos: Path, port: int = 0) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The page's server: its address, and its process."""
    command = [sys.executable, "-m", "flows.cli", "label", *map(str, videos), "--port", str(port)]
    with subprocess.Popen(
        [*command, "--results", str(folder / "results.jsonl")], stdout=subprocess.PIPE, text=True, env=os.environ.copy()
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().split()[-1], server
        finally:
            server.terminate()


@contextmanager
def opened(
    browser: Browser, url: str, width: int = 1280, height: int = 800, expected: tuple[str, ...] = ()
) -> Iterator[Page]:
    """The page; no error but those `expected` may be in its console at the end."""
    page = browser.new_page(viewport={"width": width, "height": height})
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(url)
    expect(page.locator("#hint")).to_contain_text("Drag a box around", timeout=20_000)
    yield page
    page.close()
    assert [line for line in said if not any(word in line for word in expected)] == []


def _drag(page: Page, box: list[float], size: tuple[int, int] = (96, 64)) -> None:
    """Drag a box, given in pixels of the video."""
    area = page.locator("#picture").bounding_box()
    assert area is not None
    scale = min(area["width"] / size[0], area["height"] / size[1])
    left = area["x"] + (area["width"] - size[0] * scale) / 2
    top = area["y"] + (area["height"] - size[1] * scale) / 2
    page.mouse.move(left + box[0] * scale, top + box[1] * scale)
    page.mouse.down()
    page.mouse.move(left + box[2] * scale, top + box[3] * scale, steps=4)
    page.mouse.up()


def _ran(page: Page) -> None:
    expect(page.locator("#run-state")).to_have_text("Done.", timeout=90_000)
    expect(page.locator("#hint")).to_contain_text("Look through it")


def _boxes(folder: Path) -> dict[int, dict[int, tuple[float, ...]]]:
    """Of the results: by frame and object."""
    (video,) = read_results(folder / "results.jsonl")
    return {frame.source_frame: {one.obj_id: one.box_xyxy for one in frame.objects} for frame in video.read()}


def _accessible(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['html'][:90]}" for one in found for node in one["nodes"]]


def test_point_look_ahead_run_review_fix_run_again_export(
    browser: Browser, tmp_path: Path, make_video: MakeVideo
) -> None:
    video = make_video(tmp_path / "a.mp4", frames=20, fps=10)
    refused = ("422 (Unprocessable",)
    with served(tmp_path, video) as (url, _), opened(browser, url, expected=refused) as page:
        picture = page.locator("#picture")
        _drag(page, [8, 22, 28, 42])
        expect(picture).to_have_attribute("aria-label", "Frame 0: 1 object: 1 object")
        page.get_by_label("Label of object 1").fill("brick")
        page.get_by_label("Label of object 1").press("Enter")
        expect(picture).to_have_attribute("aria-label", "Frame 0: 1 object: 1 brick")
        page.get_by_role("button", name="Track ahead").click()
        expect(page.locator("#hint")).to_contain_text("Tracked 20 frames ahead", timeout=30_000)
        page.get_by_role("button", name="Run", exact=True).click()
        _ran(page)
        before = _boxes(tmp_path)
        assert before.keys() == set(range(20))
        assert abs(before[10][1][0] - 28) <= 2
        expect(page.locator("#saved")).to_have_text(f"Edits are saved in {tmp_path / 'corrections.json'}")

        # A wrong correction on frame 15, behind frames that were accepted; and a second object on frame 17.
        page.get_by_label("Frame", exact=True).first.fill("11")
        page.get_by_label("Frame", exact=True).first.press("Enter")
        expect(picture).to_have_attribute("aria-label", re.compile("^Frame 11:"))
        picture.focus()
        for key in ("]", "a", "Escape"):
            page.keyboard.press(key)
        expect(page.locator("#hint")).to_contain_text("accepted")
        for _ in range(4):
            page.keyboard.press("ArrowRight")
        expect(picture).to_have_attribute("aria-label", re.compile("^Frame 15:"))
        _drag(page, [60, 5, 80, 25])
        expect(picture).to_have_attribute("aria-label", re.compile("^Frame 15: 1 object: 1 brick$"))
        page.keyboard.press("n")
        _drag(page, [2, 50, 12, 60])
        expect(picture).to_have_attribute("aria-label", "Frame 15: 2 objects: 1 brick, 2 object")
        page.keyboard.press("Control+Enter")
        expect(page.locator("#run-state")).to_contain_text("Running", timeout=20_000)
        _ran(page)
        after = _boxes(tmp_path)
        assert {frame: after[frame] for frame in range(12)} == {frame: before[frame] for frame in range(12)}
        assert after[15][1] != before[15][1]
        assert after[15].keys() == {1, 2}

        # Accepted frames are not drawn on, until that is taken back.
        page.keyboard.press("Home")
        expect(picture).to_have_attribute("aria-label", re.compile("^Frame 0:"))
        _drag(page, [60, 5, 80, 25])
        expect(page.locator("#hint")).to_contain_text("frame 0 is accepted, and is not changed: take that back first")
        page.get_by_role("button", name="Not accepted").click()
        expect(page.get_by_role("button", name="Accept", exact=True)).to_be_visible()
        page.keyboard.press("z")
        expect(page.get_by_role("button", name="Not accepted")).to_be_visible()
        page.get_by_label("Format").select_option("mot")
        page.get_by_role("button", name="Export").click()
        expect(page.locator("#exported")).to_contain_text(str(tmp_path / "exports" / "mot"))
    assert (tmp_path / "exports" / "mot").is_dir()
    corrections = json.loads((tmp_path / "corrections.json").read_text())["videos"][str(video)]
    assert corrections["accepted"] == [{"last": 11}]
    assert [(one["obj_id"], one["frame"]) for one in corrections["prompts"]] == [(1, 15), (2, 15)]


def test_from_the_keyboard_alone(browser: Browser, tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(tmp_path / "a.mp4", frames=12, fps=10)
    with served(tmp_path, video) as (url, _), opened(browser, url, 800, 700) as page:
        picture, press = page.locator("#picture"), page.keyboard.press
        press("k")
        keys = {"ArrowLeft": 12, "ArrowDown": 3, "Shift+ArrowLeft": 6, "Shift+ArrowUp": 6, "Enter": 1}
        for key in (name for name, times in keys.items() for _ in range(times)):
            press(key)
        expect(picture).to_have_attribute("aria-label", "Frame 0: 1 object: 1 object")
        press("z")
        expect(picture).to_have_attribute("aria-label", "Frame 0: 0 objects: ")
        press("Shift+Z")
        expect(picture).to_have_attribute("aria-label", "Frame 0: 1 object: 1 object")
        press("Shift+ArrowRight")
        expect(picture).to_have_attribute("aria-label", re.compile("^Frame 10:"))
        press("g")
        expect(page.locator("#hint")).to_contain_text("absent from frame 10 on")
        press("Home")
        press("l")
        expect(page.locator("#hint")).to_contain_text("Tracked 12 frames ahead", timeout=30_000)
        press("Control+Enter")
        _ran(page)
        assert set(_boxes(tmp_path)[9]) == {1}
        assert set(_boxes(tmp_path)[10]) == set()
        press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        assert _accessible(page) == []
        press("Escape")
        assert _accessible(page) == []


def test_painted_masks_and_clicks(browser: Browser, tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(tmp_path / "a.mp4", frames=6, fps=10)
    with served(tmp_path, video) as (url, _), opened(browser, url) as page:
        page.get_by_role("button", name="Paint").click()
        page.get_by_label("Brush").fill("10")
        _drag(page, [12, 30, 40, 30])
        expect(page.locator("#picture")).to_have_attribute("aria-label", "Frame 0: 1 object: 1 object")
        page.get_by_role("button", name="New object").click()
        page.get_by_role("button", name="Click +").click()
        _drag(page, [60, 50, 60, 50])
        expect(page.locator("#picture")).to_have_attribute("aria-label", "Frame 0: 2 objects: 1 object, 2 object")
        assert page.locator("#objects li").count() == 2
    entries = json.loads((tmp_path / "prompts.json").read_text())[str(video)]
    painted = next(one for one in entries if one["obj_id"] == 1)
    assert painted["mask"]["size"] == [64, 96]
    assert next(one for one in entries if one["obj_id"] == 2)["points"][0][2] == 1


def test_a_server_that_goes_and_comes_back_loses_nothing(
    browser: Browser, tmp_path: Path, make_video: MakeVideo
) -> None:
    """Killed while a run is at work: that goes on, edits wait, and the page goes on when the server is back."""
    video = make_video(tmp_path / "a.mp4", frames=20, fps=10)
    with served(tmp_path, video) as (url, server):
        port = int(re.findall(r":(\d+)/", url)[0])
        with opened(browser, url, expected=("ERR_CONNECTION", "409 (Conflict)")) as page:
            _drag(page, [8, 22, 28, 42])
            expect(page.locator("#objects li")).to_have_count(1)
            page.keyboard.press("Control+Enter")
            expect(page.locator("#run-state")).to_contain_text("Running", timeout=20_000)
            server.send_signal(signal.SIGKILL)
            server.wait()
            expect(page.get_by_role("alert")).to_contain_text("does not answer", timeout=10_000)
            page.get_by_label("Label of object 1").fill("brick")
            page.get_by_label("Label of object 1").press("Enter")
            wait_until((tmp_path / "results_report.html").exists, "the run to end by itself")
            with served(tmp_path, video, port=port):
                expect(page.get_by_role("alert")).to_be_hidden(timeout=15_000)
                expect(page.locator("#saved")).to_contain_text("saved in")
                wait_until(lambda: "brick" in _saved(tmp_path), "the edit to be saved")


def _clicks(folder: Path, video: Path) -> int:
    if not (folder / "prompts.json").exists():
        return 0
    return sum(len(one["points"]) for one in json.loads((folder / "prompts.json").read_text())[str(video)])


def _saved(folder: Path) -> str:
    files = (folder / "prompts.json", folder / "corrections.json")
    return "".join(path.read_text() for path in files if path.exists())


def test_quick_clicks_and_undoing_step_by_step(browser: Browser, tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(tmp_path / "a.mp4", frames=6, fps=10)
    with served(tmp_path, video) as (url, _), opened(browser, url, expected=("409 (Conflict)",)) as page:
        page.keyboard.press("c")
        for x in (12, 18, 24):
            _drag(page, [x, 30, x, 30])
        wait_until(lambda: _clicks(tmp_path, video) == 3, "three clicks")
        page.keyboard.press("z")
        wait_until(lambda: _clicks(tmp_path, video) == 2, "one click less")
        page.keyboard.press("z")
        wait_until(lambda: _clicks(tmp_path, video) == 1, "one more less")
        other = browser.new_page()
        other.goto(url)
        expect(other.locator("#hint")).to_contain_text("Drag a box around an object", timeout=20_000)
        expect(other.locator("#objects li")).to_have_count(1)
        other.keyboard.press("n")
        _drag(other, [50, 40, 70, 60])
        expect(other.locator("#objects li")).to_have_count(2)
        other.close()
        page.keyboard.press("n")
        _drag(page, [70, 10, 90, 30])  # of a tab that has not seen that yet
        expect(page.locator("#objects li")).to_have_count(3)
        page.get_by_role("button", name="Delete object 2").click()
        expect(page.locator("#objects li")).to_have_count(2)


def test_nothing_is_fetched_from_elsewhere(browser: Browser, tmp_path: Path, make_video: MakeVideo) -> None:
    video = make_video(tmp_path / "a.mp4", frames=6, fps=10)
    with served(tmp_path, video) as (url, _):
        fetched: list[str] = []
        context = browser.new_context()
        page: Any = context.new_page()
        page.on("request", lambda request: fetched.append(request.url))
        page.goto(url)
        expect(page.locator("#time")).to_contain_text(" of ", timeout=20_000)
        context.close()
    host = url.split("?")[0]
    assert fetched
    assert all(one.startswith((host, "blob:")) for one in fetched)
