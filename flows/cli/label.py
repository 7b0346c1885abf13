"""`maskflow label`: a page to point at objects, see them tracked, and put right what is wrong."""

import os
import socket
from pathlib import Path

import uvicorn

from core.errors import RefusedInput
from core.formats.corrections import read_corrections
from core.formats.prompts import read_prompts
from core.formats.video_list import named_videos, read_video_list
from core.store.paths import expanded
from flows.cli.console import open_console
from flows.cli.paths import HomePath
from flows.cli.results_options import count
from flows.label.app import label_app
from flows.label.guard import Guard, kept_token
from flows.label.session import Places, check_results, open_session, videos_of
from tasks.server.address import is_loopback, server_password

_MINE = frozenset({"127.0.0.1", "localhost", "::1"})
_RESULTS = Path("outputs/tracks/results.jsonl")
_LISTS = (".txt", ".csv")


def label(
    videos: list[str] | None = None,
    *,
    results: HomePath = _RESULTS,
    prompts: HomePath | None = None,
    corrections: HomePath | None = None,
    segmenter: str = "auto",
    host: str = "127.0.0.1",
    port: int = 8008,
) -> int:
    """Point at objects in the browser, see them tracked, correct them; only what changed is computed again.

    Prints the address of a page, until Ctrl-C. Everything is saved as it is done. On a server without a browser, run it
    there, and `ssh -L 8008:127.0.0.1:8008 SERVER` here.

    Args:
        videos: videos, folders of videos or of images, patterns, or a text file with one on each line; those of the
            results when left out.
        results: results to correct, or where a first run puts them.
        prompts: file for what is pointed at before a first run; prompts.json beside the results when left out.
        corrections: file for corrections; corrections.json beside the results when left out.
        segmenter: what makes masks of what is pointed at: auto, or one of those of track-videos.
        host: address to listen at; others than this machine's own need PREFECT_SERVER_API_AUTH_STRING=USER:PASSWORD.
        port: port to listen at; 0: any that is free.
    """
    password = server_password()
    if not is_loopback(host) and not password:
        accepted = "an address of this machine alone, or a password: PREFECT_SERVER_API_AUTH_STRING=USER:PASSWORD"
        raise RefusedInput.of("host", host, accepted)
    places = Places.beside(results, prompts, corrections)
    named = _videos(videos or [], results)
    _check_files(places, named)
    session = open_session(named, places, segmenter)
    token = kept_token(places.state / "label_token")
    hosts = _MINE if is_loopback(host) else None
    app = Guard(label_app(session), token, hosts, None if is_loopback(host) else password)
    with _listening(host, port) as listening:
        shown = host if is_loopback(host) else socket.getfqdn()
        shown = f"[{shown}]" if ":" in shown else shown
        console = open_console()
        console.print(f"Open http://{shown}:{listening.getsockname()[1]}/?token={token}", soft_wrap=True)
        about = f"{count(len(named), 'video')}; masks by {session.segmenter.backend}; Ctrl-C ends it"
        console.print(about, style="dim", soft_wrap=True)
        try:
            server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
            server.run(sockets=[listening])
        finally:
            session.close()
    return 0


def _videos(names: list[str], results: Path) -> list[str]:
    """The videos to show. Raises `RefusedInput` where there is none."""
    if names:
        listed = [read_video_list(expanded(Path(name))) if name.lower().endswith(_LISTS) else [name] for name in names]
        found = named_videos(one for part in listed for one in part)
        there = [str(path) for path in map(expanded, map(Path, found)) if path.exists()]
        if not there:
            where = f"looked for in {Path.cwd()} on {socket.gethostname()}"
            raise RefusedInput.of("videos", names[0], f"a video, folder or pattern that is there ({where})")
        return there
    if not results.exists() and results != _RESULTS:
        raise RefusedInput.of("results", str(results), "results that are there, or name the videos to make them of")
    if not results.exists():
        raise RefusedInput.of("videos", None, "name videos or folders to point at objects in, or results to correct")
    return videos_of(results)


def _check_files(places: Places, videos: list[str]) -> None:
    """Raise `RefusedInput` for files that are there and cannot be used."""
    check_results(places.results, videos)
    if places.prompts.exists():
        read_prompts(places.prompts)
    if places.corrections.exists():
        read_corrections(places.corrections)


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises `RefusedInput` where it cannot."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)  # before the address is printed: whoever opens it at once waits, and is not refused
    except OSError as error:
        listening.close()
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise RefusedInput.of("port", port, f"a port of {host} that is free ({reason.lower()})") from None
    return listening
