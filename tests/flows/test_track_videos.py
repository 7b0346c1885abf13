"""The flow through its command line: real server, real workers, real videos, real kills."""

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import MakeVideo, write_moving_square, write_shots
from running import Done, finish, maskflow, start
from waiting import is_running, spawned_by, wait_until

from core.formats.review_jsonl import read_review
from tasks.devices.lock import try_lock
from tasks.devices.slots import Slot
from tasks.server.address import SERVER_SETTINGS, is_healthy

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


def _list(folder: Path, videos: list[Path], name: str = "videos.txt") -> Path:
    path = folder / name
    path.write_text("".join(f"{video}\n" for video in videos))
    return path


def _clips(folder: Path, make_video: MakeVideo, count: int, frames: int = 8) -> list[Path]:
    return [make_video(folder / f"clip{i}.mp4", frames=frames, seed=i) for i in range(count)]


def _track(
    folder: Path,
    video_list: Path,
    *more: object,
    prompt: str = "red square",
    kill_at: str | None = None,
    hang_at: str | None = None,
) -> Done:
    output = folder / "out" / "results.jsonl"
    return maskflow(
        "track-videos", "--video_list", video_list, "--text_prompt", prompt, "--output_jsonl", output,
        "--num-workers", 2, *more, kill_at=kill_at, hang_at=hang_at,
    )  # fmt: skip


def _worked_on(done: Done) -> list[str]:
    """The videos that were; the page about the run is made anew whenever something it says has changed."""
    return [name for name in done.processed if name != "report" and not name.endswith("(review)")]


def _results(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "out" / "results.jsonl").read_text().splitlines()]


def _slots_are_free() -> bool:
    locks = [try_lock(Slot(None, index).name) for index in range(2)]
    for lock in locks:
        if lock is not None:
            lock.release()
    return None not in locks


def _temporaries(folder: Path) -> list[Path]:
    return [path for path in (folder / "out").rglob("*") if ".tmp" in path.name]


def _is_being_written(temporary: Path) -> bool:
    pid = re.search(r"\.(\d+)\.\d+\.tmp", temporary.name)
    return pid is not None and psutil.pid_exists(int(pid[1])) and is_running(psutil.Process(int(pid[1])))


def test_good_videos_are_delivered_and_bad_ones_listed_with_reasons(tmp_path: Path, make_video: MakeVideo) -> None:
    good = _clips(tmp_path, make_video, 9)
    corrupt, playlist = tmp_path / "corrupt.mp4", tmp_path / "playlist.mp4"
    corrupt.write_bytes(good[0].read_bytes()[:1500])
    playlist.write_text("ffconcat version 1.0\nfile clip0.mp4\n")
    os.mkfifo(tmp_path / "pipe.mp4")
    odd = [Path("~nosuchuser.mp4"), tmp_path / "pipe.mp4"]
    videos = [*good[:3], corrupt, *good[3:6], tmp_path / "missing.mp4", *good[6:], playlist, *odd]
    video_list = _list(tmp_path, videos)

    first = _track(tmp_path, video_list)
    assert first.code == 1, first.err
    assert [Path(line["video_path"]).name for line in _results(tmp_path)] == [clip.name for clip in good]
    assert all(len(line["frames"]) == 8 for line in _results(tmp_path))
    assert all(line["frames"][0]["objects"][0]["label"] == "red" for line in _results(tmp_path))
    failures = [json.loads(line) for line in (tmp_path / "out" / "failures.jsonl").read_text().splitlines()]
    reasons = {Path(one["item"]).name: one["reason"] for one in failures}
    assert list(reasons) == ["corrupt.mp4", "missing.mp4", "playlist.mp4", "~nosuchuser.mp4", "pipe.mp4"]
    assert "no such file" in reasons["missing.mp4"]
    assert "not a video file" in reasons["playlist.mp4"]
    assert "9 of 14 delivered, 5 failed" in first.out
    page = (tmp_path / "out" / "results_report.html").read_text()
    for part in (
        "Look at these first",
        "missing.mp4",
        "no such file",
        "Items: speed and memory",
        "text_prompt",
        "torch",
    ):
        assert part in page
    assert not re.search(r'(src|@import)="(?!data:)', page), "it needs no other file"
    assert set(re.findall(r'href="([^"]*)"', page)) == {"results.jsonl", "results_objects.csv", "review.jsonl"}
    names = {one.name for one in good}
    assert {one.video for one in read_review(tmp_path / "out" / "review.jsonl")} <= names
    assert "Traceback" not in first.err + first.out

    before = (tmp_path / "out" / "results.jsonl").read_bytes()
    again = _track(tmp_path, video_list)
    assert again.code == 1
    assert sorted(_worked_on(again)) == ["corrupt.mp4", "playlist.mp4"]
    assert (tmp_path / "out" / "results.jsonl").read_bytes() == before


