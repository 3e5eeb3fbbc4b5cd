"""Where a step is computed on a GPU: what leaves the messages is found there, and nothing is waited for.

There is none here: tensors on the device ``meta`` have shapes alone, and torch refuses to look into them, as ``item``, ``nonzero`` and
masks as indices do, for which a GPU would be waited for.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from facts_made import facts
from graph_made import CONTAINS, FOLLOWS, made
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmgraph import registry
from mmgraph.model.data import GraphData
from mmgraph.model.train import build
from mmgraph.sample.adjacency import Adjacency
from mmgraph.sample.asked import Asked
from mmgraph.sample.expected import tensors
from mmgraph.sample.full import without
from mmgraph.sample.moved import moved
from mmgraph.settings import BatchSettings, Component, ContrastSettings, ModelSettings
from mmgraph.types import Relation

SPLIT = made()[1]
GPU = torch.device("meta")
CUDA = torch.device("cuda", 0)
ONE = Relation("a", "r", "b")


def from_the_edges_left(source, target, ids, counts):
    """An adjacency of the edges left, and its edges grouped by source, made anew in numpy."""
    left = np.delete(np.arange(len(source)), ids)
    by_target = left[np.argsort(target[left], kind="stable")]
    by_source = np.argsort(source[by_target], kind="stable")
    offsets = [
        np.searchsorted(np.sort(end[left]), np.arange(n + 1)) for end, n in zip((target, source), counts[::-1], strict=True)
    ]
    return {
        "indptr": offsets[0], "sources": source[by_target], "ids": by_target,
        "back": offsets[1], "targets": target[by_target][by_source], "order": by_source,
    }  # fmt: skip


def parts(adjacency):
    back = adjacency.transposed
    names = {"indptr": adjacency.indptr, "sources": adjacency.sources, "ids": adjacency.ids}
    return names | {"back": back.indptr, "targets": back.targets, "order": back.order}


def counted(mask, count):
    """What is done on CUDA, on the CPU."""
    assert count == int(mask.sum())
    return torch.nonzero_static(mask, size=count)[:, 0]


@pytest.mark.parametrize("told", [False, True])
@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=12), st.data())
def test_what_is_left_is_what_is_made_anew(told, pairs, data):
    source, target = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    ids = np.array(sorted(data.draw(st.sets(st.sampled_from(range(len(pairs))))) if pairs else ()), np.int64)
    ends = torch.from_numpy(source), torch.from_numpy(target)
    relations = {ONE: Adjacency.from_edges(*ends, 4, 5), ONE.reverse: Adjacency.from_edges(*ends[::-1], 5, 4)}
    with pytest.MonkeyPatch.context() as patch:
        if told:
            patch.setattr("mmgraph.sample.adjacency._true", counted)
        left = without(relations, {ONE: ids, Relation("x", "y", "z"): ids})
    assert list(left) == [ONE, ONE.reverse]
    for one, expected in (
        (left[ONE], from_the_edges_left(source, target, ids, (4, 5))),
        (left[ONE.reverse], from_the_edges_left(target, source, ids, (5, 4))),
    ):
        for name, found in parts(one).items():
            assert found.dtype == torch.int64
            assert found.tolist() == expected[name].tolist(), name


def test_what_is_there_is_not_copied():
    adjacency = Adjacency.from_edges(torch.tensor([0, 1]), torch.tensor([1, 1]), 2, 2)
    cpu = torch.device("cpu")
    assert adjacency.to(cpu) is adjacency
    assert moved(adjacency.sources, cpu) is adjacency.sources
    data = prepared("sage")[1]
    there = data.whole.to(cpu)
    assert there.blocks[0] is data.whole.blocks[0]
    assert there.inputs.features == data.whole.inputs.features


class Copies(TorchDispatchMode):
    """Bytes of each copy from one device to another; any other operation on tensors of several is an error."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        every = [one for one in tree_leaves((args, kwargs or {}, made)) if isinstance(one, torch.Tensor) and one.ndim]
        if len({one.device for one in every}) > 1:
            assert func in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default), func
            self.sizes.append(every[0].nbytes)
        return made


LINKS = ("Links", {"relation": str(FOLLOWS)})
LABELS = ("Categories", {"field": "category"})


