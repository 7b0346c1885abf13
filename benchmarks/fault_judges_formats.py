"""What each case of `shared/data/faults/formats` has to come to."""

import json
import shlex
import sys
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

from benchmarks.fault_run import Ran
from core.formats.id_maps import read_id_map
from core.video.image_file import read_image

_POSES = (
    "from pathlib import Path; from core.formats.reference_poses import read_reference_poses as read; "
    "print([None if (pose := read(Path('poses', file)).find(name)) is None else float(pose.position[0]) "
    "for file, name in (('tum.txt', '1305031102.175304.png'), ('tum1hz.txt', '1305031102.911214.png'), "
    "('dots2.txt', 'cam.right.jpg'))])"
)

COMMANDS = {
    "H2c-numbered-from-one": (
        "maskflow import one_based/coco.json --to scenes --output OUT/scenes --videos one_based/videos && "
        "maskflow import one_based/coco.json --to prompts --output OUT/prompts.json --videos one_based/videos"
    ),
    "H3-same-name-videos": (
        "maskflow evaluate ev_names/other_order.jsonl --truth ev_names/truth.jsonl --output OUT/order && "
        "maskflow evaluate ev_names/one_failed.jsonl --truth ev_names/truth.jsonl --output OUT/failed"
    ),
    "H11-sav-layout": (
        "maskflow evaluate sav_ev/found --truth sav_ev/truth --output OUT; "
        "maskflow import sav_ev/truth --to prompts --output OUT/prompts.json"
    ),
    "H10a-opengl-axes": "; ".join(
        f"maskflow track-mask-points --npz clips/{name}.npz --output-dir OUT/{name} --use-first-frame "
        "--max-points-per-frame 200; echo exit $?"
        for name in ("ok", "opengl_w2c", "opengl_c2w")
    ),
    "H12a-dotted-pose-names": f'{shlex.quote(sys.executable)} -c "{_POSES}"',
    "M12-one-bad-polygon": (
        "maskflow import c_2pt.json --to results --output OUT/results.jsonl && "
        "maskflow import c_emptyinner.json --to results --output OUT/inner.jsonl"
    ),
    "M11-timestamps": (
        "maskflow import c_ts.json --to results --output OUT/results.jsonl && "
        "maskflow import yolo_ts --to results --output OUT/yolo.jsonl"
    ),
    "M13-yolo-layouts": " && ".join(
        f"maskflow import {name} --to results --output OUT/{name}.jsonl"
        for name in ("yolo_rf", "yolo_upper", "yolo_classes", "yolo_yaml")
    ),
    "H5-pure-rotation": "; ".join(
        f"maskflow reconstruct-windows --input-dir {name} --output-dir OUT/{name}; echo exit $?"
        for name in ("tripod", "rotation")
    ),
    "L4-messages": "; ".join(
        f"maskflow import {name}.json --to results --output OUT/{name}.jsonl"
        for name in ("v_short", "c_nosize", "c_strid2")
    ),
    "M7-kitti-mots": (
        "maskflow import s_kitti/instances_txt --to results --output OUT/results.jsonl && "
        "maskflow import s_kitti --to results --output OUT/whole.jsonl"
    ),
}


def _figures(ran: Ran, folder: str = "") -> dict[str, Any]:
    figures: dict[str, Any] = json.loads((ran.out / folder / "evaluation.json").read_text())
    return figures


def _judged(ap: float | None = None, hota: float | None = None, j: float | None = None) -> Callable[[Ran], bool]:
    def judge(ran: Ran) -> bool:
        figures = _figures(ran)
        figures = figures["overall"]
        got = (figures["ap"], figures["hota"], (figures["j"] or {}).get("mean"))
        mota = hota is None or abs(figures["mota"] - 1) < 1e-6
        return mota and all(
            wanted is None or abs(value - wanted) < 1e-3 for value, wanted in zip(got, (ap, hota, j), strict=True)
        )

    return judge


def _prompts(ran: Ran) -> list[dict[str, Any]]:
    path = ran.out / "prompts.json"
    path = path if path.is_file() else ran.out.with_name("out.json")
    return [one for own in json.loads(path.read_text()).values() for one in own]