def test_what_is_done_again_and_what_is_not(tmp_path: Path, make_video: MakeVideo) -> None:
    clips = _clips(tmp_path, make_video, 2)
    video_list = _list(tmp_path, clips)
    pictures = ("--output-video-dir", tmp_path / "out" / "videos", "--recording", tmp_path / "out" / "recordings")
    assert len(_worked_on(_track(tmp_path, video_list, *pictures))) == 4
    drawn = tmp_path / "out" / "videos" / "clip0_tracked.mp4"
    assert drawn.stat().st_size > 1000
    assert (tmp_path / "out" / "recordings" / "clip1.rrd").stat().st_size > 1000
    original = drawn.read_bytes()

    # The same content under other names: nothing is done. Items of another version are pointed out, once.
    (tmp_path / "out" / ".maskflow" / "keys").write_text("1")
    (tmp_path / "other").mkdir()
    moved = [clip.rename(tmp_path / "other" / f"renamed_{clip.name}") for clip in clips]
    renamed = _track(tmp_path, _list(tmp_path, moved, "renamed.txt"), *pictures)
    assert (renamed.code, _worked_on(renamed)) == (0, [])
    assert "made by an earlier version of Maskflow: they are made again, once" in " ".join(renamed.err.split())
    assert (tmp_path / "out" / "videos" / "renamed_clip0_tracked.mp4").read_bytes() == original
    assert [Path(line["video_path"]).name for line in _results(tmp_path)] == ["renamed_clip0.mp4", "renamed_clip1.mp4"]

    # Another shape of the results is assembled, not tracked.
    assert _worked_on(_track(tmp_path, tmp_path / "renamed.txt", "--schema", "objects", "--masks")) == []
    assert _results(tmp_path)[0]["objects"][0]["frames"][0]["segmentation"]["size"] == [64, 96]

    # Another rate or prompt is tracked anew.
    assert len(_worked_on(_track(tmp_path, tmp_path / "renamed.txt", "--fps", 5))) == 2
    assert len(_worked_on(_track(tmp_path, tmp_path / "renamed.txt", prompt="blue"))) == 2

    # An output edited by hand in the store is made again; one deleted where it was delivered comes back.
    delivered = tmp_path / "out" / "videos" / "renamed_clip0_tracked.mp4"
    delivered.unlink()
    manifests = (tmp_path / "out" / ".maskflow" / "track_video").glob("[!.]*/manifest.json")
    inputs = {path: json.loads(path.read_text())["inputs"] for path in manifests}
    first = next(path for path, one in inputs.items() if (one["text_prompt"], one["fps"]) == ("red square", None))
    shard = first.with_name("frames.jsonl")
    kept = shard.read_bytes()
    shard.write_bytes(kept.replace(b"bbox", b"BBOX"))
    assert len(_worked_on(_track(tmp_path, tmp_path / "renamed.txt", *pictures))) == 1
    assert shard.read_bytes() == kept
    assert delivered.read_bytes() == original

    # An edit of a delivered file is undone.
    delivered.write_bytes(b"edited")
    assert _track(tmp_path, tmp_path / "renamed.txt", *pictures).code == 0
    assert delivered.read_bytes() == original


