"""Small folders of tables, and the command line called in this process."""

import csv
import hashlib
from pathlib import Path

import yaml

from mmgraph.cli import main

WEIGHT_FREE = (
    "--encoders.image", "[image_statistics]", "--encoders.audio", "[sound_statistics]", "--encoders.text", "[hashed_ngrams]",
)  # fmt: skip
QUICK = (*WEIGHT_FREE, "--trainer.accelerator", "cpu", "--evaluate.bootstrap", "50")


def write_csv(path, header, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(folder):
    """Every file below a folder and the hash of its bytes."""
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def half_written(folder):
    return [path for path in Path(folder).rglob("*") if path.name.endswith((".part", ".tmp"))]


class Asked:
    """A folder of tables, the configuration that reads it, and the call; what it prints is kept by ``capsys``, where there is one."""

    def __init__(self, base, capsys=None):
        self.root, self.run, self.config, self._capsys = base / "tables", base / "runs" / "one", base / "my.yaml", capsys
        self.root.mkdir()
        self.write()

    def write(self):
        """36 texts about three things, each followed by the next, with a label; users who like them."""
        texts = [(f"t{i}", "text", f"{('sea', 'wood', 'town')[i % 3]} number {i}") for i in range(36)]
        users = [(f"u{i}", "user", "") for i in range(5)]
        write_csv(self.root / "items.csv", ("id", "kind", "text"), [*texts, *users])
        follows = [(f"t{i}", "follows", f"t{i + 1}") for i in range(35)]
        likes = [(f"u{i % 5}", "likes", f"t{i}") for i in range(36)]
        write_csv(self.root / "links.csv", ("source", "relation", "target"), [*follows, *likes])
        write_csv(self.root / "labels.csv", ("id", "field", "value"), [(f"t{i}", "topic", "xyz"[i % 3]) for i in range(34)])
        settings = {
            "run": {"dir": str(self.run)},
            "catalogue": {"class_path": "Tables", "init_args": {"root": str(self.root)}},
            "graph": {"edges": []},
            "tasks": [
                {"class_path": "Links", "init_args": {"relation": "text/follows/text"}},
                {"class_path": "Categories", "init_args": {"field": "topic"}},
            ],
            "model": {"width": 8},
            "trainer": {"max_epochs": 2, "accelerator": "cpu"},
            "evaluate": {"bootstrap": 20},
        }
        self.config.write_text(yaml.safe_dump(settings))

    def write_books(self):
        """60 texts of ten books instead, of which the last four have no topic, and two of the second."""
        texts = [(f"t{i}", "text", f"{('sea', 'wood', 'town')[i % 3]} number {i}", f"b{i // 6}") for i in range(60)]
        books = [(f"b{i}", "book", "", "") for i in range(10)]
        write_csv(self.root / "items.csv", ("id", "kind", "text", "parent"), [*texts, *books])
        follows = [(f"t{i}", "follows", f"t{i + 1}") for i in range(59)]
        write_csv(self.root / "links.csv", ("source", "relation", "target"), follows)
        labels = [(f"t{i}", "topic", "xyz"[i % 3]) for i in range(36) if i not in (8, 9)]
        write_csv(self.root / "labels.csv", ("id", "field", "value"), labels)

    def set(self, **sections):
        """Keys of some sections, and what they are from now on; a section that is no mapping is replaced."""
        settings = yaml.safe_load(self.config.read_text())
        for name, given in sections.items():
            before = settings.get(name)
            settings[name] = before | given if isinstance(before, dict) else given
        self.config.write_text(yaml.safe_dump(settings))

    def add(self, name, *lines):
        with open(self.root / name, "a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)

    def __call__(self, *words):
        """Exit status, stdout, stderr."""
        self._printed()
        status = main(["fit", "--config", str(self.config), *map(str, words)])
        return (status, *self._printed())

    def _printed(self):
        return ("", "") if self._capsys is None else self._capsys.readouterr()
