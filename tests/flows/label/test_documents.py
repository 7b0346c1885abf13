"""What is drawn is saved as it is drawn, in the files that flows take."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import MakeVideo
from labelling import document, edit, page, show, write_results

from core.formats.corrections import read_corrections
from core.formats.prompts import read_prompts
from core.formats.tracked_so_far import begin, note_tracked
from core.formats.tracks import FRAMES_FILE, FrameRecord, ObjectRecord, VideoHead, write_frames, write_head
from core.masks import rle

BOX = [8, 22, 28, 42]


@pytest.fixture
def video(tmp_path: Path, make_video: MakeVideo) -> Path:
    return make_video(tmp_path / "a.mp4", frames=20, fps=10)


def test_before_a_run_it_is_a_prompts_file(tmp_path: Path, video: Path) -> None:
    with page(video, folder=tmp_path) as client:
        found = show(client, obj_id=1, frame=3, box=BOX, label="cup")
        assert (found["kind"], found["free_id"]) == ("prompts", 2)
        show(client, obj_id=2, frame=0, points=[[40, 30, 1], [5, 5, 0]])
        edit(client, op="hide", obj_id=1, first=9)
        edit(client, op="rename", obj_id=2, label="dog")
    (entries,) = read_prompts(tmp_path / "prompts.json").values()
    said = [(one.frame, one.obj_id, one.label, one.box and list(one.box), one.gone) for one in entries]
    assert said == [(0, 2, "dog", None, False), (3, 1, "cup", BOX, False), (9, 1, "cup", None, True)]
    with page(video, folder=tmp_path) as client:
        known = document(client)["known"]
    assert [one["obj_id"] for one in known["prompts"]] == [2, 1]
    assert [(one["obj_id"], one["first"], one["last"]) for one in known["absent"]] == [(1, 9, None)]
    assert known["labels"] == {"1": "cup", "2": "dog"}


def test_what_is_gone_until_it_is_shown_again_stays_so(tmp_path: Path, video: Path) -> None:
    with page(video, folder=tmp_path) as client:
        show(client, obj_id=1, frame=0, box=BOX)
        edit(client, op="hide", obj_id=1, first=5)
        show(client, obj_id=1, frame=12, box=BOX)
        (gone,) = document(client)["known"]["absent"]
        assert (gone["first"], gone["last"]) == (5, 11)


def test_what_a_prompts_file_cannot_say_is_refused(tmp_path: Path, video: Path) -> None:
    with page(video, folder=tmp_path) as client:
        revision = show(client, obj_id=1, frame=0, box=BOX)["revision"]
        for span in ({"first": 5, "last": 8}, {"first": 0}):
            body = {"edit": {"op": "hide", "obj_id": 1, **span}, "revision": revision}
            assert "before a run" in client.post("/api/videos/0/edits", json=body).json()["detail"]
        assert document(client)["revision"] == revision


def test_an_id_is_not_given_twice_and_what_is_merged_is_seen(tmp_path: Path, video: Path) -> None:
    write_results(tmp_path / "results.jsonl", video)
    with page(video, folder=tmp_path) as client:
        show(client, obj_id=5, frame=0, box=BOX)
        edit(client, op="hide", obj_id=5)
        assert document(client)["free_id"] == 6
        edit(client, op="hide", obj_id=2, first=5)
        lanes = edit(client, op="merge", obj_id=4, into=2)["lanes"]
        assert {lane["obj_id"]: [run[:2] for run in lane["runs"]] for lane in lanes} == {
            1: [[0, 19]],
            2: [[0, 4], [10, 19]],
        }


def test_what_a_run_has_tracked_so_far_is_shown(tmp_path: Path, video: Path) -> None:
    mask = np.zeros((64, 96), np.bool_)
    mask[22:42, 8:28] = True
    seen = ObjectRecord(
        obj_id=1, bbox=(8, 22, 19, 19), label="cup", score=0.5, detection_score=None, rle=rle.encode(mask)
    )
    folder = tmp_path / ".maskflow" / "track_video" / "key"
    folder.mkdir(parents=True)
    with (folder / FRAMES_FILE).open("w") as stream:
        write_frames(
            stream, (FrameRecord(frame_idx=n, source_frame=n, time_s=n / 10, objects=[seen]) for n in range(20))
        )
    write_head(folder, VideoHead(width=96, height=64, original_fps=10, process_fps=10, total_frames=20))
    with page(video, folder=tmp_path) as client:
        show(client, obj_id=1, frame=0, box=BOX)
        assert document(client)["lanes"] == []
        begin(tmp_path / ".maskflow")
        note_tracked(tmp_path / ".maskflow", str(video), folder)
        found = document(client)
        assert (found["kind"], found["lanes"][0]["runs"]) == ("prompts", [[0, 19, 0.5]])
        assert client.get("/api/videos/0/objects/7").json()["objects"][0]["label"] == "cup"


def test_results_of_a_namesake_are_not_shown(tmp_path: Path, video: Path, make_video: MakeVideo) -> None:
    write_results(tmp_path / "results.jsonl", video)
    other = make_video(tmp_path / "cam2" / "a.mp4", frames=20, fps=10)
    with page(video, other, folder=tmp_path) as client:
        assert [document(client, number)["kind"] for number in (0, 1)] == ["corrections", "prompts"]


def test_two_tabs_do_not_overwrite_each_other(tmp_path: Path, video: Path) -> None:
    with page(video, folder=tmp_path) as client:
        old = document(client)["revision"]
        show(client, obj_id=1, frame=0, box=BOX)
        late = {"edit": {"op": "show", "prompt": {"obj_id": 1, "frame": 5, "box": BOX}}, "revision": old}
        answer = client.post("/api/videos/0/edits", json=late)
        assert (answer.status_code, answer.json()["detail"]) == (409, "the file was changed in the meantime")
        assert len(document(client)["known"]["prompts"]) == 1


def test_what_others_wrote_into_the_file_stays(tmp_path: Path, video: Path, make_video: MakeVideo) -> None:
    other = make_video(tmp_path / "b.mp4")
    (tmp_path / "prompts.json").write_text(json.dumps({"b": [{"box": BOX}], "elsewhere.mp4": [{"box": BOX}]}))
    with page(video, other, folder=tmp_path) as client:
        show(client, obj_id=1, frame=0, box=BOX)
        assert len(document(client, 1)["known"]["prompts"]) == 1
        show(client, 1, obj_id=2, frame=0, box=BOX)
    assert set(json.loads((tmp_path / "prompts.json").read_text())) == {"elsewhere.mp4", str(video), str(other)}


def test_undoing_restores_everything(tmp_path: Path, video: Path) -> None:
    with page(video, folder=tmp_path) as client:
        before = show(client, obj_id=1, frame=0, box=BOX, label="cup")["known"]
        show(client, obj_id=1, frame=0, mask={"size": [64, 96], "counts": [64 * 50, 64, 64 * 45]})
        assert edit(client, op="restore", corrections=before)["known"] == before


def test_with_results_it_is_a_corrections_file(tmp_path: Path, video: Path) -> None:
    write_results(tmp_path / "results.jsonl", video)
    with page(video, folder=tmp_path) as client:
        first = document(client)
        assert (first["kind"], first["free_id"], first["round"]) == ("corrections", 5, 0)
        assert first["lanes"] == [
            {"obj_id": 1, "label": "red", "runs": [[0, 19, 0.8]]},
            {"obj_id": 2, "label": "blue", "runs": [[0, 9, 0.5]]},
            {"obj_id": 4, "label": "blue", "runs": [[10, 19, 0.5]]},
        ]
        merged = edit(client, op="merge", obj_id=4, into=2)
        assert [(one["obj_id"], one["runs"]) for one in merged["lanes"]] == [(1, [[0, 19, 0.8]]), (2, [[0, 19, 0.5]])]
        edit(client, op="split", obj_id=1, frame=5, new_id=5)
        edit(client, op="hide", obj_id=2, first=3, last=6)
        edit(client, op="rename", obj_id=5, label="ball")
        objects = client.get("/api/videos/0/objects/5").json()["objects"]
        assert [(one["obj_id"], one["label"]) for one in objects] == [(5, "ball")]
        assert client.get("/api/videos/0/objects/99").json()["objects"] is None
        taken = client.post(
            "/api/videos/0/edits",
            json={
                "edit": {"op": "split", "obj_id": 1, "frame": 2, "new_id": 4},
                "revision": document(client)["revision"],
            },
        )
        assert taken.json()["detail"] == "there is an object 4 already"
    (one,) = read_corrections(tmp_path / "corrections.json").videos.values()
    assert (one.labels, len(one.ids), len(one.absent)) == ({5: "ball"}, 3, 1)


@pytest.mark.parametrize(
    ("prompt", "what"),
    [
        ({"obj_id": 1, "frame": 99, "box": BOX}, "the video ends with frame 19"),
        ({"obj_id": 1, "frame": 0, "box": [900, 22, 928, 42]}, "frame 0: it lies outside the picture of 96x64"),
        ({"obj_id": 1, "frame": 0, "box": [9, 9, 3, 3]}, "x0 < x1"),
        ({"obj_id": 1, "frame": 0}, "give a box, a mask, or points"),
        ({"obj_id": 0, "frame": 0, "box": BOX}, "obj_id: expected 1 or more"),
        ({"obj_id": 1, "frame": 0, "box": BOX, "path": "/etc/passwd"}, "path: no such name is known here"),
    ],
)
def test_nonsense_is_refused_in_one_line(tmp_path: Path, video: Path, prompt: dict[str, Any], what: str) -> None:
    with page(video, folder=tmp_path) as client:
        body = {"edit": {"op": "show", "prompt": prompt}, "revision": "none"}
        answer = client.post("/api/videos/0/edits", json=body)
        assert answer.status_code == 422
        assert what in answer.json()["detail"]
        assert "\n" not in answer.json()["detail"]
        assert not (tmp_path / "prompts.json").exists()


def test_a_file_that_is_broken_meanwhile_is_named(tmp_path: Path, video: Path) -> None:
    write_results(tmp_path / "results.jsonl", video)
    (tmp_path / "corrections.json").write_text('{"version": 1, "videos": {"a": {"prompts": 3}}}')
    with page(video, folder=tmp_path) as client:
        answer = client.get("/api/videos/0/document")
        assert answer.status_code == 422
        assert "corrections.json' cannot be used: videos / a / prompts: expected a list" in answer.json()["detail"]