MOMENTS = {
    "decode": "core.video.file:check_size:13",
    "tracking": "core.masks.clean:clean:11",
    "shard write": "core.formats.tracks:write_head:2",
    "assembly": "core.formats.results_jsonl:_moment:20",
    "artifact": "tasks.reporting.summary:_markdown:1",
}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A list of four videos, and the results of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    video_list = _list(folder, _clips(folder, write_moving_square, 4))
    assert _track(folder, video_list).code == 0
    return video_list, (folder / "out" / "results.jsonl").read_bytes()


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
def test_killed_and_run_again_gives_the_same_bytes(
    tmp_path: Path, uninterrupted: tuple[Path, bytes], moment: str
) -> None:
    video_list, expected = uninterrupted
    results = tmp_path / "out" / "results.jsonl"
    killed = _track(tmp_path, video_list, kill_at=moment)
    assert killed.code == -signal.SIGKILL
    wait_until(_slots_are_free, "the slots to be free")
    wait_until(lambda: not any(map(_is_being_written, _temporaries(tmp_path))), "the workers to end")
    if results.exists():
        assert results.read_bytes() == expected
    finished = len(list((tmp_path / "out" / ".maskflow" / "track_video").glob("[!.]*/manifest.json")))

    again = _track(tmp_path, video_list)
    assert again.code == 0, again.err
    assert len(_worked_on(again)) == 4 - finished
    assert results.read_bytes() == expected
    assert _temporaries(tmp_path) == []


def test_a_killed_worker_costs_only_its_item(tmp_path: Path, make_video: MakeVideo) -> None:
    clips = [make_video(tmp_path / f"long{i}.mp4", frames=600, seed=i) for i in range(3)]
    output = tmp_path / "out" / "results.jsonl"
    run = start(
        "track-videos", "--video-list", _list(tmp_path, clips), "--text-prompt", "red square", "--output-jsonl", output,
        "--num-workers", 2,
    )  # fmt: skip
    wait_until(lambda: len(spawned_by(run, recursive=True)) == 2, "two workers")
    time.sleep(1.5)
    spawned_by(run, recursive=True)[0].kill()
    done = finish(run)
    assert done.code == 0, done.err
    assert "was killed by SIGKILL" in done.err
    assert len(_worked_on(done)) == 4
    assert len(_results(tmp_path)) == 3


def test_cancelled_from_another_shell(tmp_path: Path, make_video: MakeVideo) -> None:
    clips = [make_video(tmp_path / "short.mp4", frames=4), make_video(tmp_path / "long.mp4", frames=1500)]
    output = tmp_path / "out" / "results.jsonl"
    run = start(
        "track-videos", "--video-list", _list(tmp_path, clips), "--text-prompt", "red square", "--output-jsonl", output,
        "--num-workers", 2,
    )  # fmt: skip
    finished = tmp_path / "out" / ".maskflow" / "track_video"
    wait_until(lambda: list(finished.glob("[!.]*/manifest.json")), "the short video")
    workers = spawned_by(run, recursive=True)
    assert run.stderr is not None
    said = next(line for line in run.stderr if "prefect flow-run cancel" in line)
    cancel = ["flow-run", "cancel", said.rstrip().rstrip("`").split()[-1]]
    subprocess.run([sys.executable, "-m", "prefect", "--no-prompt", *cancel], capture_output=True, check=True)
    wait_until(lambda: not any(map(is_running, workers)), "the workers to end")
    wait_until(_slots_are_free, "the slots to be free")
    done = finish(run)
    assert done.code == 130, done.err
    assert "Cancelled" in done.err

    (tmp_path / "long.mp4").unlink()
    again = _track(tmp_path, _list(tmp_path, [clips[0], make_video(tmp_path / "long.mp4", frames=5)]))
    assert (again.code, _worked_on(again)) == (0, ["long.mp4"])


