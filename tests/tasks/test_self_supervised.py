"""What is hidden is made up, what two views say agrees, and both learn what labels would have told."""

import numpy as np
import pytest
import torch
from graph_made import CONTAINS, FOLLOWS, made
from sklearn.linear_model import LogisticRegression

from mmgraph.errors import SettingsError
from mmgraph.model.data import GraphData
from mmgraph.model.train import build, train
from mmgraph.sample.asked import Asked
from mmgraph.settings import BatchSettings, ModelSettings
from mmgraph.split.contract import Split
from mmgraph.tasks.kinds.bootstrap import Bootstrap
from mmgraph.tasks.kinds.masked import Masked
from mmgraph.tasks.self_supervised import follow, scaled_cosine_error

GRAPH, _ = made(videos=24)
SPLIT = Split({}, {}, GRAPH)
MODEL = ModelSettings(width=16, dropout=0.1, modality_dropout=0.0, learning_rate=0.01, patience=100)
TASKS = [Masked(rate=0.4), Bootstrap(mask=0.2, drop=0.2, decay=0.9)]


def untrained(task, model=MODEL, seed=3):
    torch.manual_seed(seed)
    heads = task.heads(SPLIT, model)
    return build(GRAPH, heads, model, seed), GraphData(GRAPH, Asked(), model, 0.3, seed, whole_only=heads[0].always)


def fitted(task, folder, epochs, model=MODEL):
    module, data = untrained(task, model)
    return train(module, data, {"max_epochs": epochs, "accelerator": "cpu"}, folder, model)


def probe(rows, seeds=5):
    """Accuracy of a linear model on the embeddings, over halves of whole videos."""
    values, video = GRAPH.labels["segment", "category"].values, GRAPH.parent["segment"]
    found = []
    for seed in range(seeds):
        train_on = np.isin(video, np.random.default_rng(seed).permutation(24)[:12])
        model = LogisticRegression(max_iter=500).fit(rows[train_on], values[train_on])
        found.append((model.predict(rows[~train_on]) == values[~train_on]).mean())
    return float(np.mean(found))


@pytest.mark.parametrize("task", TASKS, ids=lambda one: type(one).__name__)
def test_it_trains_without_labels_and_embeds_what_labels_would_tell(task, tmp_path):
    trained = fitted(task, tmp_path / "checkpoints", 25)
    losses = [value for _, name, value in trained.curves if name == "train/loss"]
    assert len(losses) == 25
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    rows = trained.embeddings["segment"].numpy()
    assert rows.std(0).mean() > 0.01  # no collapse: not the same of all
    assert probe(rows) > 0.8


@pytest.mark.parametrize("task", TASKS, ids=lambda one: type(one).__name__)
def test_the_same_seed_gives_the_same_numbers_resumed_or_not(task, tmp_path):
    once = fitted(task, tmp_path / "one", 7)
    fitted(task, tmp_path / "two", 5)
    resumed = fitted(task, tmp_path / "two", 7)
    assert torch.equal(once.embeddings["segment"], resumed.embeddings["segment"])


def test_the_epoch_is_that_of_the_best_cosine_or_the_last(tmp_path):
    trained = fitted(Masked(), tmp_path / "a", 8)
    cosine = [(value, epoch) for epoch, name, value in trained.curves if name == "valid/masked/cosine"]
    assert len(cosine) == 8
    state = torch.load(tmp_path / "a" / "best.ckpt", weights_only=True)
    assert state["epoch"] == max(cosine)[1]
    fitted(Bootstrap(), tmp_path / "b", 6)
    assert torch.load(tmp_path / "b" / "best.ckpt", weights_only=True)["epoch"] == 5
    assert torch.load(tmp_path / "b" / "best-0.ckpt", weights_only=True)["epoch"] == 5


def test_scaled_cosine_error_is_as_in_the_paper():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 6, 4))
    cosine = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(one, two, strict=True)]
    error = scaled_cosine_error(torch.tensor(one), torch.tensor(two), 3.0)
    np.testing.assert_allclose(error.numpy(), [(1 - c) ** 3 for c in cosine])


