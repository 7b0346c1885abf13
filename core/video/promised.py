"""How many bytes a media file says it has: a file that is shorter was cut off.

Containers that nest everything in boxes of known size promise their own end: Matroska's segment, the lists of RIFF, the
boxes of MP4, the file size in ASF's header; GIF and APNG have a mark at their end. Transport streams and raw streams
promise nothing; what FLV, IVF, MXF, Ogg and Y4M say of their length is not looked at.
"""

import struct
from pathlib import Path

_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067


def missing_bytes(path: Path) -> int | None:
    """Bytes the file promises beyond its end, 0 where it is whole; None where its format promises nothing."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(65_536)
    promised = _promised(path, head, size)
    return None if promised is None else max(0, promised - size)


def _promised(path: Path, head: bytes, size: int) -> int | None:
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return _matroska(head)
    if head[:4] == b"RIFF" and head[8:12] in (b"AVI ", b"AVIX"):
        return _riff(path, size)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"pnot"):
        return _boxes(path, size)
    if head.startswith((b"GIF8", b"\x89PNG")):
        mark = b";" if head.startswith(b"GIF8") else b"IEND"
        return size if mark in _tail(path) else size + 1
    place = head.find(_ASF_FILE_PROPERTIES)
    if place >= 0 and len(head) >= place + 48:
        return int(struct.unpack_from("<Q", head, place + 40)[0]) or None
    return None


def _tail(path: Path) -> bytes:
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 16))
        return stream.read()


def _matroska(head: bytes) -> int | None:
    place = 0
    for wanted in (_EBML, _SEGMENT):
        if len(head) < place + 12 or int.from_bytes(head[place : place + 4], "big") != wanted:
            return None
        width = 9 - head[place + 4].bit_length()
        if width > 8:
            return None
        size = int.from_bytes(head[place + 4 : place + 4 + width], "big") & ((1 << 7 * width) - 1)
        if size == (1 << 7 * width) - 1:  # written to a pipe: the size was not known
            return None
        place += 4 + width
        if wanted == _SEGMENT:
            return place + size
        place += size
    return None


def _riff(path: Path, size: int) -> int:
    """The end of the last RIFF chunk: files of over 1 GB hold several."""
    place = 0
    with path.open("rb") as stream:
        while place + 8 <= size:
            stream.seek(place)
            name, length = struct.unpack("<4sI", stream.read(8))
            if name != b"RIFF":
                break
            place += 8 + length + length % 2
    return place


def _boxes(path: Path, size: int) -> int | None:
    """The end of the last top-level box of an MP4."""
    place = 0
    with path.open("rb") as stream:
        while place + 8 <= size:
            stream.seek(place)
            head = stream.read(16)
            length = int.from_bytes(head[:4], "big")
            if length == 1 and len(head) == 16:
                length = int.from_bytes(head[8:], "big")
            if length == 0:  # up to the end of the file
                return size
            if length < 8 or not all(32 <= byte < 127 or byte == 0xA9 for byte in head[4:8]):
                return place  # rubbish after the last box
            place += length
    return place
