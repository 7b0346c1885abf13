"""Thousands of spoilt files through everything that reads files of others, in a device worker.

    python -m benchmarks.fuzz [COUNT] [SEED]

Wanted: each is read or refused in one line; no reader raises anything else, hangs, kills its process, or uses more
memory than the ceiling. Files that make one do so are kept in `fuzz-found/`.
"""

import json
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from PIL import Image
from rich.table import Table

from core.errors import MaskflowError
from core.formats.hd_epic import HdEpic
from core.formats.id_maps import read_id_map
from core.formats.prompts import read_prompts
from core.formats.reference_poses import read_reference_poses
from core.formats.visor import Visor
from core.memory import memory_use
from core.models.sam2.checkpoint import check_checkpoint
from core.points.clip_item import unpack
from core.video.image_file import read_image
from core.video.source import open_video
from flows.cli.console import open_console
from tasks.devices.process import WorkerDied, WorkerProcess
from tasks.devices.slots import Slot
from tasks.devices.timeouts import TimedOut, Timeouts
from tasks.devices.worker import ItemCrashed

_CEILING_MIB = 2500
_HANGS_AFTER_S = 60.0
_FOUND = Path("fuzz-found")
_VIDEOS = {
    "a.mp4": ("libx264", "yuv420p"), "a.mov": ("mjpeg", "yuvj420p"), "a.mkv": ("libx264", "yuv420p"),
    "a.webm": ("libvpx", "yuv420p"), "a.avi": ("mpeg4", "yuv420p"), "b.avi": ("libx264", "yuv420p"),
    "a.ts": ("mpeg2video", "yuv420p"), "b.ts": ("libx264", "yuv420p"), "a.mpg": ("mpeg1video", "yuv420p"),
    "a.flv": ("flv", "yuv420p"), "a.wmv": ("wmv2", "yuv420p"), "a.gif": ("gif", "rgb8"), "a.apng": ("apng", "rgb24"),
    "a.y4m": ("rawvideo", "yuv420p"), "a.h264": ("libx264", "yuv420p"), "hevc.mp4": ("libx265", "yuv420p"),
    "vp9.ivf": ("libvpx-vp9", "yuv420p"),
}  # fmt: skip
_FORMATS = {".y4m": "yuv4mpegpipe", ".wmv": "asf"}