def test_what_is_hidden_is_seen_nowhere():
    """The features of hidden items change nothing that is made of them; those of others do."""
    module, data = untrained(Masked(valid=0.3))
    module.eval()
    head = module.all_heads[0]
    held = head.held_0
    assert 0.1 < held.float().mean() < 0.5
    hidden = {"segment": held}
    before = head._made(module.network, data.whole, hidden)[0][0].detach()
    vectors = data.whole.inputs.features["segment", "image"].vectors
    kept = vectors.clone()
    vectors[held] = 77.0
    assert torch.equal(head._made(module.network, data.whole, hidden)[0][0], before)
    vectors.copy_(kept)
    vectors[~held] = 77.0
    assert not torch.equal(head._made(module.network, data.whole, hidden)[0][0], before)
    vectors.copy_(kept)


def test_items_held_out_are_never_made_up_in_training():
    module, data = untrained(Masked(valid=0.3, rate=0.9))
    head = module.all_heads[0]
    seen = []
    real = head._made
    head._made = lambda network, batch, hidden: seen.append(hidden["segment"]) or real(network, batch, hidden)
    for _ in range(5):
        head.step(module.network, data.whole, [])
    assert not (torch.stack(seen).any(0) & head.held_0).any()
    assert torch.stack(seen).any(0)[~head.held_0].float().mean() > 0.95
    head.figures(module.network, data.whole, {})
    assert torch.equal(seen[-1], head.held_0)


def test_the_slow_copy_is_the_running_mean_of_the_weights():
    module, _ = untrained(Bootstrap(decay=0.75))
    slow = module.all_heads[0].slow
    assert not any(p.requires_grad for p in slow.parameters())
    first = [p.detach().clone() for p in slow.parameters()]
    with torch.no_grad():
        for p in module.network.parameters():
            p.add_(1.0)
    follow(slow, module.network, 0.75)
    for before, mine in zip(first, slow.parameters(), strict=True):
        torch.testing.assert_close(mine.detach(), before + 0.25)


def test_a_view_hides_components_of_all_items_and_links_with_their_reverses():
    module, data = untrained(Bootstrap(mask=0.5, drop=0.5))
    torch.manual_seed(1)
    view = module.all_heads[0]._view(data.whole)
    vectors, plain = (b.inputs.features["segment", "image"].vectors for b in (view, data.whole))
    hidden = (vectors != plain).any(0)
    assert 0 < hidden.sum() < 8
    present = GRAPH.features["segment", "image"].present
    np.testing.assert_allclose(vectors[:, hidden].std(0).numpy(), 0, atol=1e-6)
    np.testing.assert_allclose(vectors[0, hidden], plain[torch.from_numpy(present)].mean(0)[hidden], atol=1e-5)
    assert torch.equal(vectors[:, ~hidden], plain[:, ~hidden])
    assert view.blocks[0] is view.blocks[1]
    for relation in (FOLLOWS, CONTAINS):
        there, back = view.blocks[0].relations[relation], view.blocks[0].relations[relation.reverse]
        assert set(there.ids.tolist()) == set(back.ids.tolist())
        assert 0.2 < len(there.ids) / len(GRAPH.edges[relation]) < 0.8
        edges = GRAPH.edges[relation]
        pairs = set(zip(there.sources.tolist(), there.targets.tolist(), strict=True))
        assert pairs == {(int(edges.source[i]), int(edges.target[i])) for i in there.ids}


def test_bad_settings_are_one_line():
    with pytest.raises(SettingsError, match="the task Masked needs kinds with features; given: video; there are: segment"):
        Masked(kinds=["video"]).heads(SPLIT, MODEL)
    with pytest.raises(SettingsError, match="the task Masked needs message passing; given: model.layer: none"):
        Masked().heads(SPLIT, ModelSettings(layer="none"))
    with pytest.raises(SettingsError, match="Masked hides a share of the items; given: rate 1.0"):
        Masked(rate=1.0)
    with pytest.raises(SettingsError, match="Bootstrap takes shares; given: mask 0.3, drop 1.5, decay 0.99"):
        Bootstrap(drop=1.5)
    model = ModelSettings(batches=BatchSettings(mode="neighbours"))
    with pytest.raises(SettingsError, match="need the whole graph; given: model.batches.mode: neighbours"):
        GraphData(GRAPH, Asked(), model, 0.3, 1, whole_only=True)
