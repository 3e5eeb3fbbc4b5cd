"""What is trained of an encoder starts as the encoder, learns with the graph, and is frozen when it is not asked for."""

import importlib.util
from dataclasses import replace

import lightning
import numpy as np
import pytest
import torch
from graph_made import FOLLOWS, made

from mmgraph import registry
from mmgraph.encode.memory import linear_maps
from mmgraph.encode.tuning import Activations
from mmgraph.errors import SettingsError
from mmgraph.graph.contract import Edges, Features, Graph, Labels
from mmgraph.media.clip import Words
from mmgraph.model.adapters import pieces
from mmgraph.model.adapters.adapter import Adapter
from mmgraph.model.adapters.last_blocks import LastBlocks
from mmgraph.model.adapters.lora import Lora
from mmgraph.model.adapters.make import check_installed
from mmgraph.model.data import GraphData
from mmgraph.model.inputs import GraphInput
from mmgraph.model.train import build, train
from mmgraph.sample.asked import Asked
from mmgraph.sample.batch import ModalityInput
from mmgraph.sample.full import whole_inputs
from mmgraph.settings import AdaptationSettings, AdaptSettings, BatchSettings, Component, ModelSettings
from mmgraph.split.contract import LabelSplit, Split
from mmgraph.types import Relation

NEXT = Relation("text", "beside", "text")
TOKENS = 12


@pytest.fixture(scope="module")
def minilm():
    encoder = registry.create("encoder", "minilm_wheel")
    encoder.load()
    return encoder


@pytest.fixture(scope="module")
def texts(minilm):
    """(split, activations' encoder): forty sentences in two classes that no single word tells; links at random."""
    rng = np.random.default_rng(0)
    who = ["the man", "a girl", "my uncle", "their boss", "one nurse"]
    calm, loud = ["hums", "rests", "reads", "waits"], ["yells", "fights", "storms", "raves"]
    said = [f"{who[i % 5]} {(loud if i % 2 else calm)[i // 2 % 4]} at {'night' if i % 3 else 'noon'}" for i in range(40)]
    clips = [Words(text) for text in said]
    lower = Activations.of(minilm, minilm.tunable(1, TOKENS), 1, 1, TOKENS)
    vectors, rows = minilm.encode(clips), lower.encode(clips)
    features = Features(vectors, np.ones(40, bool), minilm.card.key(), rows)
    ends = rng.permutation(40)
    labels = Labels("text", "mood", ("calm", "loud"), np.arange(40) % 2)
    graph = Graph(
        {"text": np.array([f"t{i}" for i in range(40)], object)},
        {NEXT: Edges(NEXT, ends[:20], ends[20:])},
        {("text", "text"): features},
        {("text", "mood"): labels},
    )
    shown = LabelSplit(labels, np.arange(8), np.arange(8, 24), np.arange(24, 40))
    return Split({}, {labels.target: shown}, graph)


def settings(method, **how):
    adapt = AdaptSettings(method=method, **how)
    model = {"width": 16, "depth": 1, "patience": 100, "dropout": 0.0, "modality_dropout": 0.0, "learning_rate": 3e-3}
    return ModelSettings(**model, adaptation=AdaptationSettings(text=adapt))


def run(folder, split, minilm, model, epochs=12, trainer=None):
    task = registry.create("task", Component(class_path="Categories", init_args={"field": "mood"}))
    torch.manual_seed(3)
    tops = {"text": minilm.tunable(model.adaptation.text.blocks, TOKENS).top}
    module = build(split.visible, task.heads(split, model), model, 3, tops)
    data = GraphData(split.visible, Asked(labels=task.asked_labels(split)), model, 0.3, seed=3)
    arguments = {"max_epochs": epochs, "accelerator": "cpu", **(trainer or {})}
    return train(module, data, arguments, folder / "checkpoints", model), module


def curve(trained, name):
    return [value for _, what, value in trained.curves if what == name]


LOSS, FIGURE = "train/text.mood", "valid/text.mood/accuracy"


@pytest.fixture(scope="module")
def trained(texts, minilm, tmp_path_factory):
    rates = {"frozen": {}, "adapter": {"rank": 32}, "last_blocks": {"learning_rate": 2e-4}, "lora": {"rank": 4}}
    return {
        method: run(tmp_path_factory.mktemp(method), texts, minilm, settings(method, **how)) for method, how in rates.items()
    }


@pytest.mark.parametrize("method", ["adapter", "last_blocks", "lora"])
def test_tuning_starts_as_frozen_and_then_fits_the_labels_better(trained, method):
    frozen, tuned = curve(trained["frozen"][0], LOSS), curve(trained[method][0], LOSS)
    assert tuned[0] == pytest.approx(frozen[0], abs=1e-5)
    assert tuned[-1] < frozen[-1]
    assert max(curve(trained[method][0], FIGURE)) >= max(curve(trained["frozen"][0], FIGURE))


