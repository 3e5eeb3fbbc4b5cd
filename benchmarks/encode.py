"""Speed and memory of encoding: from files beside the same model on clips in memory, and beside the loop a person would write.

python benchmarks/encode.py [--data ../shared/data] [--weights ../shared/weights] [--only photos,videos,...] [--repeats 5]
                            [--items 1.0] [--hours 2] [--quick] [--out benchmarks/results]

Ratios are of rates measured in turn within one run, the median of the repeats. Cases that lack their data or weights are left out
by name. CLIP's weights are random: no hub is needed, and a product takes as long whatever its numbers are.
"""

import argparse
import datetime
import json
import logging
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the command does; before torch starts its threads

import numpy as np
import torch
from PIL import Image

from mmgraph.encode.batches import Batches
from mmgraph.encode.choose import choose
from mmgraph.media import video
from mmgraph.media.clip import Source, Span
from mmgraph.media.container import timeline
from mmgraph.media.decode import decode
from mmgraph.media.workers import rest
from mmgraph.settings import Component, MediaSettings
from mmgraph.store.fill import Job, fill
from mmgraph.store.store import Store

HERE = Path(__file__).resolve().parents[1]
MEDIA = MediaSettings()
COMMAND = [sys.executable, "-c", "import sys; from mmgraph.cli import main; sys.exit(main())", "encode", "--config"]
WANTED = {"of memory": 0.85, "of the loop": 1.6}


def encoder(modality, name, **arguments):
    return choose(modality, [Component(class_path=name, init_args=arguments)], "error", "cpu")


def clip_weights(folder, model):
    """A file of random weights of an open_clip architecture."""
    import open_clip
    from safetensors.torch import save_file

    torch.manual_seed(0)
    save_file(open_clip.create_model(model, pretrained=None).state_dict(), folder / "clip.safetensors")
    return {"model": model, "pretrained": str(folder / "clip.safetensors")}


# --- what a person would write: for each file, read it, preprocess it, and give it to the model alone ---


def loop_over_pictures(chosen, sources):
    """PIL, open_clip's own transform, a batch of one picture (of a video: decord, four frames, each a batch of one)."""
    network, preprocess = parts_of(chosen)
    with torch.inference_mode():
        for source in sources:
            frames = [Image.open(source.path).convert("RGB")] if source.span == Span() else frames_of(source)
            torch.cat([network.encode_image(preprocess(frame)[None]) for frame in frames]).mean(0).numpy()


def loop_over_clips(chosen, sources):
    """As above, but the four frames of a segment are one batch."""
    network, preprocess = parts_of(chosen)
    with torch.inference_mode():
        for source in sources:
            network.encode_image(torch.stack([preprocess(frame) for frame in frames_of(source)])).mean(0).numpy()


def parts_of(chosen):
    """The network, and the transform that open_clip gives for it."""
    import open_clip

    network = chosen.encoder()._ready().network
    return network, open_clip.image_transform(network.visual.image_size, is_train=False)


def frames_of(source):
    """Four frames of a span, by decord."""
    import decord

    reader = decord.VideoReader(str(source.path))
    middles = source.span.start_s + (np.arange(4) + 0.5) * (source.span.end_s - source.span.start_s) / 4
    rows = np.minimum((middles * reader.get_avg_fps()).astype(int), len(reader) - 1)
    return [Image.fromarray(frame) for frame in reader.get_batch(rows).asnumpy()]


def loop_over_clips_alone(chosen, sources):
    """Read one file (soundfile, or its text), encode it alone."""
    made = chosen.encoder()
    for source in sources:
        made.encode([decode(source, chosen.modality, MEDIA)])


# --- the cases: name, encoder, sources, loops ---


def photos(data, given):
    found = sorted((data / "exercises" / "photos").rglob("*.jpg"))[: given.count(256)]
    sources = [Source(str(path), path) for path in found]
    return encoder("image", "open_clip_image", **given.clip()), sources, {"pictures one by one": loop_over_pictures}


