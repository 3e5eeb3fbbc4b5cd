"""A graph as safe tensors, one an attribute: ``<type>.<attribute>`` and ``<source>__<name>__<target>.<attribute>``."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from mmgraph.errors import CatalogueError
from mmgraph.types import Floats, Ints

Triple = tuple[str, str, str]
_ROWS = 65_536  # of vectors held at once
_DTYPES = ("I8", "I16", "I32", "I64", "U8", "U16", "U32", "U64", "F16", "F32", "F64")


def opened(path: Path) -> Any:
    """The file, for a with block; raises CatalogueError where it is none."""
    try:
        return safe_open(path, framework="numpy")
    except (OSError, SafetensorError) as error:
        todo = "save it with safetensors (docs/formats.md), and name it by catalogue.file"
        raise CatalogueError(f"{path.name} cannot be read as safe tensors", given=error, todo=todo) from None


@dataclass(frozen=True)
class Tensors:
    """The tensors of one file, named ``<type>.<attribute>``, read when asked for."""

    name: str
    file: Any

    def sorted(self) -> tuple[dict[str, list[str]], dict[Triple, list[str]]]:
        """Attributes by type of nodes, and by relation."""
        groups: dict[str, list[str]] = defaultdict(list)
        for key in sorted(self.file.keys()):
            group, dot, attribute = key.rpartition(".")
            if not dot or not group:
                todo = "name it <type>.<attribute>; a Data becomes a HeteroData with data.to_heterogeneous()"
                raise CatalogueError(f"{self.name}: a tensor without a type", given=key, todo=todo)
            groups[group].append(attribute)
        relations = {self._relation(group): group for group, found in groups.items() if "edge_index" in found}
        odd = [group for group in groups if "__" in group and group not in relations.values()]
        if odd:
            todo = "save its edge_index (a SparseTensor adj_t is none)"
            raise CatalogueError(f"{self.name}: a relation without edge_index", given=odd[0], todo=todo)
        taken = set(relations.values())
        return {one: found for one, found in groups.items() if one not in taken}, {r: groups[g] for r, g in relations.items()}

    def _relation(self, group: str) -> Triple:
        parts = group.split("__")
        if len(parts) != 3 or not all(parts):
            todo = "name it <source>__<name>__<target>.edge_index"
            raise CatalogueError(f"{self.name}: edge_index of what is no relation", given=group, todo=todo)
        return parts[0], parts[1], parts[2]

    def shape(self, key: str) -> tuple[int, ...]:
        """Without reading it."""
        return tuple(self.file.get_slice(key).get_shape())

    def dtype(self, key: str) -> str:
        """As safe tensors call it, e.g. I64, F32 or BF16."""
        return str(self.file.get_slice(key).get_dtype())

    def array(self, key: str, *, like: str = "iufb", shape: tuple[int, ...] | None = None) -> Any:
        """A tensor; raises CatalogueError where its numbers or its shape are others."""
        self._check_type(key, like)
        array = self.file.get_tensor(key)
        if shape is not None and array.shape not in (shape, (*shape, 1)):
            todo = "give one number for each node or edge"
            raise CatalogueError(
                f"{self.name}: {key} has another shape than {list(shape)}", given=list(array.shape), todo=todo
            )
        return array if shape is None else array.reshape(shape)

    def rows(self, key: str) -> Iterator[Floats]:
        """A matrix, some rows at a time."""
        self._check_type(key, "iufb")
        part = self.file.get_slice(key)
        count = self.shape(key)[0]
        for start in range(0, count, _ROWS):
            rows = part[start : min(start + _ROWS, count)].astype(np.float32)
            bad = ~np.isfinite(rows).all(1)
            if bad.any():
                wrong = f"{self.name}: {key}, row {start + int(np.argmax(bad))} holds a number that is not finite"
                raise CatalogueError(wrong, todo="mend it; what is unknown cannot be said by NaN")
            yield rows

    def _check_type(self, key: str, like: str) -> None:
        name = self.dtype(key)
        kind = "b" if name == "BOOL" else name[0].lower() if name in _DTYPES else "?"
        if kind not in like:
            todo = "convert it with .long() before saving" if like == "iu" else "convert it with .float() before saving"
            raise CatalogueError(f"{self.name}: {key} has numbers of a type that is not read", given=name, todo=todo)

    def ends(self, relation: Triple) -> Ints:
        """The edges of a relation, int64 [2, edges]."""
        key = "__".join(relation) + ".edge_index"
        ends = self.array(key, like="iu")
        if ends.ndim != 2 or len(ends) != 2:
            raise CatalogueError(f"{self.name}: {key} is not [2, edges]", given=list(ends.shape), todo="save data.edge_index")
        return np.asarray(ends, np.int64)
