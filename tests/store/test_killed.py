"""Killed at random moments and resumed, the store is the same to the byte as that of a run that was not."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from mmgraph.encode.choose import Chosen
from mmgraph.media.clip import Source
from mmgraph.media.decode import decode
from mmgraph.settings import Component, MediaSettings
from mmgraph.store import shards
from mmgraph.store.fill import Job, fill
from mmgraph.store.store import Store
from mmgraph.testing import FakeEncoder

KILLS, MEDIA = 20, MediaSettings(workers=2)
COMMAND = (sys.executable, "-c", "import sys; from mmgraph.cli import main; sys.exit(main())", "encode", "--config")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """Pictures, sounds, texts, two of each the same, and some that are broken."""
    root, random = tmp_path_factory.mktemp("corpus"), np.random.default_rng(3)
    for number in range(300):
        seed = number % 290
        pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
        if number % 5 < 3:
            Image.fromarray(pixels).save(root / f"{number:03d}.png")
        elif number % 5 == 3:
            soundfile.write(root / f"{number:03d}.wav", random.normal(0, 0.1, 200), 8000)
        else:
            (root / f"{number:03d}.txt").write_text(f"text {seed}")
    (root / "007.png").write_bytes(b"no picture")
    (root / "151.png").write_bytes((root / "150.png").read_bytes()[:-40])
    return root


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def jobs(corpus: Path) -> list[Job]:
    """Pictures by two encoders, sounds by one; fresh, as in a new process."""
    made = []
    for name, modality, ending in (
        ("a", "image", ".png"),
        ("b", "image", ".png"),
        ("c", "audio", ".wav"),
        ("d", "text", ".txt"),
    ):
        encoder = FakeEncoder(name=name, modality=modality)
        chosen = Chosen(encoder.card, modality, Component(class_path="fake"), "cpu", (), encoder)
        paths = sorted(path for path in corpus.iterdir() if path.suffix == ending)[::4]
        made.append(Job(chosen, [(f"{path.stem}:{modality}", Source(path.name, path)) for path in paths]))
    return made


def run(folder: Path, corpus: Path) -> None:
    shards.FANOUT = 3  # this process is a fork
    fill(Store(folder), jobs(corpus), MEDIA, decode=decode, part=4)


def forked(folder: Path, corpus: Path) -> multiprocessing.process.BaseProcess:
    child = multiprocessing.get_context("fork").Process(target=run, args=(folder, corpus))
    child.start()
    return child


def commits(folder: Path) -> int:
    """How many shards were ever committed, of all cards."""
    return sum(
        int(max(path.stem for path in card.glob("*.parquet"))) + 1 for card in folder.glob("*") if any(card.glob("*.parquet"))
    )


def test_killed_at_random_moments(tmp_path, corpus):
    whole = forked(tmp_path / "whole", corpus)
    whole.join()
    assert whole.exitcode == 0
    wanted, last = tree(tmp_path / "whole"), commits(tmp_path / "whole")
    assert last > 30
    random, between = np.random.default_rng(11), 0
    for number in range(KILLS):
        folder, after, delay_s = tmp_path / f"killed{number}", int(random.integers(0, last)), random.exponential(0.004)
        child = forked(folder, corpus)
        while child.is_alive() and commits(folder) < after:
            time.sleep(0.0005)
        time.sleep(delay_s)
        child.kill()
        child.join()
        if child.exitcode == -signal.SIGKILL:
            between += 0 < commits(folder) < last
        again = forked(folder, corpus)
        again.join()
        assert again.exitcode == 0
        assert tree(folder) == wanted, f"killed {delay_s} s after commit {after}"
    assert between >= 12


def test_the_command_killed_and_resumed(tmp_path, corpus):
    config = tmp_path / "encode.yaml"

    def command(name: str) -> "subprocess.Popen[bytes]":
        config.write_text(
            f"catalogue: {{class_path: Folder, init_args: {{root: {corpus}}}}}\n"
            f"encoders: {{store: {tmp_path / name}}}\nmedia: {{workers: 1}}\n"
        )
        return subprocess.Popen([*COMMAND, str(config)], stdout=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"})

    with command("whole") as whole:
        assert b"image: 173 encoded 0 cached 0 absent" in whole.communicate(timeout=120)[0]
    with command("killed") as killed:
        while killed.poll() is None and commits(tmp_path / "killed") < 2:
            time.sleep(0.002)
        killed.kill()
    assert killed.returncode == -signal.SIGKILL
    assert commits(tmp_path / "killed") < commits(tmp_path / "whole")
    with command("killed") as resumed:
        assert resumed.wait(120) == 0
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")