def test_two_runs_share_one_slot_and_both_deliver(tmp_path: Path, make_video: MakeVideo) -> None:
    runs = []
    for name in ("a", "b"):
        folder = tmp_path / name
        clips = [make_video(folder / f"clip{i}.mp4", seed=ord(name) + i) for i in range(3)]
        output = folder / "out" / "results.jsonl"
        runs.append(
            start(
                "track-videos",
                "--video-list",
                _list(folder, clips),
                "--text-prompt",
                "red square",
                "--output-jsonl",
                output,
                "--num-workers",
                1,
            )
        )
    done = [finish(run) for run in runs]
    assert [one.code for one in done] == [0, 0], done
    assert [len(_results(tmp_path / name)) for name in ("a", "b")] == [3, 3]


def test_two_runs_on_one_output_folder_do_each_video_once(tmp_path: Path, make_video: MakeVideo) -> None:
    video_list = _list(tmp_path, _clips(tmp_path, make_video, 4, frames=40))
    runs = []
    for name in ("a.jsonl", "b.jsonl"):
        output = tmp_path / "out" / name
        runs.append(
            start("track-videos", "--video-list", video_list, "--text-prompt", "red square", "--output-jsonl", output)
        )
    assert [finish(run).code for run in runs] == [0, 0]
    assert (tmp_path / "out" / "a.jsonl").read_bytes() == (tmp_path / "out" / "b.jsonl").read_bytes()


def test_prompts_by_hand(tmp_path: Path, make_video: MakeVideo) -> None:
    clip = make_video(tmp_path / "a.mp4")
    prompts = tmp_path / "prompts.json"
    prompts.write_text(json.dumps({str(clip): [{"obj_id": 5, "label": "it", "box": [8, 22, 28, 42]}]}))
    output = tmp_path / "out" / "results.jsonl"
    video_list = _list(tmp_path, [clip])
    done = maskflow("track-videos", "--video-list", video_list, "--prompts", prompts, "--output-jsonl", output)
    assert done.code == 0, done.err
    (line,) = _results(tmp_path)
    assert line["text_prompt"] is None
    assert {one["obj_id"] for frame in line["frames"] for one in frame["objects"]} == {5}
    assert line["frames"][0]["objects"][0]["label"] == "it"


def test_two_entries_that_would_write_the_same_output_get_distinct_names(tmp_path: Path, make_video: MakeVideo) -> None:
    clips = [make_video(tmp_path / place / "same" / "clip.mp4", seed=i) for i, place in enumerate("xy")]
    done = _track(tmp_path, _list(tmp_path, clips), "--output-video-dir", tmp_path / "out" / "v")
    assert done.code == 0, done.err
    assert sorted(os.listdir(tmp_path / "out" / "v")) == ["x_same_clip_tracked.mp4", "y_same_clip_tracked.mp4"]
    assert [Path(line["annotated_video"]).name for line in _results(tmp_path)] == sorted(
        os.listdir(tmp_path / "out" / "v")
    ), "each line says which is its"


def test_names_and_prompts_are_text_not_templates_or_markup(tmp_path: Path, make_video: MakeVideo) -> None:
    names = ["clip{1}.mp4", "{name} 100% %s.mp4", "[bold]x[INST] :smile:.mp4", "🎬 <b>&amp;.mp4", "long" * 50 + ".mp4"]
    names.append(os.fsdecode(b"not-utf8-\xe9.mp4"))
    folder = tmp_path / "{folder} [red]"
    folder.mkdir()
    videos = [make_video(folder / name, frames=4, seed=number) for number, name in enumerate(names)]
    listed = tmp_path / "videos.txt"
    listed.write_text("".join(f"{video}\n" for video in videos[:-1]))
    done = _track(tmp_path, listed, prompt="red square [/INST]. red {x} %s")
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    assert [Path(one["video_path"]).name for one in _results(tmp_path)] == names[:-1]
    assert "red square [/INST]. red {x} %s: 5 of 5 delivered" in done.out
    assert "clip{1}.mp4" in done.out
    assert "[bold]x[INST] :smile:.mp4" in done.out
    page = (tmp_path / "out" / "results_report.html").read_text()
    assert "&lt;b&gt;&amp;amp;.mp4" in page


