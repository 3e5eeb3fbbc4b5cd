"""A decoder in a process of its own: a file that crashes it takes nothing else down.

Parent and child talk over the child's standard input and output in msgpack; pixels and samples follow their header as raw bytes.
(A pool of multiprocessing would import the user's main module again, which a script without a main guard does not survive.)
"""

import os
import signal
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np

from mmgraph.errors import MediaError
from mmgraph.media.clip import Clip, Frames, Sound, Source, Span, Words
from mmgraph.settings import MediaSettings, convert, plain
from mmgraph.types import Modality

_LENGTH = struct.Struct("<Q")
_COMMAND = (sys.executable, "-m", "mmgraph.store.worker")


class DecoderProcess:
    """Decodes one source at a time; started when first asked, and again after a crash."""

    def __init__(self, modality: Modality, settings: MediaSettings) -> None:
        self._greeting = {"modality": modality, "settings": plain(settings)}
        self._child: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None

    def __call__(self, source: Source) -> Clip | None:
        """As ``media.decode.decode``; raises MediaError also where the process died over this source."""
        child = self._started()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            _send(child.stdin, _plain_source(source))
            return _read_clip(child.stdout)
        except (EOFError, BrokenPipeError) as error:
            raise self._dead(source) from error

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._child is None:
            self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
            self._child = subprocess.Popen(_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said)
            assert self._child.stdin is not None
            _send(self._child.stdin, self._greeting)
        return self._child

    def _dead(self, source: Source) -> MediaError:
        said = ""
        if self._said is not None:
            self._said.seek(0)
            said = self._said.read().decode(errors="replace").strip().rpartition("\n")[2]
        code = self._child.wait() if self._child else None
        self.close()
        given = f"exit status {code}{', ' + said if said else ''}"
        return MediaError(f"the decoder died over {source.path or source.key}", given=given, todo="look at this file")

    def close(self) -> None:
        """End the process; its input closes, so it ends by itself, also when this one is killed."""
        child, self._child = self._child, None
        if child is not None:
            for pipe in (child.stdin, child.stdout):
                assert pipe is not None
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
            child.terminate()
            child.wait()
        if self._said is not None:
            self._said.close()
            self._said = None


def _send(pipe: IO[bytes], message: dict[str, Any], payload: Any = b"") -> None:
    header = msgspec.msgpack.encode(message)
    pipe.write(_LENGTH.pack(len(header)) + header)
    pipe.write(payload)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> dict[str, Any]:
    (length,) = _LENGTH.unpack(_exactly(pipe, _LENGTH.size))
    message: dict[str, Any] = msgspec.msgpack.decode(_exactly(pipe, length))
    return message


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    read = pipe.read(size)
    if len(read) < size:
        raise EOFError
    return read


def _array(pipe: IO[bytes], shape: list[int], kind: str) -> Any:
    array = np.empty(shape, kind)
    if array.nbytes:
        view = array.data.cast("B")
        if pipe.readinto(view) != len(view):  # type: ignore[attr-defined]  # a buffered reader fills the whole view
            raise EOFError
    return array


def _plain_source(source: Source) -> dict[str, Any]:
    span = [source.span.start_s, source.span.end_s]
    return {"key": source.key, "path": str(source.path) if source.path else None, "span": span, "text": source.text}


def _read_clip(pipe: IO[bytes]) -> Clip | None:
    message = _receive(pipe)
    match message["is"]:
        case "frames":
            return Frames(_array(pipe, message["shape"], "uint8"), tuple(message["times_s"]))
        case "sound":
            return Sound(_array(pipe, message["shape"], "float32"), message["rate_hz"])
        case "words":
            return Words(message["text"])
        case "error":
            raise MediaError(message["wrong"], given=message["given"], todo=message["todo"])
    return None


def _send_clip(pipe: IO[bytes], clip: Clip | None) -> None:
    match clip:
        case Frames():
            pixels = np.ascontiguousarray(clip.pixels, np.uint8)
            _send(pipe, {"is": "frames", "shape": pixels.shape, "times_s": [float(t) for t in clip.times_s]}, pixels.data)
        case Sound():
            samples = np.ascontiguousarray(clip.samples, np.float32)
            _send(pipe, {"is": "sound", "shape": samples.shape, "rate_hz": int(clip.rate_hz)}, samples.data)
        case Words():
            _send(pipe, {"is": "words", "text": clip.text})
        case None:
            _send(pipe, {"is": "nothing"})


def _serve() -> None:
    """Answer until the input ends. Whatever libraries print goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle; it closes our input
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    greeting = _receive(sys.stdin.buffer)
    from mmgraph.media.decode import decode

    settings, modality = convert(greeting["settings"], MediaSettings), greeting["modality"]
    while True:
        try:
            asked = _receive(sys.stdin.buffer)
        except EOFError:
            return
        source = Source(asked["key"], Path(asked["path"]) if asked["path"] else None, Span(*asked["span"]), asked["text"])
        try:
            clip = decode(source, modality, settings)
        except MediaError as error:
            given = None if error.given is None else str(error.given)
            _send(answers, {"is": "error", "wrong": error.wrong, "given": given, "todo": error.todo})
        except Exception as error:  # noqa: BLE001 - decoders raise whatever they like; the file is at fault, not the run
            _send(answers, {"is": "error", "wrong": f"cannot decode {source.path}", "given": repr(error), "todo": ""})
        else:
            _send_clip(answers, clip)


if __name__ == "__main__":
    _serve()
