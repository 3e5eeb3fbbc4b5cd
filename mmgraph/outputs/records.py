"""What a run writes about itself: versions, encoders, graph, curves, log."""

import contextlib
import importlib.metadata
import json
import logging
import platform
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmgraph.catalogue.contract import Catalogue, Unread
from mmgraph.graph.contract import Graph
from mmgraph.runs import RunFolder, read_json, write_csv, write_json
from mmgraph.split.contract import Split


def record_versions(run: RunFolder, catalogue: Catalogue, seed: int) -> None:
    """Packages, seed and the hashes of what was read."""
    wanted = importlib.metadata.requires("mmgraph") or []
    needed = {re.split(r"[^\w.-]", need)[0] for need in wanted if "extra ==" not in need}
    installed = {name: _version(name) for name in sorted({"mmgraph", *needed})}
    packages = {name: version for name, version in installed.items() if version}
    record = {"packages": packages, "python": platform.python_version(), "seed": seed, "data": dict(catalogue.sources)}
    write_json(run.versions, record | {"written": time.strftime("%Y-%m-%dT%H:%M:%S%z")})


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None  # what is not installed was not used


def record_quarantine(run: RunFolder, unread: tuple[Unread, ...]) -> None:
    """Files that could not be read, and why; the file is there also when it is empty."""
    write_csv(run.quarantine, ("id", "path", "reason"), ((one.id, one.path, one.reason) for one in unread))


def record_adaptation(run: RunFolder, adapted: Mapping[str, Mapping[str, Any]]) -> None:
    """Add to the encoders what is trained of them, or on top of them; nothing where all are frozen."""
    if not adapted:
        return
    encoders = read_json(run.encoders)
    for modality, one in adapted.items():
        entry = encoders.setdefault(modality, {"card": {"name": "given vectors"}, "passed_over": []})
        entry["adaptation"] = dict(one)
    write_json(run.encoders, encoders)


def record_graph(run: RunFolder, graph: Graph, split: Split) -> None:
    """Counts of everything that the model sees and is asked."""
    write_json(
        run.graph_summary,
        {
            "kinds": {kind: graph.count(kind) for kind in graph.ids},
            "relations": [_relation(str(r), len(e), e.built_by, split.links.get(r)) for r, e in graph.edges.items()],
            "features": [
                {
                    "kind": kind,
                    "modality": modality,
                    "encoder": f.encoder,
                    "present": int(f.present.sum()),
                    "width": int(f.vectors.shape[1]),
                }
                for (kind, modality), f in graph.features.items()
            ],
            "labels": [
                {
                    "target": name,
                    "classes": list(one.labels.classes),
                    "train": len(one.train),
                    "valid": len(one.valid),
                    "test": len(one.test),
                    **({"open": list(one.open_classes)} if one.open_classes else {}),
                }
                for name, one in split.labels.items()
            ],
            "notes": list(split.notes),
        },
    )


def _relation(name: str, edges: int, built_by: str, split: Any) -> dict[str, Any]:
    parts = {part: len(getattr(split, part)) if split else 0 for part in ("train", "valid", "test")}
    return {"relation": name, "edges": edges, "built_by": built_by, **parts}


class JsonLog(logging.Handler):
    """Appends one JSON object a line to log.jsonl; a line is written whole."""

    def __init__(self, path: Path) -> None:
        super().__init__(logging.INFO)
        self._path = path

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        with contextlib.suppress(OSError), open(self._path, "a", encoding="utf-8") as file:  # a full disk: results will say so
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def messages(path: Path) -> set[str]:
    """What a log.jsonl says; of a file that is not there, or broken, what can be read."""
    said = set[str]()
    with contextlib.suppress(OSError, UnicodeDecodeError), open(path, encoding="utf-8") as file:
        for line in file:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                said.add(str(json.loads(line)["message"]))
    return said
