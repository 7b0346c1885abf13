"""Which key frames of H.264 a decoder can begin at without seeing anything older (ITU-T H.264, 7.3 and D.1.8)."""

from collections.abc import Iterator

_IDR, _SEI, _RECOVERY_POINT = 5, 6, 6


def begins_clean(packet: bytes, extradata: bytes | None) -> bool:
    """Whether all that follows a key frame is right when decoding begins there.

    False where it begins a gradual refresh: encoders mark it as a key frame, but the picture is whole some frames later
    at best.

    Args:
        packet: the key frame's data.
        extradata: the stream's; `avcC` where the units are led by their length instead of a start code.
    """
    for unit in _units(packet, extradata):
        kind = unit[0] & 31 if unit else 0
        if kind == _IDR:
            return True
        if kind == _SEI:
            frames = _recovery_frames(unit[1:].replace(b"\0\0\3", b"\0\0"))
            if frames is not None:
                return frames == 0
    return True


def _units(packet: bytes, extradata: bytes | None) -> Iterator[bytes]:
    if extradata is None or len(extradata) < 5 or extradata[0] != 1:
        yield from (unit for unit in packet.split(b"\0\0\1")[1:])
        return
    width, place = (extradata[4] & 3) + 1, 0
    while place + width < len(packet):
        length = int.from_bytes(packet[place : place + width], "big")
        yield packet[place + width : place + width + length]
        place += width + length


def _recovery_frames(sei: bytes) -> int | None:
    """`recovery_frame_cnt` of a recovery point message; None where there is none among these."""
    place = 0
    while place + 2 <= len(sei):
        numbers = []
        for _ in range(2):  # kind, then size: bytes of 255 add up
            number = 0
            while place < len(sei) and sei[place] == 255:
                number, place = number + 255, place + 1
            if place >= len(sei):
                return None
            numbers.append(number + sei[place])
            place += 1
        kind, size = numbers
        if kind == _RECOVERY_POINT:
            return _exp_golomb(sei[place : place + size])
        place += size
    return None


def _exp_golomb(data: bytes) -> int:
    bits = "".join(f"{byte:08b}" for byte in data[:8])
    zeros = len(bits) - len(bits.lstrip("0"))
    return int(bits[zeros : 2 * zeros + 1] or "1", 2) - 1