def prepared(layer, mode="full", tasks=(LINKS, LABELS), split=SPLIT, **more):
    model = ModelSettings(width=8, layer=layer, batches=BatchSettings(mode=mode, size=16), **more)
    tasks = [registry.create("task", Component(class_path=name, init_args=given)) for name, given in tasks]
    torch.manual_seed(3)
    module = build(split.visible, [head for task in tasks for head in task.heads(split, model)], model, seed=3)
    asked = (
        [one for task in tasks for one in getattr(task, f"asked_{what}")(split)] for what in ("links", "labels", "triples")
    )
    return module, GraphData(split.visible, Asked(*asked), model, 0.3, seed=3)


def moved_to(device, module):
    """Parameters and buffers."""
    named = [*module.named_parameters(), *module.named_buffers()]
    return {name: one.detach().to(device).requires_grad_(one.requires_grad) for name, one in named}


def step(module, data, whole, device, state):
    data.batches.move(whole)
    batch = next(iter(data.batches)).to(device)
    losses = torch.func.functional_call(module.train(), state, (batch,))
    return batch, sum(losses.values())


@pytest.mark.parametrize(("layer", "mode"), [*((one, "full") for one in registry.discover("layer")), ("sage", "steps")])
def test_a_step_waits_for_nothing_and_copies_only_what_is_asked(layer, mode):
    module, data = prepared(layer, mode)
    state, whole = moved_to(GPU, module), data.on(GPU)
    assert data.on(GPU) is whole
    with Copies() as counted:
        batch, loss = step(module, data, whole, GPU, state)
        loss.backward()
    assert loss.device == GPU
    assert batch.inputs.features == whole.inputs.features
    gradients = [one.grad for one in state.values() if one.grad is not None]
    assert len(gradients) >= 4 and all(one.device == GPU for one in gradients)
    links, labels = batch.links[str(FOLLOWS)], batch.labels["segment.category"]
    own = [*tensors(links), *tensors(labels), links.source]  # the last: as large as the ids of what leaves the messages
    assert sorted(counted.sizes) == sorted(one.nbytes for one in own)


def passes(case):
    module, data = prepared(**case)
    state, whole = moved_to(GPU, module), data.on(GPU)
    with Copies():
        step(module, data, whole, GPU, state)[1].backward()


FACTS = {"layer": "none", "mode": "steps", "split": facts()[1]}


@pytest.mark.parametrize(
    "case",
    [
        {"layer": "none", "mode": "steps"},
        {"layer": "light_gcn", "id_embedding": "all", "contrast": ContrastSettings(weight=0.5, noise=0.1)},
        {"layer": "sage", "tasks": [("Masked", {})]},
        {"layer": "sage", "tasks": [("GraphCategories", {"kind": "segment", "field": "category", "over": "video"})]},
        {"layer": "sage", "tasks": [(LABELS[0], {**LABELS[1], "methods": ["consistency"], "balance": "weights"})]},
        {"layer": "sage", "tasks": [(LINKS[0], {**LINKS[1], "negatives": "in_batch", "loss": "bce", "scorer": "mlp"})]},
        {**FACTS, "tasks": [("Facts", {"kind": "n", "regulariser": "n3"})]},
    ],
    ids=["no layer", "contrast", "masked", "wholes", "consistency", "in batch", "facts"],
)
def test_other_tasks_and_settings_wait_for_nothing(case):
    passes(case)


@pytest.mark.parametrize(
    ("case", "waits"),
    [
        ({"layer": "sage", "prune": 0.2}, "nonzero"),  # how many links it leaves of those that the step has left
        ({"layer": "sage", "tasks": [("Bootstrap", {})]}, "nonzero"),  # how many links each view has
        ({"layer": "sage", "tasks": [LINKS], "time": "position"}, "nonzero"),  # chains are walked until all have ended
        (
            {"layer": "sage", "tasks": [(LABELS[0], {**LABELS[1], "methods": ["self_training"]})]},
            "item",
        ),  # which answers are sure
        ({**FACTS, "tasks": [("Paths", {"kind": "n", "depth": 2, "width": 4})]}, "_unique2"),  # distinct questions and answers
    ],
    ids=["prune", "bootstrap", "position", "self-training", "paths"],
)
def test_these_look_into_their_data_in_every_step(case, waits):
    """By these operations; to be struck off when they no longer do."""
    with pytest.raises(RuntimeError, match=waits):
        passes(case)


