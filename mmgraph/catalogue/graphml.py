"""GraphML, streamed: nodes and edges with their attributes, as networkx, igraph, Gephi and yEd write them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from mmgraph.errors import CatalogueError


@dataclass(frozen=True)
class Element:
    """One node (``ends`` of it: its id) or edge (source and target), where it begins, and its attributes by name, in order."""

    ends: tuple[str, ...]
    line: int
    data: Mapping[str, list[str]]


@dataclass
class GraphMLFile:
    """What one file holds. undirected: how many of its edges say so."""

    nodes: list[Element] = field(default_factory=list)
    edges: list[Element] = field(default_factory=list)
    undirected: int = 0


def read_graphml(path: Path) -> GraphMLFile:
    """Read a file; raises CatalogueError that names file and line.

    Only what is open is held besides nodes and edges. A DOCTYPE is refused: with it a small file can unfold to gigabytes, or read others.
    """
    reader = _Reader(path.name)
    try:
        with open(path, "rb") as file:
            reader.parser.ParseFile(file)
    except OSError as error:
        raise CatalogueError(f"{path.name} cannot be read", given=error, todo="check the name of the file") from None
    except expat.ExpatError as error:
        wrong = f"{path.name}, line {error.lineno}: no well-formed XML"
        raise CatalogueError(wrong, given=expat.ErrorString(error.code), todo="save it as GraphML again") from None
    return reader.found


class _Reader:
    """What expat calls as it goes through a file."""

    def __init__(self, name: str) -> None:
        self.name, self.found = name, GraphMLFile()
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self._names: dict[tuple[str, str], str] = {}  # (node or edge, id of a key) -> name
        self._defaults: dict[str, dict[str, str]] = {"node": {}, "edge": {}}
        self._open: list[str] = []
        self._directed = True
        self._graphs = 0
        self._element: tuple[str, tuple[str, ...], int, dict[str, list[str]]] | None = None
        self._key: tuple[str, str] = ("", "")
        self._text: list[str] | None = None

    def _wrong(self, what: str, given: object, todo: str) -> CatalogueError:
        return CatalogueError(f"{self.name}, line {self.parser.CurrentLineNumber}: {what}", given=given, todo=todo)

    def _doctype(self, name: str, *_: object) -> None:
        raise self._wrong("a DOCTYPE, which is not read", name, "take the <!DOCTYPE …> out")

    def _start(self, tag: str, said: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        if not self._open and tag != "graphml":
            raise self._wrong("this is no GraphML", f"<{tag}>", "save it with networkx.write_graphml")
        self._open.append(tag)
        if tag in ("hyperedge", "port"):
            raise self._wrong(f"<{tag}> is not read", said, "give edges between two nodes")
        handler = {"key": self._start_key, "graph": self._start_graph, "node": self._start_node, "edge": self._start_edge}
        if tag in handler:
            handler[tag](said)
        elif tag in ("data", "default"):
            self._text = []
            self._key = (self._key[0], self._key[1]) if tag == "default" else ("", self._said(said, "key", tag))

    def _said(self, said: Mapping[str, str], name: str, tag: str) -> str:
        if name not in said:
            raise self._wrong(f"<{tag}> without {name}", dict(said), f"write <{tag} {name}=…>")
        return said[name]

    def _start_key(self, said: dict[str, str]) -> None:
        target, key = said.get("for", "all"), self._said(said, "id", "key")
        for one in ("node", "edge") if target == "all" else (target,):
            self._names[one, key] = said.get("attr.name", key)
        self._key = (target, key)

    def _start_graph(self, said: dict[str, str]) -> None:
        self._graphs += 1
        if self._graphs > 1:
            raise self._wrong("a second <graph>", dict(said), "one graph a file, none inside another's nodes")
        self._directed = said.get("edgedefault", "directed") != "undirected"

    def _start_node(self, said: dict[str, str]) -> None:
        self._element = ("node", (self._said(said, "id", "node"),), self.parser.CurrentLineNumber, {})

    def _start_edge(self, said: dict[str, str]) -> None:
        ends = (self._said(said, "source", "edge"), self._said(said, "target", "edge"))
        self._element = ("edge", ends, self.parser.CurrentLineNumber, {})
        self.found.undirected += said.get("directed", str(self._directed).lower()) != "true"

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _end(self, tag: str) -> None:
        tag = tag.rpartition(":")[2]
        self._open.pop()
        if tag in ("data", "default") and self._text is not None:
            self._close_text(tag, "".join(self._text))
            self._text = None
        elif self._element is not None and tag == self._element[0]:
            _, ends, line, data = self._element
            defaults: dict[str, Any] = {name: [text] for name, text in self._defaults[tag].items() if name not in data}
            (self.found.nodes if tag == "node" else self.found.edges).append(Element(ends, line, {**defaults, **data}))
            self._element = None

    def _close_text(self, tag: str, text: str) -> None:
        target, key = self._key
        if tag == "default":
            for one in ("node", "edge") if target == "all" else (target,):
                self._defaults.setdefault(one, {})[self._names[one, key]] = text
        elif self._element is not None:
            name = self._names.get((self._element[0], key))
            if name is None:
                todo = f'declare it: <key id="{key}" for="{self._element[0]}" attr.name="…" attr.type="string"/>'
                raise self._wrong(f"<data> of an unknown key of a {self._element[0]}", key, todo)
            self._element[3].setdefault(name, []).append(text)
