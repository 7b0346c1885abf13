"""Ceilings for untrusted video and images: beyond them a file is refused before it is decoded."""

from core.errors import BadMedia

MAX_PIXELS = 64_000_000  # 8K is 33 million
MAX_DURATION_S = 24 * 3600.0
MAX_FRAMES = 20_000_000


def check_size(name: str, width: int, height: int) -> None:
    """Refuse an empty or absurdly large picture."""
    if width < 1 or height < 1:
        raise BadMedia(f"{name}: no picture ({width}x{height} pixels)")
    if width * height > MAX_PIXELS:
        raise BadMedia(f"{name}: {width}x{height} pixels a frame, more than the {MAX_PIXELS:,} accepted")


def check_length(name: str, duration_s: float | None, frames: int | None) -> None:
    """Refuse an absurdly long video, going by what the file says of itself."""
    if duration_s is not None and duration_s > MAX_DURATION_S:
        raise BadMedia(f"{name}: {duration_s / 3600:.0f} hours, more than the {MAX_DURATION_S / 3600:.0f} accepted")
    if frames is not None and frames > MAX_FRAMES:
        raise BadMedia(f"{name}: {frames:,} frames, more than the {MAX_FRAMES:,} accepted")
