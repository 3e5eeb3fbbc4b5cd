"""What a decoder process and its parent say to each other: msgpack headers, then pixels and samples as raw bytes.

Nothing is pickled. One message is a header's length, the header, and the payloads that the header announces.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

import msgspec
import numpy as np

from mmgraph.errors import MediaError
from mmgraph.media.clip import Clip, Frames, Sound, Words

Answer = Clip | MediaError | None
Fill = Callable[[memoryview], None]
_LENGTH = struct.Struct("<Q")


def send(pipe: IO[bytes], message: Mapping[str, Any], answers: Sequence[Answer] = ()) -> None:
    """Write one message; ``answers`` follow it."""
    told = [_told(answer) for answer in answers]
    header = msgspec.msgpack.encode({**message, "answers": [head for head, _ in told]})
    pipe.write(_LENGTH.pack(len(header)) + header)
    for _, payload in told:
        if payload is not None and payload.nbytes:
            pipe.write(payload.reshape(-1).view(np.uint8).data)
    pipe.flush()


def receive(fill: Fill) -> tuple[dict[str, Any], list[Answer]]:
    """Read one message; ``fill`` fills a buffer from the other side, or raises EOFError."""
    length = bytearray(_LENGTH.size)
    fill(memoryview(length))
    header = bytearray(_LENGTH.unpack(length)[0])
    fill(memoryview(header))
    message: dict[str, Any] = msgspec.msgpack.decode(header)
    return message, [_heard(head, fill) for head in message.pop("answers")]


def from_file(pipe: IO[bytes]) -> Fill:
    """Fill buffers from a buffered reader."""

    def fill(buffer: memoryview) -> None:
        if pipe.readinto(buffer) != len(buffer):  # type: ignore[attr-defined]  # a buffered reader fills the whole view
            raise EOFError

    return fill


def _told(answer: Answer) -> tuple[dict[str, Any], "np.ndarray[Any, np.dtype[Any]] | None"]:
    match answer:
        case Frames():
            pixels = np.ascontiguousarray(answer.pixels, np.uint8)
            return {"is": "frames", "shape": pixels.shape, "times_s": [float(t) for t in answer.times_s]}, pixels
        case Sound():
            samples = np.ascontiguousarray(answer.samples, np.float32)
            return {"is": "sound", "shape": samples.shape, "rate_hz": int(answer.rate_hz)}, samples
        case Words():
            return {"is": "words", "text": answer.text}, None
        case MediaError():
            given = None if answer.given is None else str(answer.given)
            return {"is": "error", "wrong": answer.wrong, "given": given, "todo": answer.todo}, None
    return {"is": "nothing"}, None


def _heard(head: Mapping[str, Any], fill: Fill) -> Answer:
    match head["is"]:
        case "frames":
            return Frames(_array(fill, head["shape"], "uint8"), tuple(head["times_s"]))
        case "sound":
            return Sound(_array(fill, head["shape"], "float32"), head["rate_hz"])
        case "words":
            return Words(head["text"])
        case "error":
            return MediaError(head["wrong"], given=head["given"], todo=head["todo"])
    return None


def _array(fill: Fill, shape: Sequence[int], kind: str) -> Any:
    array = np.empty(shape, kind)
    if array.nbytes:
        fill(array.data.cast("B"))
    return array