def videos(data, given):
    sources = []
    for path in sorted((data / "videos").rglob("*")):
        if path.suffix in (".mp4", ".mkv", ".avi"):
            end = timeline(path).picture_end_s
            pieces = max(1, round(end / 4))
            sources += [Source(f"{path}{i}", path, Span(i * end / pieces, (i + 1) * end / pieces)) for i in range(pieces)]
    loops = {"frames one by one": loop_over_pictures, "segments one by one": loop_over_clips}
    return encoder("image", "open_clip_image", **given.clip()), sources[: given.count(96)], loops


def texts(data, given):
    found = sorted((data / "exercises" / "texts").rglob("*.txt"))[: given.count(512)]
    return (
        encoder("text", "minilm_wheel"),
        [Source(str(path), path) for path in found],
        {"texts one by one": loop_over_clips_alone},
    )


def sounds(data, given):
    found = sorted((data / "digits").rglob("*.wav"))[: given.count(512)]
    chosen = encoder("audio", "log_mel_model", model=str(given.weights / "yamnet"))
    return chosen, [Source(str(path), path) for path in found], {"sounds one by one": loop_over_clips_alone}


CASES = {"photos": photos, "videos": videos, "texts": texts, "sounds": sounds}


def rate(count, run):
    begun = time.perf_counter()
    run()
    return count / (time.perf_counter() - begun)


