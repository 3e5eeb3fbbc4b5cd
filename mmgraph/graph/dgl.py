"""The only module that imports DGL; makes ``import dgl`` (2.1.0) work on a torch that it has no GraphBolt library for.

``import dgl`` reaches ``dgl.distributed``, three modules of which import ``dgl.graphbolt``; that one needs torchdata.datapipes
(gone since torchdata 0.10) and a native library built for exactly the running torch (the wheel ends at 2.2.1). Nothing is read
from it during ``import dgl``: it only has to exist (DGL 2.4 dropped the import, dmlc/dgl#7676). So where, and only where,
GraphBolt cannot load, ``dgl.graphbolt`` becomes an empty module that says why when something is taken from it.

A finder in front of ``sys.meta_path`` answers for ``dgl.graphbolt`` alone. It decides when DGL asks, under the import system's
own lock of that module: nothing is imported early, threads are safe, and where GraphBolt can load it does nothing.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import multiprocessing.context
import os
import sys
import threading
import types
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_NAME = "dgl.graphbolt"
_LOCK = threading.Lock()


class GraphBoltUnavailableError(AttributeError):
    """Something was taken from the placeholder of ``dgl.graphbolt``.

    An AttributeError, because whatever walks ``sys.modules`` (inspect, warnings, doctest) expects that one.
    """


def why_not(package: Sequence[str], torch_version: str) -> str | None:
    """Why GraphBolt of the DGL package at these folders cannot be imported with this torch; None when nothing says so."""
    version = torch_version.split("+", 1)[0]
    names = {"win32": f"graphbolt_pytorch_{version}.dll", "darwin": f"libgraphbolt_pytorch_{version}.dylib"}
    library = names.get(sys.platform, f"libgraphbolt_pytorch_{version}.so")
    roots = [root for root in (os.environ.get("DGL_LIBRARY_PATH"), *package) if root]
    if not any(Path(root, "graphbolt", library).exists() for root in roots):
        return f"this DGL has no GraphBolt library for torch {torch_version}"
    sources = [file for root in package if (file := Path(root, "graphbolt", "base.py")).exists()]
    if any("torchdata.datapipes" in file.read_text(encoding="utf-8") for file in sources) and not _has_datapipes():
        return "this DGL's GraphBolt needs torchdata.datapipes, which is not installed"
    return None


def _has_datapipes() -> bool:
    try:
        return importlib.util.find_spec("torchdata.datapipes") is not None
    except ImportError:
        return False


class _Placeholder(types.ModuleType):
    reason: str

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        raise GraphBoltUnavailableError(f"dgl.graphbolt.{name} cannot be used: {self.reason}")


class _Loader(importlib.abc.Loader):
    def __init__(self, reason: str) -> None:
        self._reason = reason

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        module = _Placeholder(spec.name, f"Placeholder: {self._reason}.")
        module.reason = self._reason
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing is in it."""


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        del target  # of a reload: makes no difference
        if fullname == _NAME:
            import torch  # dgl.backend imported it long before anything asks for dgl.graphbolt

            reason = why_not(list(path or ()), torch.__version__)
            # is_package, so that `from dgl.graphbolt import X` asks for dgl.graphbolt.X and is told why, below
            return None if reason is None else importlib.machinery.ModuleSpec(_NAME, _Loader(reason), is_package=True)
        parent = sys.modules.get(_NAME)
        if fullname.startswith(_NAME + ".") and isinstance(parent, _Placeholder):
            raise ImportError(f"{fullname} cannot be used: {parent.reason}", name=fullname)
        return None


_FINDER = _Finder()


def install() -> None:
    """Put the finder in place, once; and name DGL's backend, or DGL prints a line and writes into the home folder."""
    os.environ.setdefault("DGLBACKEND", "pytorch")
    with _LOCK:
        if _FINDER not in sys.meta_path:
            sys.meta_path.insert(0, _FINDER)


def graphbolt_reason() -> str | None:
    """Why ``dgl.graphbolt`` is a placeholder; None where it is the real one, or not imported."""
    module = sys.modules.get(_NAME)
    return module.reason if isinstance(module, _Placeholder) else None


def load_dgl() -> Any:
    """The module ``dgl``, imported when first asked for."""
    install()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # Python 3.12 warns of escapes in DGL's docstrings as it compiles them
        import dgl

    return dgl


class SpawnProcess(multiprocessing.context.SpawnProcess):
    """A child that looks up this class, and so imports this module, before it unpickles what it was given."""


class SpawnContext(multiprocessing.context.SpawnContext):
    """``DataLoader(..., multiprocessing_context=SpawnContext())``: spawned workers that may be given DGL's objects.

    A spawned child unpickles its arguments before any ``worker_init_fn``: a graph among them would import DGL too early.
    """

    Process = SpawnProcess


install()
