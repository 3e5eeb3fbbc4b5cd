"""Whether a gif moves: two pictures in it, found by its blocks without decoding any."""

import os
from typing import BinaryIO

_PICTURE, _EXTENSION = 0x2C, 0x21


def animated(path: str) -> bool:
    """Whether a file is a gif of more than one picture; False for what cannot be read (decoding it will say why).

    Blocks as in the GIF89a specification: a screen descriptor, then extensions and pictures, each ending in sub-blocks.
    """
    try:
        with open(path, "rb") as file:
            return _pictures(file, 2) > 1
    except (OSError, ValueError, IndexError):
        return False


def _pictures(file: BinaryIO, enough: int) -> int:
    head = file.read(13)
    if head[:6] not in (b"GIF87a", b"GIF89a"):
        return 0
    _skip_colours(file, head[10])
    count = 0
    while count < enough and (mark := file.read(1)):
        if mark[0] == _PICTURE:
            count += 1
            _skip_colours(file, file.read(9)[8])
        elif mark[0] != _EXTENSION:
            break
        file.seek(1, os.SEEK_CUR)  # an extension's label, or a picture's code size
        while size := file.read(1)[0]:
            file.seek(size, os.SEEK_CUR)
    return count


def _skip_colours(file: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        file.seek(3 * 2 ** ((flags & 7) + 1), os.SEEK_CUR)