def _lines(ran: Ran, name: str = "") -> list[dict[str, Any]]:
    path = ran.out / name if name else ran.out.with_name("out.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def _objects(ran: Ran, name: str = "") -> list[dict[str, Any]]:
    return [one for video in _lines(ran, name) for frame in video["frames"] for one in frame["objects"]]


def _numbered_from_one(ran: Ran) -> bool:
    maps = sorted((ran.out / "scenes").rglob("*.pth"))
    greys = [int(np.median(read_image(p.parent.parent / "images" / p.name.removesuffix(".pth")))) for p in maps]
    return maps[0].name == "000001.jpg.pth" and greys[0] == 40 and _prompts(ran)[0]["frame"] == 0


def _same_names(ran: Ran) -> bool:
    order, failed = _figures(ran, "order"), _figures(ran, "failed")
    right = all(abs(video["j"]["mean"] - 1) < 1e-6 for figures in (order, failed) for video in figures["videos"])
    return right and len(order["videos"]) == 3 and len(failed["videos"]) == 2 and "cam0" in ran.text


def _coloured_ids(ran: Ran) -> bool:
    refused = ran.code in (1, 2) and "colour" in ran.text
    found = {p.parent.parent.name: p for p in ran.out.rglob("*.pth")}
    ids = {name: set(np.unique(read_id_map(path)).tolist()) - {0} for name, path in found.items()}
    return refused or (len(ids["colour_png"]) == 2 and ids["rgb_png"] == {300, 812})


def _still_polygon(ran: Ran) -> bool:
    tree = ET.parse(next(ran.out.rglob("*.xml")))
    track = next(one for one in tree.getroot().iter("track") if one.get("id") == "1")
    return "3" in [shape.get("frame") for shape in track.iter("polygon")]


def _within(ran: Ran) -> bool:
    rows = [line.split()[1:] for p in ran.out.rglob("labels/**/*.txt") for line in p.read_text().splitlines()]
    return bool(rows) and all(0 <= float(share) <= 1 for row in rows for share in row)


def _box_of(one: dict[str, Any]) -> list[float]:
    x, y, width, height = one["bbox"]
    return [x, y, x + width + 1, y + height + 1]


def _is_box(one: dict[str, Any], wanted: list[float]) -> bool:
    return all(abs(a - b) <= 1 for a, b in zip(_box_of(one), wanted, strict=True))


def _ids(ran: Ran) -> list[int]:
    return [one["obj_id"] for one in _objects(ran)]


JUDGES: dict[str, Callable[[Ran], bool]] = {
    "H1a-coco-crowd": _judged(ap=1),
    "H1b-mots-ignore": _judged(hota=1),
    "H1c-mot17-distractors": _judged(hota=1),
    "H2a-prefixed-frame-names": _judged(j=1),
    "H2b-one-mask": lambda ran: [one["frame"] for one in _prompts(ran)] == [120],
    "H2c-numbered-from-one": _numbered_from_one,
    "H3-same-name-videos": _same_names,
    "H4a-coloured-id-png": _coloured_ids,
    "H5-pure-rotation": lambda ran: ran.text.count("exit 1") == 2 and "only turns" in ran.text,
    "H6a-grey16": lambda ran: ran.code == 0 or "16" in ran.text,
    "H7-cvat-still-polygon": _still_polygon,
    "H8a-yolo-track": lambda ran: [(one["frame"], one["obj_id"]) for one in _prompts(ran)] == [(0, 3), (0, 4)],
    "H8b-yolo-track-conf": lambda ran: (
        _is_box(_objects(ran)[0], [40, 30, 60, 50])
        and _objects(ran)[0]["score"] == 0.91
        and _ids(ran) == [3, 3]
        and "segmentation" not in _objects(ran)[0]
    ),
    "H8d-yolo-pose": lambda ran: ran.code == 2 or _is_box(_objects(ran)[0], [40, 24, 60, 56]),
    "H9-yolo-sizes": lambda ran: any(_is_box(one, [80, 20, 120, 30]) for one in _objects(ran)),
    "H10a-opengl-axes": lambda ran: ran.text.count("exit 1") == 2 and "OpenGL" in ran.text,
    "H11-sav-layout": lambda ran: (
        [video["name"] for video in _figures(ran)["videos"]] == ["sav_000002"] and len(_prompts(ran)) == 4
    ),
    "H12a-dotted-pose-names": lambda ran: "None, None]" in ran.text and "[None" not in ran.text,
    "M1-lost-pose-costs-all": lambda ran: "not a rotation" not in ran.text and "no pose" in ran.text,
    "M2-cvat-job": lambda ran: len(_lines(ran)[0]["frames"]) == 5 and len(set(_ids(ran))) == 1,
    "M4-cvat-groups": lambda ran: len(set(_ids(ran))) == 2,
    "M5-yolo-out-of-picture": _within,
    "M7-kitti-mots": lambda ran: (
        [f["source_frame"] for f in _lines(ran, "whole.jsonl")[0]["frames"] if f["objects"]] == [0, 1]
    ),
    "M8-mots-png": lambda ran: 10000 not in _ids(ran) and {o["label"] for o in _objects(ran)} == {"car", "pedestrian"},
    "M10-mot-results-size": lambda ran: bool(_figures(ran)["videos"]),
    "M11-timestamps": lambda ran: (
        [f["source_frame"] for f in _lines(ran, "results.jsonl")[0]["frames"]] == [0, 1]
        and [f["source_frame"] for f in _lines(ran, "yolo.jsonl")[0]["frames"]] == [0, 1]
    ),
    "M12-one-bad-polygon": lambda ran: len(_objects(ran, "results.jsonl")) == 2 == len(_objects(ran, "inner.jsonl")),
    "M13-yolo-layouts": lambda ran: ran.code == 0 and len(list(ran.out.glob("*.jsonl"))) == 4,
    "L1-cvat-old-source": lambda ran: "walk" in _lines(ran)[0]["video_path"],
    "L2-half-turn-exif": lambda ran: ran.code == 0 and ("turned" in ran.text or "half_turn" in ran.text),
    "L4-messages": lambda ran: "zip()" not in ran.text and "image" in ran.text and "text" in ran.text,
    "json-depth": lambda ran: ran.code == 2 and "too deep" in ran.text and ran.seconds < 12,
}