def seeds(folder: Path) -> list[Path]:
    """Small sound files of every kind."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (24, 32, 3), np.uint8)
    for name, (codec, pixels) in _VIDEOS.items():
        _video(folder / name, codec, pixels, picture)
    for name in ("a.png", "a.jpg", "a.webp", "a.bmp", "a.tiff", "a.avif"):
        Image.fromarray(picture).save(folder / name)
    Image.fromarray(picture[..., 0].astype(np.uint16) * 257).save(folder / "deep.png")
    Image.fromarray(rng.integers(0, 5, (24, 32)).astype(np.uint16)).save(folder / "ids.png")
    Image.fromarray(picture[..., 0].astype(np.float32) / 255).save(folder / "float.tiff")
    prompts = {"a.mp4": [{"frame": 3, "obj_id": 1, "box": [1, 2, 20, 18], "points": [[5, 5, 1]]},
                         {"mask": {"size": [24, 32], "counts": [100, 50, 618]}}]}  # fmt: skip
    polygon = [[100.0, 100.0], [300.0, 100.0], [300.0, 300.0]]
    image = {"name": "P01_01_frame_0000000021.jpg", "video": "P01_01"}
    visor = {"video_annotations": [{"image": image, "annotations": [{"name": "cup", "segments": [polygon]}]}]}
    track = {"track_id": "t", "time_segment": [0.1, 0.4], "masks": ["m"]}
    assoc = {"v": {"a1": {"name": "cup", "tracks": [track]}}}
    masks = {"v": {"m": {"frame_number": 3, "3d_location": [0, 0, 1], "bbox": [1, 2, 20, 18], "fixture": "x"}}}
    for name, content in (("prompts", prompts), ("visor", visor), ("assoc", assoc), ("mask_info", masks)):
        (folder / f"{name}.json").write_text(json.dumps(content))
    (folder / "poses.txt").write_text("".join(f"{n}.png {n} 0 0 0 0 0 1\n" for n in range(5)))
    ids = rng.integers(0, 5, (24, 32))
    torch.save({"obj_ids": torch.from_numpy(ids)}, folder / "ids.pth")
    torch.save(torch.from_numpy(ids), folder / "plain.pth")
    np.savez(folder / "ids.npz", ids.astype(np.uint16))
    torch.save({"model": {"weight": torch.zeros(3, 3)}}, folder / "checkpoint.pt")
    _clip(folder / "clip.npz", rng)
    return sorted(folder.iterdir())


def _video(path: Path, codec: str, pixels: str, picture: "np.typing.NDArray[np.uint8]") -> None:
    with av.open(str(path), "w", format=_FORMATS.get(path.suffix)) as out:
        options = {"x265-params": "log-level=none"} if codec == "libx265" else {"g": "4"}
        stream = out.add_stream(codec, rate=25, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        for number in range(9):
            image = np.roll(np.kron(picture, np.ones((2, 2, 1), np.uint8)), number, 1)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode(None))


def _clip(path: Path, rng: "np.random.Generator") -> None:
    frames, height, width = 2, 12, 16
    masks = np.zeros((1, frames, height, width), np.bool_)
    masks[:, :, 2:8, 3:9] = True
    np.savez_compressed(
        path,
        rgbs=rng.integers(0, 255, (1, frames, 3, height, width), np.uint8),
        depths=np.ones((1, frames, 1, height, width), np.float32),
        intrs=np.tile(np.array([[15, 0, 8], [0, 15, 6], [0, 0, 1]], np.float32), (1, frames, 1, 1)),
        extrs=np.tile(np.eye(4, dtype=np.float32)[:3], (1, frames, 1, 1)),
        camera_ids=np.array(["cam"]),
        sam2_masks=np.array({"thing": masks}, object),
    )


_Spoil = Callable[[bytearray, int, int, random.Random], None]


def _cut(data: bytearray, at: int, _: int, __: random.Random) -> None:
    del data[at:]


def _lose(data: bytearray, at: int, size: int, _: random.Random) -> None:
    del data[at : at + size]


def _repeat(data: bytearray, at: int, size: int, rng: random.Random) -> None:
    data[at:at] = data[at : at + size] * rng.choice([1, 2, 50])


def _blank(data: bytearray, at: int, size: int, _: random.Random) -> None:
    data[at : at + size] = bytes(len(data[at : at + size]))


def _noise(data: bytearray, at: int, size: int, rng: random.Random) -> None:
    data[at : at + size] = rng.randbytes(size)


def _flip(data: bytearray, at: int, _: int, rng: random.Random) -> None:
    data[at % len(data)] ^= 1 << rng.randrange(8)


def _extreme(data: bytearray, at: int, _: int, rng: random.Random) -> None:
    number = rng.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 65_535])
    data[at : at + 4] = number.to_bytes(4, rng.choice(["big", "little"]))


def _insert(data: bytearray, at: int, _: int, rng: random.Random) -> None:
    data[at:at] = rng.randbytes(rng.choice([1, 8, 64]))


def _word(data: bytearray, at: int, _: int, rng: random.Random) -> None:
    data[at : at + 1] = rng.choice(
        [b"null", b"-1", b"1e999", b"NaN", b'"\\ud800"', b"[" * 2000, b"{}", b"99" * 40, b"[]", b'""', b"true"]
    )


_BYTES: tuple[_Spoil, ...] = (_cut, _lose, _repeat, _blank, _noise, _flip, _extreme, _insert)


def mutate(data: bytes, text: bool, rng: random.Random) -> bytes:
    """Spoilt in one of the ways files get spoilt, or are spoilt on purpose."""
    spoilt = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        at, size = rng.randrange(len(spoilt) + 1), rng.choice([1, 2, 4, 16, 256, len(spoilt) // 3 + 1])
        rng.choice([*_BYTES, *((_word,) * 8 if text else ())])(spoilt, at, size, rng)
        if not spoilt:
            spoilt += b"\0"
    return bytes(spoilt[:2_000_000])


def _read_media(path: Path) -> None:
    with open_video(path) as source:
        for _ in source.frames(max_side=32):
            pass
    with open_video(path) as source:
        index = source.index()
    with open_video(path) as source:
        list(source.frames_at(index, sorted({0, len(index) // 2, len(index) - 1}), 32))


def _read_json(path: Path, kind: str) -> None:
    if kind == "prompts":
        for entries in read_prompts(path).values():
            for entry in entries:
                entry.object_prompt()
    elif kind == "visor":
        Visor(path).annotations("P01_01", 64, 48, np.arange(40) / 30)
    else:
        HdEpic(path, path).annotations("v")


def _read_weights(path: Path) -> None:
    if path.suffix == ".pt":
        check_checkpoint(path, "sam2.1_hiera_tiny")
    else:
        read_id_map(path)


def _read_npz(path: Path, kind: str) -> None:
    if kind == "ids":
        read_id_map(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        unpack({"npz": str(path), "mask_key": "sam2_masks"}, Path(folder), lambda *_: None)


def _read_image(path: Path, kind: str) -> None:
    read_image(path)
    if kind == "ids":
        read_id_map(path)


def _reader(path: Path) -> Callable[[], object]:
    kind = path.name.partition("-")[0]
    match path.suffix:
        case ".json":
            return lambda: _read_json(path, kind)
        case ".pth" | ".pt":
            return lambda: _read_weights(path)
        case ".npz":
            return lambda: _read_npz(path, kind)
        case ".txt":
            return lambda: read_reference_poses(path)
        case ".png" | ".jpg" | ".webp" | ".bmp" | ".tiff" | ".avif":
            return lambda: _read_image(path, kind)
    return lambda: _read_media(path)


def read_files(request: dict[str, Any], folder: Path, report: Callable[[int, int | None], None]) -> dict[str, Any]:
    """An item function: what became of each file, by name."""
    resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30,) * 2)
    became = {}
    for number, name in enumerate(request["files"], 1):
        (folder / "at").write_text(name)
        Path(request["at"]).write_text(name)
        try:
            _reader(Path(name))()
            became[name] = "read"
        except MaskflowError as error:
            became[name] = "refused" if "\n" not in str(error) and len(str(error)) < 2000 else f"ODD refusal: {error}"
        except Exception as error:  # noqa: BLE001 - what is looked for
            became[name] = f"ODD {type(error).__name__}: {error}"
        if memory_use().host_mib > _CEILING_MIB:
            became[name] = f"ODD memory: {memory_use().host_mib:.0f} MiB"
        report(number, len(request["files"]))
    return {"became": became}


def main(count: int, seed: int) -> int:
    """Spoil and read `count` files; the number of those that were neither read nor refused."""
    rng, work = random.Random(seed), Path(tempfile.mkdtemp(prefix="maskflow-fuzz-"))
    sound = seeds(work / "seeds")
    spoilt = work / "spoilt"
    spoilt.mkdir()
    files = []
    for number in range(count):
        one = sound[number % len(sound)]
        path = spoilt / f"{one.stem}-{number}{one.suffix}"
        path.write_bytes(mutate(one.read_bytes(), one.suffix in (".json", ".txt"), rng))
        files.append(str(path))
    became: dict[str, str] = {}
    started_s, worker = time.monotonic(), None
    while left := [name for name in files if name not in became][:100]:
        worker = worker or WorkerProcess(Slot(None, 0), 1, lambda *_: None, Timeouts(stall_s=_HANGS_AFTER_S))
        item = work / f"item{len(became)}"
        request = {"files": left, "at": str(work / "at")}
        try:
            became |= worker.make_item("benchmarks.fuzz:read_files", request, str(item), str(item), {})["became"]
        except (WorkerDied, TimedOut, ItemCrashed) as error:
            at = (work / "at").read_text()
            became[at] = f"ODD {type(error).__name__}: {error}"
            worker.kill()
            worker = None
        print(f"{len(became)} of {count}", end="\r", flush=True)
    if worker is not None:
        worker.kill()
    table = Table("kind", "read", "refused", "odd")
    kinds = Counter((Path(name).suffix, result.split()[0]) for name, result in became.items())
    for suffix in sorted({suffix for suffix, _ in kinds}):
        table.add_row(suffix, *(str(kinds[suffix, result]) for result in ("read", "refused", "ODD")))
    open_console().print(table)
    odd = {name: result for name, result in became.items() if result.startswith("ODD")}
    for name, result in odd.items():
        _FOUND.mkdir(exist_ok=True)
        shutil.copy(name, _FOUND)
        print(Path(name).name, result[:300])
    totals = Counter(result.split()[0] for result in became.values())
    totals["seconds"] = round(time.monotonic() - started_s)
    print(f"seed {seed}: {count} files, {totals['read']} read, {totals['refused']} refused, {len(odd)} odd")
    print(f"{totals['seconds']} s, at most {_CEILING_MIB} MiB allowed")
    shutil.rmtree(work)
    return len(odd)


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    sys.exit(min(1, main(*(words + [2500, 1][len(words) :]))))
