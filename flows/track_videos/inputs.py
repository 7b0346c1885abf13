"""Which videos are processed, and what files say about each of them."""

import socket
from collections.abc import Sequence
from pathlib import Path

from core.addresses.address import as_address, check_address, check_no_credentials, is_address, joined
from core.addresses.remote import AddressError
from core.errors import MaskflowError, RefusedInput, reason_of
from core.formats.exchange.model import VideoResults
from core.formats.exchange.registry import read_results
from core.formats.exchange.sources import Sources
from core.formats.video_list import named_videos, read_video_list
from core.video.video_paths import pair_up, path_parts
from flows.checking import here
from tasks.elsewhere import note_unreadable, videos_at


def listed_videos(names: Sequence[str] | None, file: Path | None) -> list[str]:
    """The videos of a run, each once. Raises `RefusedInput` where there is none, or it is a list of them."""
    if not names and file is None:
        accepted = "name videos, folders or patterns, or a text file with one on each line as video_list"
        raise RefusedInput.of("videos", None, accepted)
    for name in names or ():
        if name.lower().endswith((".txt", ".csv", ".json", ".jsonl")):
            raise RefusedInput.of("videos", name, "videos; a list of them is given as video_list")
    named = _not_secret("videos", named_videos(names or ()))
    if names and file is None and not any(map(_may_be_there, named)):
        where = f"looked for in {Path.cwd()} on {socket.gethostname()}"
        raise RefusedInput.of("videos", names[0], f"a video, folder or pattern that is there ({where})")
    found = dict.fromkeys([*named, *([] if file is None else _read_list(file))])
    return list(dict.fromkeys(video for one in found for video in _meant(one)))


def _beside(address: str, video: str) -> str:
    return video if is_address(video) or Path(video).is_absolute() else joined(address.rpartition("/")[0], video)


def _meant(video: str) -> list[str]:
    """What an address means: those in a folder, or that a pattern names; the item of one that is nowhere says so."""
    address = as_address(video)
    if address is None:
        return [video]
    try:
        return videos_at(check_address("videos", address))
    except (AddressError, RefusedInput) as error:
        note_unreadable(address, error)
        return [address]


def _not_secret(parameter: str, videos: list[str]) -> list[str]:
    """Refuse addresses with credentials in them: they would be shown wherever the video is named."""
    for video in videos:
        if is_address(video):
            check_no_credentials(parameter, video)
    return videos


def _may_be_there(video: str) -> bool:
    """Whether there is something, or it is an address: the item of one that is not there says so."""
    try:
        return "://" in video or Path(video).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        return False


def _read_list(given: Path) -> list[str]:
    """Those of a list; what one at an address names relatively is beside that."""
    address, path = as_address(given), here("video_list", given)
    try:
        videos = read_video_list(path)
        if address is not None:
            videos = [_beside(address, video) for video in videos]
        _not_secret("video_list", videos)
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedInput.of("video_list", str(path), f"a readable UTF-8 text file ({reason_of(error)})") from None
    if not videos:
        raise RefusedInput.of(
            "video_list", str(path), "a file with the path of a video on each line; this one is empty"
        )
    return videos


def given_detections(path: Path, videos: Sequence[str]) -> tuple[dict[str, VideoResults], list[str]]:
    """The detections of each video, in any format of the field, and what was noted while they were read."""
    alone = len(videos) == 1
    sources = Sources(Path(videos[0]).expanduser() if alone else None, known=tuple(videos), alone=alone)
    try:
        read = read_results(path, None, sources)
    except MaskflowError as error:
        raise RefusedInput.unusable("detections", str(path), str(error)) from None
    if alone and len(read) == 1:
        return {videos[0]: read[0]}, sources.notes.summary()
    pairs = pair_up([path_parts(str(Path(video).absolute())) for video in videos], [one.parts for one in read])
    if not pairs:
        named = ", ".join(repr(one.name) for one in read[:3])
        raise RefusedInput.of("detections", str(path), f"detections of videos of this run; these are of {named}")
    return {videos[place]: read[other] for place, other in pairs}, sources.notes.summary()
