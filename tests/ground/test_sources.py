"""Nothing here unpickles: files that a person is given by others cannot run code."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FORBIDDEN = {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "marshal", "shelve"}


def sources():
    return [path for folder in ("mmgraph", "encoders", "examples", "benchmarks") for path in (ROOT / folder).rglob("*.py")]


def problems(text):
    """Lines of a module that would unpickle."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import) and any(alias.name.split(".")[0] in FORBIDDEN for alias in node.names):
            yield node.lineno
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FORBIDDEN:
            yield node.lineno
        if isinstance(node, ast.Call):
            given = {word.arg: ast.unparse(word.value) for word in node.keywords}
            called = ast.unparse(node.func)
            if given.get("allow_pickle", "False") != "False" or called.endswith(("read_pickle", "to_pickle")):
                yield node.lineno
            if called == "torch.load" and given.get("weights_only") != "True":
                yield node.lineno
            if called.endswith("load_from_checkpoint") or (called == "np.load" and given.get("allow_pickle") != "False"):
                yield node.lineno


def test_no_source_unpickles():
    found = [f"{path.relative_to(ROOT)}:{line}" for path in sources() for line in problems(path.read_text(encoding="utf-8"))]
    assert len(sources()) > 100
    assert found == []


def test_the_search_finds_what_it_looks_for():
    for text in (
        "import pickle", "from joblib import load", "torch.load('x')", "torch.load('x', weights_only=False)",
        "np.load('x', allow_pickle=True)", "np.load('x')", "pd.read_pickle('x')",
    ):  # fmt: skip
        assert set(problems(text)) == {1}, text
    assert not list(problems("torch.load('x', weights_only=True); np.load('x', allow_pickle=False)"))
