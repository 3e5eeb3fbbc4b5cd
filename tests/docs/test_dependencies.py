"""pyproject, the import statements and docs/dependencies.md say the same."""

import ast
import importlib.metadata
import re
import sys
import tomllib

import pytest

from .blocks import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MODULES = {  # distribution -> what is imported, where that is another name
    "dgl": "dgl",
    "faiss-cpu": "faiss",
    "huggingface-hub": "huggingface_hub",
    "open-clip-torch": "open_clip",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scenedetect-headless": "scenedetect",
    "scikit-learn": "sklearn",
    "scikit-network": "sknetwork",
}
NOT_IMPORTED = {  # declared, and imported by others only: why
    "packaging": "DGL imports it and does not declare it",
    "torchvision": "open_clip imports it, and it has to fit torch",
}


def name_of(requirement):
    return re.split(r"[^\w.-]", requirement)[0].lower()


MAIN = {name_of(one) for one in PROJECT["dependencies"]}
EXTRAS = {name: {name_of(one) for one in some} for name, some in PROJECT["optional-dependencies"].items()}
OPTIONAL = set().union(*(some for name, some in EXTRAS.items() if name != "dev"))


def imported(folder):
    """Top-level names that the sources below a folder import, at any depth."""
    found = set()
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"mmgraph", "mmgraph_encoders"}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    used = imported("mmgraph") | imported("encoders/mmgraph_encoders")
    assert len(used) > 15
    declared = {MODULES.get(name, name): name for name in MAIN}
    assert used - declared.keys() <= {MODULES.get(name, name) for name in OPTIONAL}
    assert {name for module, name in declared.items() if module not in used} <= NOT_IMPORTED.keys()


def test_examples_need_nothing_else():
    assert imported("examples") - {MODULES.get(name, name) for name in MAIN} == set()


def tables():
    """Heading -> package names in the first column."""
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return {heading: [name.lower() for name in re.findall(r"^\| `([^`]+)` \|", part, re.MULTILINE)] for heading, part in pairs}


def test_every_dependency_has_its_line():
    found = tables()
    assert sorted(found["What mmgraph needs"]) == sorted(MAIN)
    assert sorted(found["Extras"]) == sorted(OPTIONAL)
    assert sorted(found["For development"]) == sorted(EXTRAS["dev"] - OPTIONAL)


def test_tested_versions_are_the_constraints():
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    for name in MAIN | OPTIONAL:
        (row,) = re.findall(rf"^\| `{name}` \|.*$", text, re.MULTILINE)
        assert f"| {pins[name]} |" in row, name


@pytest.mark.parametrize("name", sorted(MAIN))
def test_no_package_says_gpl(name):
    said = importlib.metadata.metadata(name)
    classifiers = [one for one in said.get_all("Classifier") or () if one.startswith("License")]
    licence = " ".join([said.get("License-Expression") or "", *classifiers])
    assert not re.search(r"(?<!L)GPL", licence), licence
