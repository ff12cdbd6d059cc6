"""Does an image file end where it should? Decoders fill what is missing with grey and say nothing."""

import struct
from collections.abc import Callable

from PIL.ImageFile import ImageFile

Peek = Callable[[int, int], bytes]  # (count, offset) -> the file's bytes there
_WINDOW = 1 << 20  # bytes looked at together; a file may have a gigabyte
_LARGEST_EXIF = 1 << 20  # bytes; a header may claim 4 GB


def walk_png(peek: Peek) -> tuple[bool, bytes | None]:
    """Whether the chunks reach IEND, and the EXIF chunk, which may also follow the pixels."""
    at, exif = 8, None
    while len(head := peek(8, at)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IEND":
            return len(peek(12, at)) == 12, exif
        if kind == b"eXIf":
            exif = peek(min(length, _LARGEST_EXIF), at + 8)
        at += 12 + length
    return False, exif


def is_whole(image: ImageFile, peek: Peek, size: int) -> bool:
    """Whether a JPEG, WebP or PPM file of `size` bytes holds all that its header announces; others are not judged."""
    if image.format in ("JPEG", "MPO"):
        tail = peek(64, max(0, size - 64)).rstrip(b"\0")
        return tail.endswith(b"\xff\xd9") or _jpeg_ends(peek, size)
    if image.format == "WEBP":
        return int.from_bytes(peek(4, 4), "little") + 8 <= size
    if image.format == "PPM" and image.mode in ("L", "RGB") and peek(2, 0) in (b"P5", b"P6"):
        return bool(image.tile[0].offset + image.width * image.height * len(image.mode) <= size)
    return True


def _jpeg_ends(peek: Peek, size: int) -> bool:
    """Whether an end marker follows the first scan; those of thumbnails in the header do not count."""
    at = 2
    while len(head := peek(4, at)) == 4 and head[0] == 0xFF:
        if head[1] == 0xDA:
            return any(b"\xff\xd9" in peek(_WINDOW + 1, start) for start in range(at, size, _WINDOW))
        at += 1 if head[1] == 0xFF else 2 + int.from_bytes(head[2:], "big")
    return False