def test_a_server_that_is_killed_does_not_stop_work(tmp_path: Path, make_video: MakeVideo) -> None:
    home = tmp_path / "server"
    home.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    environment = {**os.environ, **SERVER_SETTINGS, "PREFECT_HOME": str(home), "PREFECT_API_URL": url}
    with (home / "users").open("w") as users, (home / "starting").open("w") as lock:
        fcntl.flock(users, fcntl.LOCK_SH)  # or it would end itself
        handle = lock.fileno()
        command = [sys.executable, "-m", "tasks.server.temporary", str(home), str(port), str(handle)]
        server = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=[handle]
        )
        try:
            wait_until(lambda: is_healthy(url), "the server")
            output = tmp_path / "out" / "results.jsonl"
            listed = _list(tmp_path, _clips(tmp_path, make_video, 3, frames=40))
            run = subprocess.Popen(
                [sys.executable, "-m", "flows.cli", "track-videos", "--video-list", str(listed), "--text-prompt",
                 "red square", "--output-jsonl", str(output), "--num-workers", "1"],
                env={**os.environ, "PREFECT_API_URL": url}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
            assert run.stdout is not None
            printed = next(line for line in run.stdout if "Processing" in line)
            server.kill()
            printed += run.communicate(timeout=150)[0]
        finally:
            server.kill()
            server.wait()
    assert run.returncode == 0, printed
    assert len(_results(tmp_path)) == 3
    assert "was lost while this ran" in printed
    assert "Traceback" not in printed


def test_an_item_that_hangs_is_killed_and_named(tmp_path: Path, make_video: MakeVideo) -> None:
    """One worker's second item never ends; the others are delivered."""
    listed = _list(tmp_path, _clips(tmp_path, make_video, 3))
    hang_at = "core.tracking.video_item:write_head:2"
    done = _track(tmp_path, listed, "--stall-timeout", "12", hang_at=hang_at)
    assert done.code == 1
    assert len(_results(tmp_path)) == 2
    assert "no progress for 12 s" in (tmp_path / "out" / "failures.jsonl").read_text()


def test_videos_by_name_a_part_of_them_and_what_comes_out(tmp_path: Path, make_video: MakeVideo) -> None:
    for number in range(3):
        make_video(tmp_path / "walks" / f"{number}.mp4", frames=20, fps=10, seed=number)
    output = tmp_path / "out" / "results.jsonl"
    more = ("--limit", 2, "--start", 0.5, "--end", 1.5, "--max-objects", 1, "--output-jsonl", output)
    done = maskflow("track-videos", tmp_path / "walks" / "*.mp4", tmp_path / "none.mp4", "--text-prompt", "red", *more)
    assert done.code == 0, done.err
    lines = _results(tmp_path)
    assert [Path(line["video_path"]).name for line in lines] == ["0.mp4", "1.mp4"]
    assert [frame["source_frame"] for frame in lines[0]["frames"]] == list(range(5, 15))
    table = (tmp_path / "out" / "results_objects.csv").read_text().splitlines()
    assert len(table) == 3
    assert table[1].split(",")[1:7] == ["1", "red", "5", "14", "0.5", "1.4"]
    page = (tmp_path / "out" / "results_report.html").read_text()
    assert "Warning</b> The built-in detector finds whatever has the colour" in page
    assert "maskflow track-videos --videos" in page
    assert "--start 0.5 --end 1.5" in page
    again = maskflow("track-videos", tmp_path / "walks", "--text-prompt", "blue", "--output-jsonl", output)
    assert "results.jsonl held results of 'red' (" in " ".join(again.err.split())
    missing = maskflow(
        "track-videos", "ftp://a.example/b.mp4", "c.mp4", "--text-prompt", "red", "--output-jsonl", output
    )
    assert missing.code == 1
    assert "not accepted: a path, or an address with s3://, gs://, az://, https://, hf://" in " ".join(
        missing.out.split()
    ), missing.out
    assert f"no such file or directory (looked for in {Path.cwd()} on {socket.gethostname()})" in missing.out


def test_detections_of_ones_own_in_the_place_of_a_detector(tmp_path: Path, make_video: MakeVideo) -> None:
    clips = _clips(tmp_path, make_video, 2)
    assert _track(tmp_path, _list(tmp_path, clips)).code == 0
    exported = maskflow("export", tmp_path / "out" / "results.jsonl", "--to", "coco", "--output", tmp_path / "boxes")
    assert exported.code == 0, exported.err
    given = ("--detections", tmp_path / "boxes", "--output-jsonl", tmp_path / "out" / "results.jsonl")
    done = maskflow("track-videos", *clips, *given)
    assert done.code == 0, done.err
    assert len(_worked_on(done)) == 2
    lines = _results(tmp_path)
    assert [len(line["frames"]) for line in lines] == [8, 8]
    assert {one["label"] for line in lines for frame in line["frames"] for one in frame["objects"]} == {"red"}
    assert _worked_on(maskflow("track-videos", *clips, *given)) == []
    both = maskflow("track-videos", *clips, *given, "--text-prompt", "red")
    assert (both.code, "one of them" in both.err) == (2, True)
    other = maskflow("track-videos", make_video(tmp_path / "x.mp4"), make_video(tmp_path / "y.mp4"), *given)
    assert other.code == 2
    assert "--detections: " in other.err
    assert "detections of videos of this run; these are of" in other.err


def test_shots_become_videos_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "film").mkdir()
    film = tmp_path / "film" / "film.mp4"
    write_shots(film, seeds=(1, 2, 3), frames=8)
    whole = write_moving_square(tmp_path / "film" / "one_shot.mp4")
    listed = _list(tmp_path, [film, whole])

    done = _track(tmp_path, listed, "--split-shots")
    assert done.code == 0
    folder = tmp_path / "out" / "shots"
    shots = [folder / f"film_shot_00{number}.mp4" for number in (1, 2, 3)]
    assert sorted(folder.iterdir()) == [*shots, folder / "shots.csv"]
    assert (folder / "shots.csv").read_text().splitlines()[2] == f"film_shot_002.mp4,{film},8,0.8"
    lines = _results(tmp_path)
    assert [line["video_path"] for line in lines] == [*map(str, shots), str(whole)]
    assert [len(line["frames"]) for line in lines] == [8, 8, 8, 12]
    assert [[len(frame["objects"]) for frame in line["frames"]] for line in lines[:3]] == [[1] * 8] * 3
    assert all([one["obj_id"] for one in line["frames"][0]["objects"]] == [1] for line in lines)

    again = _track(tmp_path, listed, "--split-shots")
    assert again.processed == []
    whole_again = _track(tmp_path, listed)
    assert whole_again.code == 0
    (together, _) = _results(tmp_path)
    assert [shot["first_frame"] for shot in together["shots"]] == [0, 8, 16]
    assert together["shots"][-1]["last_frame"] == 23

    refused = maskflow(
        "track-videos", film, "--prompts", "p.json", "--split-shots", "--output-jsonl", tmp_path / "o" / "r.jsonl"
    )
    assert refused.code == 2
    assert "name frames of the whole video" in refused.err