def test_how_many_numbers_are_trained_is_said(trained, minilm):
    weights = sum(p.numel() for p in minilm.tunable(1, TOKENS).top.parameters())
    described = {method: module.network.inputs.described for method, (_, module) in trained.items()}
    assert described["frozen"] == {}
    expected = {"method": "last_blocks", "kinds": ["text"], "trained": weights, "learning_rate": 2e-4, "blocks": 1}
    assert described["last_blocks"] == {"text": expected}
    assert described["lora"]["text"]["trained"] == 4 * (4 * 768 + 2 * (384 + 1536))
    assert described["lora"]["text"]["rank"] == 4
    assert described["adapter"]["text"]["trained"] == 2 * 384 * 32 + 384 + 32
    assert described["adapter"]["text"]["learning_rate"] == "of the model"


def test_rates_are_apart_and_what_is_frozen_is_given_to_no_optimiser(trained):
    _, module = trained["lora"]
    groups = module.configure_optimizers().param_groups
    assert sorted({group["lr"] for group in groups}) == [1e-3, 3e-3]
    slow = sum(p.numel() for group in groups if group["lr"] == 1e-3 for p in group["params"])
    assert slow == module.network.inputs.described["text"]["trained"]


def test_what_lora_does_not_train_stays_and_the_rest_moves(trained, minilm):
    _, module = trained["lora"]
    before = minilm.tunable(1, TOKENS).top.state_dict()
    (adapted,) = module.network.inputs.adaptations().values()
    now = adapted.top.state_dict()
    for name, value in before.items():
        (same,) = [key for key in now if key.replace(".base_layer", "") == name]
        assert torch.equal(now[same], value), name
    assert any("lora_B" in key and value.abs().max() > 0 for key, value in now.items())


def test_the_tuned_weights_are_in_a_checkpoint_without_pickle(trained, texts, minilm, tmp_path):
    again, module = run(tmp_path, texts, minilm, settings("lora", rank=4), epochs=3)
    state = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    fresh, _ = run(tmp_path / "other", texts, minilm, settings("lora", rank=4), epochs=1)
    module.load_state_dict(state)
    assert any("lora_A" in name for name in state)
    assert curve(again, LOSS)[0] == curve(fresh, LOSS)[0] == curve(trained["lora"][0], LOSS)[0]  # the same seed


class Stop(lightning.Callback):
    """Dies in the middle, as a killed run does."""

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 6:
            raise RuntimeError("killed")


@pytest.mark.parametrize("method", ["last_blocks", "lora"])
def test_a_killed_run_resumes_to_the_same_numbers(trained, texts, minilm, tmp_path, monkeypatch, method):
    model = settings(method, **({"learning_rate": 2e-4} if method == "last_blocks" else {"rank": 4}))
    monkeypatch.setattr(registry, "import_and_build", lambda component: Stop())
    with pytest.raises(RuntimeError, match="killed"):
        run(tmp_path, texts, minilm, model, trainer={"callbacks": [{"class_path": "Stop"}]})
    resumed, _ = run(tmp_path, texts, minilm, model)
    whole, _ = trained[method]
    assert resumed.curves == whole.curves
    assert torch.equal(resumed.embeddings["text"], whole.embeddings["text"])


def test_neighbour_batches_tune_as_well(texts, minilm, tmp_path):
    model = settings("last_blocks", learning_rate=2e-4)
    sampled = replace_batches(model, BatchSettings(mode="neighbours", fanouts=(3,), size=4))
    trained, _ = run(tmp_path, texts, minilm, sampled, epochs=4)
    assert curve(trained, LOSS)[-1] < curve(trained, LOSS)[0]


def replace_batches(model, batches):
    import msgspec

    return msgspec.structs.replace(model, batches=batches)


def given(texts, present=None):
    features = texts.visible.features["text", "text"]
    there = torch.ones(40, dtype=torch.bool) if present is None else present
    return ModalityInput(torch.from_numpy(features.vectors), there, torch.from_numpy(features.activations))


def test_pieces_give_what_one_piece_gives_forwards_and_backwards(texts, minilm, monkeypatch):
    present = torch.arange(40) % 3 > 0
    one = LastBlocks(minilm.tunable(1, TOKENS).top).train()
    assert not one.top.training
    results = []
    for tokens, kept in ((10**6, 10**12), (20, 10**12), (20, 0)):  # at once; in pieces; in pieces that are computed again
        monkeypatch.setattr(pieces, "PIECE_TOKENS", tokens)
        monkeypatch.setattr(pieces, "KEPT_AT_MOST", kept)
        one.zero_grad()
        vectors = one(given(texts, present))
        (vectors**3).sum().backward()
        results.append((vectors.detach(), one.top.blocks[0].attention.self.query.weight.grad.clone()))
    assert not results[0][0][~present].any()
    np.testing.assert_allclose(results[0][0][present], given(texts).vectors[present], atol=1e-5)
    for vectors, gradient in results[1:]:
        torch.testing.assert_close(vectors, results[0][0])
        torch.testing.assert_close(gradient, results[0][1], atol=1e-5, rtol=1e-4)
    assert torch.equal(results[1][0], results[2][0])
    assert torch.equal(results[1][1], results[2][1])