def compared(case, data, given):
    """One case: rates a second, and ratios, each a list over the repeats."""
    chosen, sources, loops = case(data, given)
    made = chosen.encoder()
    clips = [made.prepare(decode(source, chosen.modality, MEDIA)) for source in sources]
    some = sources[:: max(1, len(sources) // given.count(32))]
    batches = Batches(made)
    rates = {"memory": [], "files": [], **{name: [] for name in loops}}
    for repeat in range(given.repeats + 1):  # the first is for warming up
        with tempfile.TemporaryDirectory() as folder:
            job = Job(chosen, [(source.key, source) for source in sources])
            now = {"memory": rate(len(clips), lambda: batches.encode(clips))}
            store = Store(Path(folder))
            now["files"] = rate(len(sources), lambda store=store, job=job: fill(store, [job], MEDIA))
            now |= {name: rate(len(some), lambda loop=loop: loop(chosen, some)) for name, loop in loops.items()}
        if repeat:
            for name, value in now.items():
                rates[name].append(value)
    video._open.cache_clear()
    rest()
    ratios = {"of memory": [f / m for f, m in zip(rates["files"], rates["memory"], strict=True)]}
    for name in loops:
        ratios[f"of the loop, {name}"] = [f / m for f, m in zip(rates["files"], rates[name], strict=True)]
    return {"clips": len(sources), "model": f"{chosen.card.name} {chosen.card.weights}", "rates": rates, "ratios": ratios}


# --- whole commands ---


def mixture(folder, count):
    """Small pictures, sounds and texts."""
    import soundfile

    random = np.random.default_rng(0)
    for number in range(count):
        if number % 10 < 6:
            pixels = random.integers(0, 256, (24, 32, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{number:05d}.png", compress_level=1)
        elif number % 10 == 6:
            soundfile.write(folder / f"{number:05d}.wav", random.normal(0, 0.1, 800).astype(np.float32), 8000)
        else:
            (folder / f"{number:05d}.txt").write_text(f"note {number} about {random.integers(0, 99, 6)}")


def config(folder, root, **more):
    """A YAML file for ``mmgraph encode``."""
    settings = {"catalogue": {"class_path": "Folder", "init_args": {"root": str(root)}}, **more}
    settings["run"] = {"dir": str(folder / "runs" / "r")}
    (folder / "c.yaml").write_text(json.dumps(settings))
    return str(folder / "c.yaml")


def unchanged(given):
    """Seconds of a whole ``mmgraph encode`` whose every vector is stored: wall and CPU, for each repeat."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").mkdir()
        mixture(folder / "data", given.count(10_000))
        command = [*COMMAND, config(folder, folder / "data")]
        begun = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        first, wall, cpu = time.perf_counter() - begun, [], []
        for _ in range(given.repeats):
            before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            wall.append(time.perf_counter() - begun)
            cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return {"items": given.count(10_000), "first_s": first, "wall_s": wall, "cpu_s": cpu}


def long_video(path, seconds, rate=12, size=(320, 240)):
    """Shapes that move, a new scene every 20 s, a tone."""
    import av

    rows, columns = np.mgrid[: 2 * size[1], : size[0]]
    base = ((rows // 8 + columns // 8) % 2 * 40 + (rows * 3 + columns) % 55 + 20).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "crf": "30", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        track = container.add_stream("aac", rate=16_000, layout="mono")
        for second in range(seconds):
            brightness, *colours = np.random.default_rng(second // 20).integers(0, 130, 3)
            chroma = np.repeat(np.add(colours, 60), size[1] // 4)[:, None].repeat(size[0], 1)
            for number in range(rate):
                shift = (second * rate + number) % size[1]
                light = base[shift : shift + size[1]] + np.uint8(brightness)
                planes = np.concatenate([light, chroma]).astype(np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
            tone = (0.2 * np.sin(np.arange(16_000) * (0.05 + second % 7 / 50))).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16_000, second * 16_000
            container.mux(track.encode(frame))
        container.mux(stream.encode())
        container.mux(track.encode())


def memory(given):
    """Peak MiB of ``mmgraph encode`` on one long video, of each process and of all together at one moment."""
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").mkdir()
        long_video(folder / "data" / "long.mp4", max(20, round(given.hours * 3600)))
        choices = {
            "statistics": {},
            "CLIP ViT-B-32": {"image": [{"class_path": "open_clip_image", "init_args": given.clip()}]},
        }
        for kind, encoders in choices.items():  # the second finds the video examined and its sound encoded
            command = [*COMMAND, config(folder, folder / "data", encoders=encoders)]
            begun = time.perf_counter()
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            peaks, together, shared_once = {}, 0.0, 0.0
            while process.poll() is None:
                now = {who: of for who in family(process.pid) if (of := resident(who))}
                peaks.update({who: max(peaks.get(who, 0.0), rss) for who, (rss, _) in now.items()})
                together = max(together, sum(rss for rss, _ in now.values()))
                shared_once = max(shared_once, sum(pss for _, pss in now.values()))
                time.sleep(0.25)
            found[kind] = {
                "exit": process.returncode,
                "seconds": time.perf_counter() - begun,
                "command_mib": peaks.pop(process.pid, 0.0),
                "workers_mib": sorted(peaks.values()),
                "together_rss_mib": together,
                "together_pss_mib": shared_once,
            }
    return found


def family(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        own = {int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()}
    except OSError:
        own = set() if not children.exists() else {int(child) for child in children.read_text().split()}
    return [pid, *(other for child in own for other in family(child))]


def resident(pid):
    """RSS and PSS in MiB; None for one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    values = {line.split(":")[0]: float(line.split()[1]) / 1024 for line in lines[1:] if line.endswith("kB")}
    return values.get("Rss", 0.0), values.get("Pss", 0.0)


def killed(given):
    """What the test says that kills runs at 20 random moments and compares the stores byte for byte."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", str(HERE / "tests" / "store" / "test_killed.py")]
    if given.quick:
        command += ["--collect-only"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=HERE)
    return {"exit": ran.returncode, "said": ran.stdout.strip().splitlines()[-1]}


# --- the report ---


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def table(results):
    """The results as Markdown."""
    lines = ["# Speed and memory of encoding", "", "Made by `python benchmarks/encode.py`; see there what is compared.", ""]
    lines += [f"- {name}: {value}" for name, value in results["machine"].items()]
    lines += [
        "",
        "| clips | model | ratio | median (lowest to highest) | wanted | reached |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, case in results["cases"].items():
        for what, values in case["ratios"].items():
            wanted = next(limit for start, limit in WANTED.items() if what.startswith(start))
            reached = "yes" if statistics.median(values) >= wanted else "no"
            lines.append(
                f"| {case['clips']} {name} | {case['model']} | files {what} | {spread(values)} | {wanted} | {reached} |"
            )
    lines += ["", "| clips | rate | a second |", "| --- | --- | --- |"]
    for name, case in results["cases"].items():
        lines += [f"| {name} | {what} | {spread(values)} |" for what, values in case["rates"].items()]
    if again := results.get("unchanged"):
        seconds = f"{spread(again['wall_s'])} s, of which CPU {spread(again['cpu_s'])} s"
        lines += ["", f"{again['items']} unchanged items, the whole command: {seconds}"]
        lines += [f"(wanted: under 5 s; the first time, with everything to encode, {again['first_s']:.1f} s)."]
    for kind, one in results.get("memory", {}).items():
        workers = ", ".join(f"{value:.0f}" for value in one["workers_mib"])
        lines += ["", f"A video of {results['hours']:g} hours by {kind}: the command {one['command_mib']:.0f} MiB,"]
        lines += [f"decoders {workers} MiB, all at one moment {one['together_rss_mib']:.0f} MiB resident"]
        lines += [
            f"({one['together_pss_mib']:.0f} with shared pages counted once; wanted: under 1536), {one['seconds']:.0f} s."
        ]
    if end := results.get("killed"):
        lines += ["", f"Killed at 20 random moments and resumed, byte for byte (tests/store/test_killed.py): {end['said']}"]
    return "\n".join(lines) + "\n"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HERE.parent / "shared" / "data")
    parser.add_argument("--weights", type=Path, default=HERE.parent / "shared" / "weights")
    parser.add_argument("--only", default=",".join([*CASES, "unchanged", "memory", "killed"]))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--items", type=float, default=1.0, help="a share of the clips")
    parser.add_argument("--hours", type=float, default=2.0, help="of the long video")
    parser.add_argument("--quick", action="store_true", help="little of everything: does it run?")
    parser.add_argument("--note", default="", help="a word about the machine")
    parser.add_argument("--out", type=Path, default=HERE / "benchmarks" / "results")
    given = parser.parse_args()
    if given.quick:
        given.repeats, given.items, given.hours = 1, 0.03, 0.01
    given.count = lambda whole: max(2, round(whole * given.items))
    return given


def main():
    given = arguments()
    logging.disable(logging.WARNING)
    folder = Path(tempfile.mkdtemp())
    made = []

    def clip():
        if not made:
            made.append(clip_weights(folder, "ViT-S-32-alt" if given.quick else "ViT-B-32"))
        return made[0]

    given.clip = clip
    machine = {
        "date": datetime.date.today().isoformat(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load when it began": f"{os.getloadavg()[0]:.1f}",
        "versions": f"Python {platform.python_version()}, torch {torch.__version__}",
        "note": given.note or "none",
    }
    results = {"machine": machine, "cases": {}, "hours": given.hours}
    try:
        for name in given.only.split(","):
            if name in CASES:
                try:
                    results["cases"][name] = compared(CASES[name], given.data, given)
                except Exception as error:  # noqa: BLE001 - said, and the rest goes on
                    print(f"{name} left out: {error}", file=sys.stderr)
            else:
                results[name] = {"unchanged": unchanged, "memory": memory, "killed": killed}[name](given)
            print(table(results), flush=True)
    finally:
        shutil.rmtree(folder)
    machine["load when it ended"] = f"{os.getloadavg()[0]:.1f}"
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "encode.json").write_text(json.dumps(results, indent=1) + "\n")
    (given.out / "encode.md").write_text(table(results))


if __name__ == "__main__":
    main()
