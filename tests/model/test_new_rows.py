"""Items that training has not seen: their rows, and what message passing makes of them."""

import copy

import numpy as np
import torch

from mmgraph.graph.contract import Edges, Graph
from mmgraph.graph.grown import grown
from mmgraph.model.contract import named
from mmgraph.model.network import Network
from mmgraph.model.new_rows import fill_rows
from mmgraph.sample.full import whole_batch
from mmgraph.settings import ModelSettings
from mmgraph.types import Relation

PLAYS, FRIENDS = Relation("user", "plays", "item"), Relation("user", "friend_of", "user")
SETTINGS = ModelSettings(width=6, layer="light_gcn", depth=2)


def made():
    rng = np.random.default_rng(0)
    plays = np.unique(rng.integers((8, 12), size=(40, 2)), axis=0)
    ids = {kind: np.array([f"{kind}{i}" for i in range(count)], object) for kind, count in (("user", 8), ("item", 12))}
    return Graph(ids, {PLAYS: Edges(PLAYS, plays[:, 0], plays[:, 1])})


def network(graph, seed=0):
    torch.manual_seed(seed)
    relations = [r for one in (PLAYS, FRIENDS) for r in (one, one.reverse)]
    return Network(graph, relations, SETTINGS).eval()


def rows_of(one, kind):
    return one.inputs.kinds[named(kind)].ids.weight.detach().clone()


def grown_network(graph, more):
    """As ``begin`` leaves it: the old rows, and fresh ones behind them."""
    old, new = network(graph), network(more, seed=1)
    for kind in graph.ids:
        new.inputs.kinds[named(kind)].ids.weight.data[: graph.count(kind)] = rows_of(old, kind)
    return old, new


def test_a_new_row_is_the_mean_of_the_neighbours_as_long_as_the_rows_of_its_kind():
    graph = made()
    links = [
        Edges(PLAYS, np.array([8, 8, 9]), np.array([2, 5, 12])),  # of user 9 only a new item is known
        Edges(FRIENDS, np.array([8]), np.array([3])),
    ]
    more = grown(graph, {"user": ["new", "newer", "alone"], "item": ["record"]}, links)
    old, new = grown_network(graph, more)
    fill_rows(new, more, {"user": 8, "item": 12})
    users, items = rows_of(old, "user"), rows_of(old, "item")
    torch.testing.assert_close(rows_of(new, "user")[:8], users)
    torch.testing.assert_close(rows_of(new, "item")[:12], items)
    mean = items[2] + items[5] + users[3]
    torch.testing.assert_close(rows_of(new, "user")[8], mean / mean.norm() * users.norm(dim=1).mean())
    for row, kind in ((9, users), (10, users)):  # nobody whom training has seen: the mean of the kind
        torch.testing.assert_close(rows_of(new, "user")[row], kind.mean(0))
    torch.testing.assert_close(rows_of(new, "item")[12], items.mean(0))


def test_what_reaches_a_newcomer_by_two_links_is_heard():
    graph = made()
    links = [Edges(PLAYS, np.array([8, 9, 9]), np.array([12, 12, 4]))]
    more = grown(graph, {"user": ["far", "near"], "item": ["record"]}, links)
    old, new = grown_network(graph, more)
    fill_rows(new, more, {"user": 8, "item": 12})
    items, users = rows_of(old, "item"), rows_of(old, "user")
    near = items[4] / items[4].norm() * users.norm(dim=1).mean()
    torch.testing.assert_close(rows_of(new, "user")[9], near)
    torch.testing.assert_close(rows_of(new, "user")[8], near)


def test_messages_reach_a_new_user_as_the_layer_says():
    graph = made()
    liked = np.array([1, 4, 7])
    more = grown(graph, {"user": ["new"]}, [Edges(PLAYS, np.full(3, 8), liked)])
    _, new = grown_network(graph, more)
    fill_rows(new, more, {"user": 8, "item": 12})
    with torch.no_grad():
        found = new(whole_batch(more, 2))["user"][8].double().numpy()
    links = np.zeros((9, 12))
    links[more.edges[PLAYS].source, more.edges[PLAYS].target] = 1.0
    scale = links / np.sqrt(np.maximum(links.sum(1), 1))[:, None] / np.sqrt(np.maximum(links.sum(0), 1))
    user, item = rows_of(new, "user").double().numpy(), rows_of(new, "item").double().numpy()
    nothing = {kind: new.inputs.kinds[named(kind)].nothing.detach().double().numpy() for kind in ("user", "item")}
    user, item = user + nothing["user"], item + nothing["item"]
    once = scale @ item, scale.T @ user
    np.testing.assert_allclose(found, np.mean([user[8], once[0][8], (scale @ once[1])[8]], 0), atol=1e-6)


def test_kinds_without_a_table_of_ids_stay_as_they_are():
    graph, settings = made(), ModelSettings(width=6, id_embedding="none")
    one = Network(graph, [PLAYS, PLAYS.reverse], settings)
    before = copy.deepcopy(one.state_dict())
    fill_rows(one, graph, {"user": 8, "item": 12})
    assert all(torch.equal(value, before[name]) for name, value in one.state_dict().items())
