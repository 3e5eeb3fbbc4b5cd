"""Each check in a fresh interpreter: what is tested is an import."""

import os
import subprocess
import sys

import pytest

from mmgraph.graph import dgl as ours

SCRIPT = """
def main(path):
    from mmgraph.graph.dgl import SpawnContext, graphbolt_reason, load_dgl

    assert graphbolt_reason() is None
    dgl = load_dgl()
    import torch

    graph = dgl.heterograph({("a", "r", "b"): ([0, 1, 2], [1, 0, 1])}, {"a": 3, "b": 2}, idtype=torch.int64)
    sampler = dgl.dataloading.NeighborSampler([2], fused=False)
    inputs, seeds, blocks = sampler.sample(graph, {"b": torch.tensor([1])})
    assert sorted(inputs["a"].tolist()) == [0, 2], inputs
    dgl.save_graphs(path, [graph])
    (again,), _ = dgl.load_graphs(path)
    assert again.canonical_etypes == [("a", "r", "b")] and again.num_edges() == 3
    assert open(path, "rb").read(1) != b"\\x80"  # no pickle
    summed = dgl.ops.copy_u_sum(dgl.graph(([0, 1], [1, 2])), torch.ones(3, 2))
    assert summed.tolist() == [[0, 0], [1, 1], [1, 1]]
    if graphbolt_reason():
        for code in ("dgl.graphbolt.ItemSampler", "from dgl.graphbolt import ItemSampler", "import dgl.graphbolt.impl"):
            try:
                exec(code)
            except (AttributeError, ImportError) as error:
                assert "cannot be used: this DGL" in str(error), error
            else:
                raise AssertionError(code)
        assert not hasattr(dgl.graphbolt, "ItemSampler")
    # the main module imports DGL in here only: a spawned worker is given a graph before any line of ours would run
    plain = dgl.rand_graph(60, 300)
    loader = dgl.dataloading.DataLoader(
        plain, torch.arange(60), sampler, batch_size=30, num_workers=1, multiprocessing_context=SpawnContext()
    )
    print(sum(len(seeds) for _, seeds, _ in loader))


if __name__ == "__main__":
    import sys

    main(sys.argv[1])
"""


def test_a_fresh_interpreter_builds_samples_saves_loads_and_spawns_workers(tmp_path):
    home, script = tmp_path / "home", tmp_path / "main.py"
    home.mkdir()
    script.write_text(SCRIPT)
    environment = {**os.environ, "HOME": str(home), "OMP_NUM_THREADS": "1"}
    environment.pop("DGLBACKEND", None)
    command = [sys.executable, "-W", "ignore", str(script), str(tmp_path / "graph.bin")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (done.stdout, list(home.iterdir())) == ("60\n", [])


@pytest.fixture
def package(tmp_path):
    """A DGL package with a GraphBolt for torch 9.9.9 that needs torchdata.datapipes."""
    folder = tmp_path / "dgl" / "graphbolt"
    folder.mkdir(parents=True)
    for name in ("libgraphbolt_pytorch_9.9.9.so", "libgraphbolt_pytorch_9.9.9.dylib", "graphbolt_pytorch_9.9.9.dll"):
        (folder / name).write_bytes(b"")
    (folder / "base.py").write_text("from torchdata.datapipes.iter import IterDataPipe\n")
    return folder.parent


def test_steps_aside_where_graphbolt_can_load(package, monkeypatch):
    monkeypatch.setattr(ours, "_has_datapipes", lambda: True)
    assert ours.why_not([str(package)], "9.9.9+cu130") is None
    import torch

    monkeypatch.setattr(torch, "__version__", "9.9.9+cpu")
    finder = next(one for one in sys.meta_path if isinstance(one, ours._Finder))
    assert finder.find_spec("dgl.graphbolt", [str(package)]) is None


def test_a_placeholder_says_what_is_missing(package, monkeypatch):
    monkeypatch.setattr(ours, "_has_datapipes", lambda: False)
    assert "torchdata.datapipes" in ours.why_not([str(package)], "9.9.9")
    assert "no GraphBolt library for torch 9.9.8" in ours.why_not([str(package)], "9.9.8")
    (package / "graphbolt" / "base.py").write_text("")
    assert ours.why_not([str(package)], "9.9.9") is None
    finder = next(one for one in sys.meta_path if isinstance(one, ours._Finder))
    module = finder.find_spec("dgl.graphbolt", ["nowhere"]).loader.create_module(
        finder.find_spec("dgl.graphbolt", ["nowhere"])
    )
    with pytest.raises(ours.GraphBoltUnavailableError, match="dgl.graphbolt.DataLoader cannot be used: this DGL has no"):
        module.DataLoader()
    assert not hasattr(module, "__file__")


def test_the_library_may_lie_where_dgl_is_told(package, monkeypatch):
    monkeypatch.setattr(ours, "_has_datapipes", lambda: True)
    monkeypatch.setenv("DGL_LIBRARY_PATH", str(package))
    assert ours.why_not(["nowhere"], "9.9.9") is None


def test_other_imports_are_not_answered_and_installing_twice_is_once():
    ours.install()
    ours.install()
    finders = [one for one in sys.meta_path if isinstance(one, ours._Finder)]
    assert len(finders) == 1
    assert [finders[0].find_spec(name, None) for name in ("json", "dgl", "dgl.graphboltx")] == [None] * 3
