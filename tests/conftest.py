"""What tests share: an environment of their own, small real videos, one real Prefect server."""

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

if TYPE_CHECKING:
    from sam2.modeling.sam2_base import SAM2Base

# Before anything imports Prefect: its settings are read at import. Slot locks, too, stay apart from real runs.
_HOME = tempfile.mkdtemp(prefix="maskflow-tests-")
os.environ.update(
    PREFECT_HOME=f"{_HOME}/prefect",
    TMPDIR=_HOME,
    XDG_CACHE_HOME=f"{_HOME}/cache",
    MASKFLOW_SLOT_LOCKS=f"{_HOME}/locks",
    MASKFLOW_KEEP_SERVER_S="0",
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
    DO_NOT_TRACK="1",
)
os.environ.pop("PREFECT_API_URL", None)
if "PYTEST_XDIST_WORKER" in os.environ:  # each has a core to itself: threads would only wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")
tempfile.tempdir = _HOME

# The first example of a test may pay for an import, and machines are busy: no example is judged by its time.
settings.register_profile("maskflow", deadline=None)
settings.load_profile("maskflow")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where everything passed, nobody needs what the tests wrote: gigabytes."""
    if exitstatus == pytest.ExitCode.OK and not hasattr(session.config, "workerinput"):
        atexit.register(shutil.rmtree, _HOME, ignore_errors=True)


SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
MakeVideo = Callable[..., Path]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data with ground truth, kept beside the checkout."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the data folder {SHARED_DATA}, which is not here")
    return SHARED_DATA


def moving_square(frames: int, width: int = 96, height: int = 64, seed: int = 0) -> Iterator[np.ndarray]:
    """A red square that crosses a grey, textured ground."""
    ground = np.random.default_rng(seed).integers(90, 130, (height, width, 1), np.uint8).repeat(3, axis=2)
    for index in range(frames):
        image = ground.copy()
        x = 8 + (2 * index) % max(1, width - 32)
        image[height // 2 - 10 : height // 2 + 10, x : x + 20] = (210, 30, 30)
        yield image


def write_moving_square(
    path: Path, frames: int = 12, fps: float = 10, seed: int = 0, width: int = 96, height: int = 64
) -> Path:
    """Write a small H.264 video with a red square in it."""
    from core.video.writer import write_video

    with write_video(path, fps, width, height) as video:
        for index, image in enumerate(moving_square(frames, width, height, seed)):
            video.write(image, index / fps)
    return path


def write_shots(path: Path, seeds: Sequence[int], frames: int = 8, fps: float = 10) -> Path:
    """Write a video of several shots: in each a red square, on a ground of another brightness."""
    from core.video.writer import write_video

    with write_video(path, fps, 96, 64) as video:
        for shot, seed in enumerate(seeds):
            for index, image in enumerate(moving_square(frames, seed=seed)):
                lit = np.where(image[..., :1] == 210, image, image // 2 + 40 * seed).astype(np.uint8)
                video.write(lit, (shot * frames + index) / fps)
    return path


@pytest.fixture
def make_video() -> MakeVideo:
    """`write_moving_square`: `make_video(path, frames=12, fps=10, seed=0)`."""
    return write_moving_square


@pytest.fixture(autouse=True)
def _no_command_outlives_its_test() -> Iterator[None]:
    yield
    if "running" in sys.modules:
        sys.modules["running"].end_all()


@pytest.fixture(scope="session")
def prefect_server() -> str:
    """One real server for all tests, up until this process ends."""
    from tasks.server.temporary import ensure_server

    return ensure_server()


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """The address of a real S3 server on this machine."""
    from remote_servers import s3_server

    with s3_server() as url:
        yield url


@pytest.fixture
def bucket(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A new bucket's address, and credentials for it in the environment."""
    from remote_servers import s3_bucket

    with s3_bucket(s3_url, monkeypatch.setenv) as address:
        yield address


@pytest.fixture(scope="session")
def model() -> "SAM2Base":
    """SAM 2.1 tiny on 128 pixels, with random weights."""
    from small_sam2 import small_sam2

    return small_sam2()


@pytest.fixture(scope="session")
def jpegs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64 frames of 160 x 90 as the `sam2` package wants them: JPEG files called by number."""
    folder = tmp_path_factory.mktemp("jpegs")
    for index, image in enumerate(moving_square(64, 160, 90, seed=1)):
        Image.fromarray(image).save(folder / f"{index:05d}.jpg", quality=95)
    return folder


@pytest.fixture(scope="session")
def frames(jpegs: Path) -> list[np.ndarray]:
    """What those files hold."""
    return [np.array(Image.open(path)) for path in sorted(jpegs.iterdir())]
