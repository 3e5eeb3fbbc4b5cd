"""What a folder brings besides media: the tables and vectors at its root, shared by the importers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmgraph.catalogue.check import checked
from mmgraph.catalogue.contract import ITEM_COLUMNS, LABEL_COLUMNS, LINK_COLUMNS, Catalogue, GivenFeatures, Repeated
from mmgraph.catalogue.features import find_features
from mmgraph.catalogue.tables import Table, find_table, read_table
from mmgraph.errors import CatalogueError
from mmgraph.files import sha256


@dataclass(frozen=True)
class Brought:
    """The tables of a root, read but not checked; ``sources``: file name -> sha256."""

    root: Path
    items: Table | None
    links: Table | None
    labels: Table | None
    features: tuple[GivenFeatures, ...]
    sources: dict[str, str]

    def checked(self, items: Sequence[Table], sources: dict[str, str] | None = None, repeated: Repeated = "add") -> Catalogue:
        """Check ``items`` together with the links, labels and vectors of this root; raises CatalogueError."""
        return checked(
            items,
            self.links,
            self.labels,
            root=self.root,
            features=self.features,
            sources={**self.sources, **(sources or {})},
            repeated=repeated,
        )


def read_root(root: Path) -> Brought:
    """Read items, links, labels and features of ``root``; raises CatalogueError where the root is not there."""
    if not root.is_dir():
        wrong = "catalogue.root is a file, not a folder" if root.exists() else "catalogue.root is not there"
        raise CatalogueError(wrong, given=root, todo="give a folder that exists: --catalogue.root FOLDER")
    items, links, labels = (find_table(root, name) for name in ("items", "links", "labels"))
    features = find_features(root)
    files = [path for path in (items, links, labels) if path]
    for given in features:
        files += [given.path, given.path.with_name(given.path.name.removesuffix(".npy") + ".ids.txt")]
    return Brought(
        root,
        read_table(items, ("id", "kind"), ITEM_COLUMNS) if items else None,
        read_table(links, ("source", "relation", "target"), LINK_COLUMNS) if links else None,
        read_table(labels, ("id", "field", "value"), LABEL_COLUMNS) if labels else None,
        features,
        {path.relative_to(root).as_posix(): sha256(path) for path in files},
    )
