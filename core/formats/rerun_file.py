"""Files of Rerun's: written through a pipe, so that a full disk is an error and not a wait without end.

Rerun's own writer ends when its file cannot be written, and whoever flushes or closes the recording then waits for
ever (rerun-sdk 0.41). A pipe is always read to its end; what it brings is written by us.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import rerun as rr
import rerun.blueprint as rrb

from core.store.atomic import atomic_file

_FLUSHED_WITHIN_S = 600.0
_PIECE = 2**18


@contextmanager
def recording_file(
    path: Path, recording_id: str, blueprint: rrb.Blueprint | None = None
) -> Iterator[rr.RecordingStream]:
    """A recording that streams to a file; `path` appears when the context ends without an error.

    Args:
        path: the `.rrd` to make.
        recording_id: the same for all files that show together.
        blueprint: how viewers show it, unless their user has arranged it.

    Raises:
        OSError: the file cannot be written; it names the file.
    """
    with (
        atomic_file(path) as temporary,
        TemporaryDirectory(prefix="maskflow-") as folder,
        ThreadPoolExecutor(1, "recording") as copier,
    ):
        pipe = Path(folder, "pipe")
        os.mkfifo(pipe)
        copied = copier.submit(_copy, pipe, temporary)
        recording = rr.RecordingStream("maskflow", recording_id=recording_id)
        try:
            recording.save(pipe, default_blueprint=blueprint)
        except BaseException:
            os.close(os.open(pipe, os.O_WRONLY))  # nobody else opens it: the copier would wait for ever
            raise
        try:
            yield recording
            recording.flush(timeout_sec=_FLUSHED_WITHIN_S)
        finally:
            recording.disconnect()
        copied.result()


def side_by_side(large: rrb.View, beside: rrb.View, shares: tuple[int, int], timeline: str) -> rrb.Blueprint:
    """Two views and a collapsed time panel; all else is hidden, until the viewer's user opens it.

    Args:
        large: on the left.
        beside: on the right.
        shares: of the width.
        timeline: the one that plays.
    """
    views = rrb.Horizontal(large, beside, column_shares=list(shares))
    return rrb.Blueprint(views, rrb.TimePanel(state="collapsed", timeline=timeline), collapse_panels=True)


def _copy(pipe: Path, path: Path) -> None:
    """Write what comes through a pipe; after an error it is read on, for the sake of whoever writes into it."""
    failed: OSError | None = None
    with pipe.open("rb", buffering=0) as source, path.open("wb") as output:
        while piece := source.read(_PIECE):
            if failed is None:
                try:
                    output.write(piece)
                    output.flush()
                except OSError as error:
                    failed = OSError(error.errno, error.strerror, str(path))
        if failed is not None:
            raise failed