def test_pieces_of_nothing(texts, minilm):
    one = LastBlocks(minilm.tunable(1, TOKENS).top)
    nobody = one(given(texts, torch.zeros(40, dtype=torch.bool)))
    assert nobody.shape == (40, 384)
    assert not nobody.any()
    empty = ModalityInput(torch.zeros(0, 384), torch.zeros(0, dtype=torch.bool), torch.zeros(0, 1 + TOKENS * 384))
    assert one(empty).shape == (0, 384)
    with pytest.raises(ValueError, match="needs activations"):
        one(ModalityInput(torch.zeros(1, 384), torch.ones(1, dtype=torch.bool)))


def test_an_adapter_is_the_formula_and_starts_as_the_identity():
    torch.manual_seed(0)
    vectors = torch.randn(5, 4) * torch.tensor([1.0, 10.0, 0.1, 0.0]) + 3
    mean, deviation = vectors.mean(0), vectors.std(0)
    one = Adapter(mean, deviation, 2, None)
    there = ModalityInput(vectors, torch.ones(5, dtype=torch.bool))
    assert torch.equal(one(there), vectors)
    torch.nn.init.normal_(one.up.weight)
    standard = torch.where(deviation > 1e-6, (vectors - mean) / deviation.clamp(min=1e-6), torch.zeros(4))
    hidden = torch.nn.functional.gelu(standard @ one.down.weight.T + one.down.bias)
    torch.testing.assert_close(one(there), vectors + deviation * (hidden @ one.up.weight.T + one.up.bias))
    assert torch.equal(one(there)[:, 3], vectors[:, 3])  # what never varies stays


def test_the_rest_of_the_model_starts_alike_whatever_the_method():
    graph, _ = made()
    model = ModelSettings(width=8)
    adapted = ModelSettings(width=8, adaptation=AdaptationSettings(image=AdaptSettings(method="adapter")))
    torch.manual_seed(1)
    frozen = build(graph, [], model, 1).state_dict()
    torch.manual_seed(1)
    tuned = build(graph, [], adapted, 1).state_dict()
    assert all(torch.equal(value, tuned[name]) for name, value in frozen.items())
    assert {name for name in tuned if name not in frozen} == {name for name in tuned if ".adapted." in name}
    assert len(tuned) > len(frozen)


def test_kinds_with_vectors_of_one_encoder_share_an_adapter_and_others_do_not():
    graph, _ = made()
    video = Features(np.ones((20, 8), np.float32), np.ones(20, bool), "given")
    other = Features(np.ones((20, 8), np.float32), np.ones(20, bool), "another")
    adapted = ModelSettings(width=8, adaptation=AdaptationSettings(image=AdaptSettings(method="adapter", rank=2)))
    both = replace(graph, features={**graph.features, ("video", "image"): video})
    shared = GraphInput(both, adapted)
    assert len(shared.adaptations()) == 1
    assert shared.described["image"]["kinds"] == ["segment", "video"]
    apart = GraphInput(replace(graph, features={**graph.features, ("video", "image"): other}), adapted)
    assert len(apart.adaptations()) == 2
    assert shared(whole_inputs(both))["segment"].shape == (100, 8)


def test_a_modality_that_nobody_has_is_warned_of(caplog):
    graph, _ = made()
    model = ModelSettings(width=8, adaptation=AdaptationSettings(audio=AdaptSettings(method="last_blocks")))
    assert not GraphInput(graph, model).adaptations()
    assert "model.adaptation.audio: no item has vectors" in caplog.text


def test_vectors_without_their_encoder_cannot_be_tuned():
    graph, split = made()
    model = ModelSettings(width=8, adaptation=AdaptationSettings(image=AdaptSettings(method="lora")))
    with pytest.raises(
        SettingsError, match="model.adaptation.image: lora needs the encoder.*given: given; use method: adapter"
    ):
        build(graph, [], model, 1)
    assert FOLLOWS in split.links


def test_lora_needs_linear_maps(minilm):
    top = minilm.tunable(1, TOKENS).top
    assert len(linear_maps(top)) == 6
    top.blocks = torch.nn.ModuleList([torch.nn.LayerNorm(384)])
    with pytest.raises(SettingsError, match="no linear map.*last_blocks"):
        Lora(top, 4)


def test_lora_without_peft_is_one_line(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    check_installed(AdaptationSettings(text=AdaptSettings(method="adapter")))
    with pytest.raises(
        SettingsError, match=r"model.adaptation.text: lora needs the package peft; pip install 'mmgraph\[adapt\]'"
    ):
        check_installed(AdaptationSettings(text=AdaptSettings(method="lora")))
