"""The work of one item: a clip unpacked, for all that follows. Runs in a device worker."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.errors import BadMedia, UnsafeFile
from core.points.axes import check_geometry
from core.points.settings import ClipRequest
from core.points.unpack import unpack_clip
from core.rgbd.clip import Clip


def unpack(request: dict[str, Any], folder: Path, report: Callable[[int, int | None], None]) -> dict[str, Any]:
    """Leave a clip as `core.rgbd.clip.Clip` reads it.

    Args:
        request: a `ClipRequest` as JSON-able values.
        folder: where the arrays go.
        report: told images unpacked and expected.

    Returns:
        A `ClipInfo`.

    Raises:
        BadMedia, UnsafeFile: the clip cannot be used; the message tells why.
    """
    asked = ClipRequest.model_validate(request)
    try:
        info = unpack_clip(asked.npz, asked.mask_key, folder, report)
        told = check_geometry(Clip(folder), asked.npz.name)
    except (BadMedia, UnsafeFile) as error:  # whose item is called as the file
        raise type(error)(str(error).removeprefix(f"{asked.npz}: ").removeprefix(f"{asked.npz.name}: ")) from None
    return info.model_copy(update={"warnings": [*info.warnings, *told]}).model_dump(mode="json")
