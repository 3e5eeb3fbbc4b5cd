"""Missing modalities are masked, fusion is a mean over what is there, and the last modality is never dropped."""

import numpy as np
import pytest
import torch

from mmgraph.graph.contract import Features, Graph
from mmgraph.model.inputs import GraphInput
from mmgraph.model.moments import Moments
from mmgraph.sample.full import whole_inputs
from mmgraph.settings import ModelSettings

COUNT = 6
IMAGE = np.array([1, 1, 1, 0, 0, 1], bool)
AUDIO = np.array([1, 1, 0, 1, 0, 1], bool)


def graph(image=IMAGE, audio=AUDIO, filler=0.0):
    rng = np.random.default_rng(0)
    made = {}
    for modality, present, width in (("image", image, 4), ("audio", audio, 3)):
        vectors = rng.normal(size=(COUNT, width)).astype(np.float32)
        vectors[~present] = filler
        made["segment", modality] = Features(vectors, present)
    ids = {"segment": np.array([f"s{i}" for i in range(COUNT)]), "user": np.array(["u0", "u1"])}
    return Graph(ids, {}, made)


def rows(made, training=False, **settings):
    torch.manual_seed(0)
    network = GraphInput(made, ModelSettings(width=8, **settings)).train(training)
    torch.manual_seed(1)
    return network(whole_inputs(made))["segment"], network


@pytest.mark.parametrize("fusion", ["gated", "mean"])
def test_what_stands_in_a_missing_row_does_not_matter(fusion):
    zero, _ = rows(graph(), fusion=fusion)
    filled, _ = rows(graph(filler=7.0), fusion=fusion)
    torch.testing.assert_close(zero, filled)


def test_mean_fusion_is_the_mean_of_the_modalities_that_are_there():
    fused, network = rows(graph(), fusion="mean")
    kind, inputs = network.kinds["<segment>"], whole_inputs(graph())
    each = {m: kind.modalities[f"<{m}>"](inputs.features["segment", m]) for m in ("image", "audio")}
    for i in range(COUNT):
        there = [each[m][i] for m, present in (("image", IMAGE), ("audio", AUDIO)) if present[i]]
        expected = torch.stack(there).mean(0) if there else kind.nothing
        torch.testing.assert_close(fused[i], expected)


def test_gates_weigh_the_modalities_and_sum_to_one():
    fused, network = rows(graph())
    kind, inputs = network.kinds["<segment>"], whole_inputs(graph())
    image, audio = (kind.modalities[f"<{m}>"](inputs.features["segment", m])[0] for m in ("image", "audio"))
    gates = torch.cat([kind.gates[f"<{m}>"](torch.tanh(x)) for m, x in (("image", image), ("audio", audio))])
    weight = torch.softmax(gates, 0)
    torch.testing.assert_close(fused[0], weight[0] * image + weight[1] * audio)
    torch.testing.assert_close(fused[2], kind.modalities["<image>"](inputs.features["segment", "image"])[2])


def test_modality_dropout_drops_some_but_never_the_last_and_only_in_training():
    calm, network = rows(graph(), modality_dropout=0.9, dropout=0.0)
    kind = network.kinds["<segment>"].train()
    present = torch.tensor(np.stack([IMAGE, AUDIO], 1))
    torch.manual_seed(0)
    kept = torch.stack([kind._kept(present) for _ in range(50)])
    assert not (kept & ~present).any(), "nothing appears"
    assert (kept.any(2) == present.any(1)).all(), "an item keeps at least one"
    alone = (kept.sum(2)[:, [0, 1, 5]] == 1).float().mean()  # one of two dropped: 2 x 0.9 x 0.1; both are both kept
    assert 0.08 < alone < 0.3
    assert torch.equal(kind.eval()._kept(present), present)
    again, _ = rows(graph(), modality_dropout=0.0, dropout=0.0)
    torch.testing.assert_close(calm, again)


@pytest.mark.parametrize(("setting", "segment", "user"), [("auto", False, True), ("all", True, True), ("none", False, False)])
def test_ids_are_for_kinds_without_features(setting, segment, user):
    _, network = rows(graph(), id_embedding=setting)
    assert (network.kinds["<segment>"].ids is not None) == segment
    assert (network.kinds["<user>"].ids is not None) == user
    out = network(whole_inputs(graph()))["user"]
    assert torch.equal(out[0], out[1]) != user


def test_moments_are_of_the_rows_that_are_there():
    features = graph().features["segment", "audio"]
    moments = Moments.of(features)
    np.testing.assert_allclose(moments.mean.numpy(), features.vectors[AUDIO].mean(0), rtol=1e-5)
    np.testing.assert_allclose(moments.deviation.numpy(), features.vectors[AUDIO].std(0), rtol=1e-5)


def test_a_component_that_never_varies_is_left_out():
    made = graph()
    made.features["segment", "image"].vectors[:, 0] = 5.0
    fused, network = rows(made)
    assert network.kinds["<segment>"].modalities["<image>"].scale[0] == 0
    assert torch.isfinite(fused).all()


def test_a_modality_that_nobody_has_is_as_if_it_were_not_there():
    fused, network = rows(graph(audio=np.zeros(COUNT, bool)))
    assert network.kinds["<segment>"].names == ("image",)
    assert fused.shape == (COUNT, 8)


def words(filled=0.05):
    rng = np.random.default_rng(3)
    vectors = (rng.random((30, 40)) < filled).astype(np.float32) * rng.random((30, 40)).astype(np.float32)
    vectors[2] = 0
    present = rng.random(30) < 0.9
    return Graph({"paper": np.array([f"p{i}" for i in range(30)])}, {}, {("paper", "words"): Features(vectors, present)})


@pytest.mark.parametrize("filled", [0.05, 0.5], ids=["sparse", "dense"])
def test_rows_of_length_one_entry_by_entry_or_whole(filled):
    made, inputs = words(filled), whole_inputs(words(filled))
    given = inputs.features["paper", "words"]
    assert (given.entries is None) == (filled > 0.1)
    network = GraphInput(made, ModelSettings(width=8, scale="rows")).eval()
    project = network.kinds["<paper>"].modalities["<words>"].project
    found = network.kinds["<paper>"].modalities["<words>"](given)
    for item, vector in enumerate(made.features["paper", "words"].vectors):
        expected = project(torch.from_numpy(vector / max(np.linalg.norm(vector), 1e-12)))
        torch.testing.assert_close(found[item], expected, atol=1e-6, rtol=1e-5)
    (gradient,) = torch.autograd.grad(found.square().sum(), project.weight)
    whole = project(torch.nn.functional.normalize(given.vectors))
    torch.testing.assert_close(gradient, torch.autograd.grad(whole.square().sum(), project.weight)[0], atol=1e-4, rtol=1e-4)


def test_dropout_of_features_takes_entries_and_makes_up_for_them():
    made = words()
    network = GraphInput(made, ModelSettings(width=8, scale="rows", dropout=0.0, input_dropout=0.5)).train()
    part, given = network.kinds["<paper>"].modalities["<words>"], whole_inputs(made).features["paper", "words"]
    torch.manual_seed(0)
    drawn = torch.stack([part(given) for _ in range(3000)])
    assert drawn.std(0).max() > 0
    torch.testing.assert_close(drawn.mean(0), part.eval()(given), atol=2e-2, rtol=0)
