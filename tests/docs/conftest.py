"""One tiny corpus and one tiny run, in a folder laid out like the repository, for every test of the documentation."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmgraph.cli import main
from mmgraph.configuration import dump, load
from mmgraph.corpus import CATEGORIES, CorpusSize, make

ROOT = Path(__file__).resolve().parents[2]
TINY = {  # laid over configs/video.yaml: small, quick, without weights
    "encoders.image": "[image_statistics]",
    "encoders.audio": "[sound_statistics]",
    "encoders.text": "[hashed_ngrams]",
    "split.labels.k": "1",
    "model.width": "16",
    "model.candidates": "[]",
    "evaluate.bootstrap": "20",
    "outputs.examples": "1",
    "trainer.max_epochs": "6",
}


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``data/sample`` and with ``configs/`` whose video.yaml is small enough for a test."""
    folder = tmp_path_factory.mktemp("docs")
    sample = folder / "data" / "sample"
    make(sample, size=CorpusSize(videos=10, images=4, music=6, texts=8, users=8), workers=1)
    _two_categories(sample / "labels.csv")
    (folder / "configs").mkdir()
    for path in sorted((ROOT / "configs").glob("*.yaml")):
        (folder / "configs" / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    words = [word for key, value in TINY.items() for word in (f"--{key}", value)]
    (folder / "configs" / "video.yaml").write_text(dump(load(ROOT / "configs" / "video.yaml", words)), encoding="utf-8")
    return folder


def _two_categories(path: Path) -> None:
    """Ten videos are too few for eight categories with train, valid and test labels each."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [f"{row['id']},category,{'ab'[CATEGORIES.index(row['value']) // 4]}\n" for row in rows]
    path.write_text("id,field,value\n" + "".join(lines), encoding="utf-8")


@pytest.fixture(scope="session")
def run(workspace: Path) -> Path:
    """The run folder of ``mmgraph fit --config configs/video.yaml`` in the workspace."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workspace)
        assert main(["fit", "--config", "configs/video.yaml"]) == 0
    return workspace / "runs" / "video"


@pytest.fixture
def inside(workspace: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The workspace as working directory, with its finished run."""
    monkeypatch.chdir(workspace)
    yield workspace