@pytest.mark.parametrize("mixed", ["16-mixed", "bf16-mixed"])
def test_one_kernel_steps_all_parameters_on_a_gpu(mixed):
    module = prepared("sage")[0]
    assert module.configure_optimizers().defaults["fused"] is None
    with FakeTensorMode():
        groups = [{"params": [torch.empty(3, device=CUDA, requires_grad=True)], "lr": 0.1}]
        assert module._dense(groups).defaults["fused"]
        module._trainer = SimpleNamespace(precision="32-true")
        assert module._dense(groups).defaults["fused"]
        module._trainer = SimpleNamespace(precision=mixed)
        assert module._dense(groups).defaults["fused"] is None


@pytest.mark.parametrize("layer", ["sage", "gat", "light_gcn"])
def test_the_code_for_cuda_mixes_no_devices(monkeypatch, layer):
    """Forwards only: backwards torch asks the driver."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)  # pinned memory cannot be pretended
    module, data = prepared(layer)
    assert len([one.transposed for one in data.whole.blocks[0].relations.values()]) == 4  # found on the CPU, by looking
    assert not any(one.complete for one in data.whole.inputs.features.values())
    with FakeTensorMode(allow_non_fake_inputs=True):
        state, whole = moved_to(CUDA, module), data.on(CUDA)
        with Copies() as counted:
            loss = step(module, data, whole, CUDA, state)[1]
        assert loss.device == CUDA
        assert counted.sizes


@pytest.mark.parametrize("mode", ["full", "steps"])
def test_the_graph_is_moved_once_and_let_go(mode):
    data = prepared("sage", mode)[1]
    data.trainer = SimpleNamespace(current_epoch=0, lightning_module=None, strategy=SimpleNamespace(root_device=GPU))
    batches = [next(iter(data.train_dataloader())) for _ in range(2)]
    whole = next(iter(data.val_dataloader()))
    assert whole is data.on(GPU) and whole is not data.whole
    asked = batches[0].blocks[0].relations[FOLLOWS]
    assert asked.sources.device == asked.transposed.order.device == asked.ids.device == GPU
    for batch in batches:
        assert batch.inputs is whole.inputs
        assert batch.blocks[0].relations[CONTAINS] is whole.blocks[0].relations[CONTAINS]
    data.teardown("fit")
    assert next(iter(data.batches)).inputs is data.whole.inputs
    assert data.on(GPU) is not whole


def test_validation_ranks_where_the_scores_are():
    """Nothing is looked at before the ranks of all blocks are there."""
    links, facts_asked = (
        prepared(**case)[0].all_heads[0] for case in ({"layer": "sage"}, {**FACTS, "tasks": [("Facts", {"kind": "n"})]})
    )
    with pytest.MonkeyPatch.context() as patch, Copies() as counted:
        patch.setattr("mmgraph.tasks.ranking._mrr", lambda ranks: {"ranks": torch.cat(ranks)})
        found = links._ranking.figures(lambda queries, _: torch.empty(len(queries), 100, device=GPU))["ranks"]
        other = facts_asked._ranking.figures(lambda item, _: torch.empty(len(item), 12, device=GPU))["ranks"]
    assert found.device == other.device == GPU
    assert len(found) == 2 * len(SPLIT.links[FOLLOWS].valid)
    assert max(counted.sizes) <= 8 * len(found) * 3


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("mode", ["full", "steps"])
def test_a_gpu_finds_the_same_edges_and_pairs(mode):
    data = prepared("sage", mode)[1]
    here = list(data.batches)
    data.batches.move(data.on(CUDA))
    for one, other in zip(here, data.batches, strict=True):
        there = other.to(CUDA)
        for relation, adjacency in one.blocks[0].relations.items():
            for name, found in parts(there.blocks[0].relations[relation]).items():
                assert found.is_cuda
                assert torch.equal(found.cpu(), parts(adjacency)[name]), (relation, name)
        links, wanted = there.links[str(FOLLOWS)], one.links[str(FOLLOWS)]
        assert torch.equal(links.is_link.cpu(), wanted.is_link)
        assert torch.equal(links.is_link_source.cpu(), wanted.is_link_source)
