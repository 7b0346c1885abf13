"""The work of one item: a clip unpacked, for all that follows. Runs in a device worker."""

from pathlib import Path

from core.errors import BadMedia, UnsafeFile
from core.item import item
from core.points.axes import check_geometry
from core.points.settings import ClipRequest
from core.points.unpack import unpack_clip
from core.progress import Progress
from core.rgbd.clip import Clip, ClipInfo


@item(ClipRequest)
def unpack(request: ClipRequest, folder: Path, report: Progress) -> ClipInfo:
    """Leave a clip as `core.rgbd.clip.Clip` reads it.

    Returns:
        A `ClipInfo`.

    Raises:
        BadMedia, UnsafeFile: the clip cannot be used; the message says why.
    """
    try:
        info = unpack_clip(request.npz, request.mask_key, folder, report)
        warnings = check_geometry(Clip(folder), request.npz.name)
    except (BadMedia, UnsafeFile) as error:  # whose item is called as the file
        raise type(error)(str(error).removeprefix(f"{request.npz}: ").removeprefix(f"{request.npz.name}: ")) from None
    return info.model_copy(update={"warnings": [*info.warnings, *warnings]})
