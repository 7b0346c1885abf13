"""Opening a media file with PyAV, under format and protocol whitelists, and choosing its video stream."""

import logging
from pathlib import Path

import av
import av.container
import av.error
from av.stream import Disposition

from core.errors import BadMedia

# Containers that hold media themselves. Playlists (concat, hls, dash) name other files and are left out:
# FFmpeg would open them under any file name.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf,gif,apng,mjpeg,yuv4mpegpipe,"
    "h264,hevc,obu,ivf,mpegvideo,m4v,mxf,dv"
)
PROTOCOLS = "file"
_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails

logging.getLogger("libav").setLevel(logging.CRITICAL)


def open_container(path: Path) -> av.container.InputContainer:
    """Open a file. Raises `BadMedia` where it is missing, empty, or no media file of a known container."""
    if not path.exists():
        raise BadMedia(f"{path}: {'a link to what does not exist' if path.is_symlink() else 'no such file'}")
    if not path.is_file():
        raise BadMedia(f"{path}: not a regular file")
    if path.stat().st_size == 0:
        raise BadMedia(f"{path.name}: an empty file (0 bytes)")
    try:
        options = {"format_whitelist": FORMATS, "protocol_whitelist": PROTOCOLS}
        return av.open(str(path), mode="r", options=options)
    except (av.error.FFmpegError, ValueError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadMedia(f"{path.name}: not a video file of a known container ({reason})") from None


def video_stream(container: av.container.InputContainer, name: str) -> av.VideoStream:
    """The video stream as FFmpeg chooses it; never a cover picture or a track of thumbnails.

    Raises:
        BadMedia: there is none.
    """
    streams = [stream for stream in container.streams.video if not stream.disposition & _PICTURES]
    if not streams:
        kinds = sorted({stream.type for stream in container.streams})
        held = ", ".join("a cover picture" if kind == "video" else kind for kind in kinds) or "nothing"
        raise BadMedia(f"{name}: no video stream (it holds {held})")
    best = container.streams.best("video")
    chosen = next((stream for stream in streams if best is not None and stream.index == best.index), streams[0])
    if chosen.codec_context is None:
        raise BadMedia(f"{name}: its video is of a codec that cannot be decoded here")
    return chosen
