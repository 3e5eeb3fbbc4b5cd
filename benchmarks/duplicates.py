"""Near-duplicates: made copies that are found, and groups among real files that are no copies of each other.

    python benchmarks/duplicates.py SHARED_DATA [--out benchmarks/results/duplicates.md] [--every 1]

Every file is copied into a folder beside its variants, the folder is read as a run reads it (decoded, encoded by the weight-free
encoders, fingerprinted), and a variant counts as found when it is in the group of its original.
"""

import argparse
import io
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import av
import numpy as np
import pandas as pd
import soundfile
from PIL import Image, ImageDraw, ImageEnhance
from scipy.signal import resample_poly

from mmgraph.graph.build import build
from mmgraph.graph.contract import Graph
from mmgraph.graph.duplicates import with_duplicates
from mmgraph.ingest import features, read
from mmgraph.settings import NearDuplicateSettings, Settings, convert

PICTURES: dict[str, tuple[str, Callable[[Image.Image], Image.Image], dict[str, object]]] = {
    "JPEG, quality 30": ("jpg", lambda one: one, {"quality": 30}),
    "half the size": (
        "jpg",
        lambda one: one.resize((one.width // 2, one.height // 2), Image.Resampling.LANCZOS),
        {"quality": 90},
    ),
    "brightness +10 %": ("jpg", lambda one: ImageEnhance.Brightness(one).enhance(1.1), {"quality": 90}),
    "cropped by 5 %, middle": ("jpg", lambda one: _cropped(one, 0.025, 0.025), {"quality": 90}),
    "cropped by 5 %, corner": ("jpg", lambda one: _cropped(one, 0.05, 0.0), {"quality": 90}),
    "watermark in a corner": ("jpg", lambda one: _marked(one), {"quality": 90}),
    "as PNG": ("png", lambda one: one, {}),
    "as WebP, quality 60": ("webp", lambda one: one, {"quality": 60}),
}


def _cropped(one: Image.Image, before: float, after: float) -> Image.Image:
    width, height = one.size
    return one.crop((int(width * before), int(height * before), int(width * (1 - after)), int(height * (1 - after))))


def _marked(one: Image.Image) -> Image.Image:
    one, (width, height) = one.copy(), one.size
    pen = ImageDraw.Draw(one)
    pen.rectangle((width * 0.75, height * 0.9, width * 0.98, height * 0.98), fill=(255, 255, 255))
    pen.text((width * 0.77, height * 0.91), "(c) somebody", fill=(0, 0, 0))
    return one


def pictures(originals: list[Path], folder: Path) -> None:
    """Each photo and its variants."""
    for number, path in enumerate(originals):
        (folder / f"{number:04d}~.jpg").write_bytes(path.read_bytes())
        with Image.open(path) as opened:
            photo = opened.convert("RGB")
        for place, (ending, change, how) in enumerate(PICTURES.values()):
            change(photo).save(folder / f"{number:04d}~{place}.{ending}", **how)


COMMAND = "python benchmarks/duplicates.py ../shared/data --every {} --out benchmarks/results/duplicates.md"
Wave = tuple[np.ndarray, int]
SOUNDS = ("mp3, 64 kbit/s", "6 dB quieter", "half the rate", "50 ms of silence before", "50 ms cut off", "1 s cut off")


def _changed(name: str, samples: np.ndarray, rate: int) -> Wave | None:
    if name == "6 dB quieter":
        return samples * 0.5, rate
    if name == "half the rate":
        return resample_poly(samples, 1, 2).astype(np.float32), rate // 2
    if name == "50 ms of silence before":
        return np.concatenate([np.zeros(rate // 20, np.float32), samples]), rate
    if name == "50 ms cut off":
        return samples[rate // 20 :], rate
    return (samples[rate:], rate) if len(samples) > 4 * rate else None


def sounds(originals: list[Path], folder: Path) -> None:
    """Each recording (at most 30 s of it) and its variants."""
    for number, path in enumerate(originals):
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        mono = samples.mean(axis=1)[: 30 * rate]
        soundfile.write(folder / f"{number:04d}~.wav", mono, rate)
        for place, name in enumerate(SOUNDS):
            if place == 0:
                _mp3(mono, rate, folder / f"{number:04d}~0.mp3")
            elif (changed := _changed(name, mono, rate)) is not None:
                soundfile.write(folder / f"{number:04d}~{place}.wav", *changed)


def _mp3(mono: np.ndarray, rate: int, path: Path) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mp3", rate=rate if rate in (8000, 16000, 22050, 44100, 48000) else 44100)
        stream.bit_rate, stream.layout = 64_000, "mono"
        frame = av.AudioFrame.from_ndarray((np.clip(mono, -1, 1) * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(format="s16p", layout="mono", rate=stream.rate)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))


VIDEOS = {
    "a fifth of the quality (mp4)": ("mp4", 1.0, "36"),
    "half the size (mkv)": ("mkv", 0.5, "23"),
    "as mov": ("mov", 1.0, "23"),
}


def videos(originals: list[Path], folder: Path) -> None:
    """Each video, at most 20 s of it, and its variants, without sound."""
    for number, path in enumerate(originals):
        with av.open(str(path)) as source:
            rate, frames = source.streams.video[0].average_rate, []
            for frame in source.decode(video=0):
                if frame.time is not None and frame.time > 20:
                    break
                frames.append(frame.to_image())
        _video(folder / f"{number:04d}~.mp4", frames, rate, "18")
        for place, (ending, scale, quality) in enumerate(VIDEOS.values()):
            size = tuple(2 * max(round(side * scale / 2), 1) for side in frames[0].size)
            _video(folder / f"{number:04d}~{place}.{ending}", [one.resize(size) for one in frames], rate, quality)


def _video(path: Path, frames: list[Image.Image], rate: object, quality: str) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=rate, options={"crf": quality, "preset": "veryfast"})
        stream.width, stream.height = (2 * (side // 2) for side in frames[0].size)
        stream.pix_fmt = "yuv420p"
        for one in frames:
            out.mux(stream.encode(av.VideoFrame.from_image(one.crop((0, 0, stream.width, stream.height)))))
        out.mux(stream.encode(None))


def graph_of(root: Path, work: Path, find: bool = True) -> tuple[Graph, float, float]:
    """The graph with its copies; seconds for decoding and encoding, and for the search."""
    made = {"catalogue": {"class_path": "folder", "init_args": {"root": str(root)}}, "run": {"dir": str(work / "run")}}
    settings = convert(made | {"graph": {"near_duplicates": {"find": find}}}, Settings)
    catalogue, content = read(settings)
    started = time.perf_counter()
    collected = features(settings, catalogue, content)
    encoded = time.perf_counter()
    graph = build(catalogue, collected.features, [], content)
    searched = time.perf_counter()
    graph = with_duplicates(graph, collected.fingerprints, NearDuplicateSettings(find=find))
    return graph, encoded - started, time.perf_counter() - searched


def judged(graph: Graph, kind: str, names: list[str]) -> Iterator[tuple[str, int, int]]:
    """For each variant how many there are and how many are in the group of their original."""
    ids = pd.Index([str(one).rsplit(".", 1)[0] for one in graph.ids[kind]])
    first = graph.duplicates[kind].first
    for place, name in enumerate(names):
        there = [one for one in ids if one.endswith(f"~{place}")]
        origin = ids.get_indexer([one.rsplit("~", 1)[0] + "~" for one in there])
        own = ids.get_indexer(there)
        yield name, len(there), int((first[own] == first[origin]).sum())


def mixed(graph: Graph, kind: str) -> list[list[str]]:
    """Groups in which there is more than one original."""
    names = np.array([str(one).split("~")[0] for one in graph.ids[kind]])
    groups = pd.Series(names).groupby(graph.duplicates[kind].first).unique()
    return [list(some) for some in groups if len(some) > 1]


def main() -> None:
    """Make, read, judge, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every so many photos, digits and videos only")
    chosen = parser.parse_args()
    sets = {
        "photos": (
            "image",
            sorted(chosen.data.glob("exercises/photos/**/*.jpg"))[:: 6 * chosen.every],
            pictures,
            list(PICTURES),
        ),
        "music, speech, animals": ("music", sorted(chosen.data.glob("music/*.ogg")), sounds, list(SOUNDS)),
        "spoken digits": ("music", sorted(chosen.data.glob("digits/**/*.wav"))[:: 4 * chosen.every], sounds, list(SOUNDS)),
        "videos": ("video", sorted(chosen.data.glob("videos/**/*.mkv"))[:: chosen.every], videos, list(VIDEOS)),
    }
    text = io.StringIO()
    text.write("| files | change | copies | found | share |\n|---|---|---|---|---|\n")
    notes = []
    for name, (kind, originals, make, names) in sets.items():
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "media"
            root.mkdir()
            make(originals, root)
            graph, encoding, search = graph_of(root, Path(folder))
            for change, count, found in judged(graph, kind, names):
                if count:
                    text.write(f"| {name} ({len(originals)}) | {change} | {count} | {found} | {found / count:.3f} |\n")
            wrong = mixed(graph, kind)
            notes.append(
                f"- {name}: {graph.count(kind)} files, decoded and encoded in {encoding:.1f} s, search {search:.1f} s;"
                f" groups that join different originals: {len(wrong)}"
            )
            for some in wrong:
                notes.append("  - " + ", ".join(originals[int(one)].name for one in some))
            print(name, text.getvalue(), *notes, sep="\n", flush=True)
    result = text.getvalue() + "\n" + "\n".join(notes) + "\n"
    if chosen.out:
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        chosen.out.write_text(f"# Near-duplicates that are found\n\n`{COMMAND.format(chosen.every)}`\n\n{result}")


if __name__ == "__main__":
    main()
