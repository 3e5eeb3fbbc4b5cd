"""Every layer equals a computation edge by edge, and DGL's or PyTorch's own layer where there is one."""

import math

import pytest
import torch
from graph_made import made as made_graph

from mmgraph import registry
from mmgraph.errors import SettingsError
from mmgraph.graph.dgl import load_dgl
from mmgraph.model.messages import joint_softmax, symmetric_sum
from mmgraph.model.network import Network
from mmgraph.sample.adjacency import Adjacency
from mmgraph.sample.batch import Block
from mmgraph.sample.full import whole_batch
from mmgraph.settings import Component, ModelSettings
from mmgraph.types import Relation

LIKES, KNOWS = Relation("a", "likes", "b"), Relation("b", "knows", "b")
RELATIONS = [LIKES, LIKES.reverse, KNOWS, KNOWS.reverse]
KINDS = ["a", "b"]
WIDTH = 4


@pytest.fixture
def edges():
    """Relation -> list of (source, target); a repeated edge, an isolated a and an isolated b among them."""
    likes = [(0, 0), (0, 1), (1, 1), (2, 1), (2, 1)]
    knows = [(0, 1), (1, 0), (1, 2)]
    return {
        LIKES: likes,
        LIKES.reverse: [(t, s) for s, t in likes],
        KNOWS: knows,
        KNOWS.reverse: [(t, s) for s, t in knows],
    }


COUNTS = {"a": 4, "b": 5}


def block_of(edges):
    def adjacency(relation):
        source, target = (torch.tensor([e[i] for e in edges[relation]], dtype=torch.long) for i in (0, 1))
        return Adjacency.from_edges(source, target, COUNTS[relation.source], COUNTS[relation.target])

    return Block(COUNTS, {relation: adjacency(relation) for relation in edges})


def made_rows():
    generator = torch.Generator().manual_seed(1)
    return {kind: torch.randn(n, WIDTH, generator=generator, requires_grad=True) for kind, n in COUNTS.items()}


def layer(name, **arguments):
    torch.manual_seed(0)
    return registry.create("layer", Component(class_path=name, init_args=arguments), RELATIONS, KINDS, WIDTH)


def into(edges, kind, target):
    """(relation, source) of every edge into one item."""
    return [(r, s) for r, pairs in edges.items() if r.target == kind for s, t in pairs if t == target]


def degree(edges, relation, item, side):
    return sum(pair[side] == item for pair in edges[relation])


def slow_gcn(made, rows, edges, kind, item):
    out = made.itself[f"<{kind}>"](rows[kind][item])
    scale = sum(r.target == kind for r in RELATIONS) ** -0.5
    for r, s in into(edges, kind, item):
        norm = degree(edges, r, item, 1)
        if made.norm == "symmetric":
            norm = math.sqrt(norm * degree(edges, r, s, 0))
        out = out + scale * made.neighbours[f"<{r}>"](rows[r.source][s]) / norm
    return out


def slow_light_gcn(made, rows, edges, kind, item):
    out = torch.zeros(WIDTH)
    for r, s in into(edges, kind, item):
        out = out + rows[r.source][s] / math.sqrt(degree(edges, r, item, 1) * degree(edges, r, s, 0))
    return out


def slow_smoothed(made, rows, edges, kind, item):
    """Kipf's matrix with loops, entry by entry, over all relations together."""

    def every(one, place):
        return 1 + sum(r.target == one and target == place for r, pairs in edges.items() for _, target in pairs)

    out = rows[kind][item] / every(kind, item)
    for r, s in into(edges, kind, item):
        out = out + rows[r.source][s] / math.sqrt(every(kind, item) * every(r.source, s))
    return out


def slow_shared_gcn(made, rows, edges, kind, item):
    return made.itself[f"<{kind}>"](slow_smoothed(made, rows, edges, kind, item))


def slow_rgcn(made, rows, edges, kind, item):
    out = made.itself[f"<{kind}>"](rows[kind][item])
    for r, s in into(edges, kind, item):
        weight = sum(a * v for a, v in zip(made.share[made.number[r]], made.basis, strict=True))
        out = out + rows[r.source][s] @ weight / degree(edges, r, item, 1)
    return out


def slow_comp_gcn(made, rows, edges, kind, item):
    def compose(h, z):
        if made.compose == "subtract":
            return h - z
        if made.compose == "multiply":
            return h * z
        return torch.stack([sum(h[i] * z[(i + k) % WIDTH] for i in range(WIDTH)) for k in range(WIDTH)])

    out = made.itself(compose(rows[kind][item], made.relation[-1]))
    for r, s in into(edges, kind, item):
        way = "reverse" if r.name.startswith("rev_") else "stated"
        heard = compose(rows[r.source][s], made.relation[made.number[r]])
        out = out + made.maps[way](heard) / degree(edges, r, item, 1)
    return out


def slow_hgt(made, rows, edges, kind, item):
    query = made.query[f"<{kind}>"](rows[kind][item]).view(made.heads, -1)
    logits, values = [], []
    for r, s in into(edges, kind, item):
        key = made.key[f"<{r.source}>"](rows[r.source][s]).view(made.heads, -1)
        value = made.value[f"<{r.source}>"](rows[r.source][s]).view(made.heads, -1)
        n = made.number[r]
        key = torch.stack([key[h] @ made.of_key[n, h] for h in range(made.heads)])
        values.append(torch.stack([value[h] @ made.of_value[n, h] for h in range(made.heads)]))
        logits.append((key * query).sum(-1) * made.prior[n] / math.sqrt(made.size))
    heard = torch.zeros(WIDTH)
    if logits:
        weight = torch.softmax(torch.stack(logits), 0)
        heard = (weight[..., None] * torch.stack(values)).sum(0).flatten()
    return made.out[f"<{kind}>"](torch.nn.functional.gelu(heard))


def slow_gat_v2(made, rows, edges, kind, item):
    out = made.itself[f"<{kind}>"](rows[kind][item])
    scale = sum(r.target == kind for r in RELATIONS) ** -0.5
    for r in {r for r, _ in into(edges, kind, item)}:
        attention = made.attention[f"<{r}>"]
        seen = attention.of_target(rows[kind][item]).view(attention.heads, -1)
        heard = [
            attention.of_source(rows[r.source][s]).view(attention.heads, -1) for q, s in into(edges, kind, item) if q == r
        ]
        act = [torch.nn.functional.leaky_relu(h + seen, attention.slope) for h in heard]
        weight = torch.softmax(torch.stack([(a * attention.attend).sum(-1) for a in act]), 0)
        out = out + scale * (weight[..., None] * torch.stack(heard)).sum(0).flatten()
    return out


def slow_light_gcn_pp(made, rows, edges, kind, item):
    out = torch.zeros(WIDTH)
    for r, s in into(edges, kind, item):
        unit = rows[r.source][s] / rows[r.source][s].norm()
        out = out + unit / degree(edges, r, item, 1) ** made.alpha / degree(edges, r, s, 0) ** made.beta
    return out


def slow_kgat(made, rows, edges, kind, item):
    def map_of(r):
        return made.of_relation[made.number[r]]

    own, heard = rows[kind][item], torch.zeros(WIDTH)
    pairs = into(edges, kind, item)
    if pairs:
        logits = [
            (map_of(r) @ rows[r.source][s]) @ torch.tanh(map_of(r) @ own + made.relation[made.number[r]]) for r, s in pairs
        ]
        weights = torch.softmax(torch.stack(logits), 0)
        heard = sum(w * rows[r.source][s] for w, (r, s) in zip(weights, pairs, strict=True))
    active = torch.nn.functional.leaky_relu
    return active(made.both(own + heard), made.slope) + active(made.alike(own * heard), made.slope)


CASES = [
    ("gcn", {}, slow_gcn),
    ("gcn", {"norm": "mean"}, slow_gcn),
    ("gcn", {"maps": "shared"}, slow_shared_gcn),
    ("light_gcn", {}, slow_light_gcn),
    ("light_gcn_pp", {}, slow_light_gcn_pp),
    ("light_gcn_pp", {"alpha": 0.3, "beta": 1.2}, slow_light_gcn_pp),
    ("kgat", {}, slow_kgat),
    ("sgc", {}, slow_smoothed),
    ("appnp", {}, slow_smoothed),
    ("grand", {}, slow_smoothed),
    ("rgcn", {}, slow_rgcn),
    ("rgcn", {"bases": 2}, slow_rgcn),
    ("comp_gcn", {"compose": "subtract"}, slow_comp_gcn),
    ("comp_gcn", {"compose": "multiply"}, slow_comp_gcn),
    ("comp_gcn", {"compose": "correlate"}, slow_comp_gcn),
    ("hgt", {"heads": 2}, slow_hgt),
    ("gat_v2", {"heads": 2}, slow_gat_v2),
]


def test_all_layers_are_looked_at():
    """Sage and gat are compared with DGL's in test_messages."""
    assert set(registry.discover("layer")) == {name for name, _, _ in CASES} | {"sage", "gat"}


@pytest.mark.parametrize(("name", "arguments", "slow"), CASES)
def test_layer_is_its_formula_forward_and_gradient(edges, name, arguments, slow):
    made, rows, block = layer(name, **arguments), made_rows(), block_of(edges)
    out = made(rows, block)
    assert list(out) == KINDS
    expected = {kind: torch.stack([slow(made, rows, edges, kind, i) for i in range(n)]) for kind, n in COUNTS.items()}
    inputs = [*rows.values(), *(p for p in made.parameters() if p.requires_grad)]
    weight = torch.randn(9, WIDTH, generator=torch.Generator().manual_seed(5))
    gradients = []
    for found in (out, expected):
        joined = torch.cat([found[kind] for kind in KINDS])
        gradients.append(torch.autograd.grad((joined * weight).sum(), inputs, allow_unused=True))
    for kind in KINDS:
        torch.testing.assert_close(out[kind], expected[kind], atol=1e-5, rtol=1e-5)
    for mine, his in zip(*gradients, strict=True):
        none = torch.zeros(())
        torch.testing.assert_close(none if mine is None else mine, none if his is None else his, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", registry.discover("layer"))
def test_no_edges_and_targets_fewer_than_sources(name):
    made, rows = layer(name), made_rows()
    empty = torch.zeros(0, dtype=torch.long)
    block = Block({"a": 1, "b": 2}, {LIKES: Adjacency.from_edges(empty, empty, COUNTS["a"], 2)})
    out = made(rows, block)
    assert {kind: len(x) for kind, x in out.items()} == {"a": 1, "b": 2}
    assert all(torch.isfinite(x).all() for x in out.values())


def test_gcn_is_dgls(edges):
    block, rows = block_of(edges), made_rows()
    made = layer("gcn")
    dgl = load_dgl()
    source, target = (torch.tensor([e[i] for e in edges[LIKES]]) for i in (0, 1))
    graph = dgl.heterograph({tuple(LIKES): (source, target)}, num_nodes_dict=COUNTS)
    theirs = dgl.nn.GraphConv(WIDTH, WIDTH, norm="both", bias=False, allow_zero_in_degree=True)
    theirs.weight.data.copy_(made.neighbours[f"<{LIKES}>"].weight.T)
    ours = made.neighbours[f"<{LIKES}>"](symmetric_sum(block.relations[LIKES], rows["a"]))
    torch.testing.assert_close(ours, theirs(graph, (rows["a"], rows["b"])), atol=1e-5, rtol=1e-5)


def test_gat_v2_is_dgls(edges):
    made, rows, block = layer("gat_v2", heads=2), made_rows(), block_of(edges)
    attention = made.attention[f"<{LIKES}>"]
    dgl = load_dgl()
    source, target = (torch.tensor([e[i] for e in edges[LIKES]]) for i in (0, 1))
    graph = dgl.heterograph({tuple(LIKES): (source, target)}, num_nodes_dict=COUNTS)
    theirs = dgl.nn.GATv2Conv(WIDTH, WIDTH // 2, 2, bias=False, allow_zero_in_degree=True)
    theirs.fc_src.weight.data.copy_(attention.of_source.weight)
    theirs.fc_dst.weight.data.copy_(attention.of_target.weight)
    theirs.attn.data.copy_(attention.attend[None])
    expected = theirs(graph, (rows["a"], rows["b"])).flatten(1)
    torch.testing.assert_close(attention(block.relations[LIKES], rows["a"], rows["b"]), expected, atol=1e-5, rtol=1e-5)


def test_joint_softmax_sums_to_one_over_all_relations(edges):
    block = block_of(edges)
    relations = [LIKES, KNOWS, KNOWS.reverse]
    adjacencies = [block.relations[r] for r in relations]
    logits = [torch.randn(len(edges[r]), 2) * 50 for r in relations]
    weights = joint_softmax(adjacencies, logits)
    total = torch.zeros(COUNTS["b"], 2)
    for adjacency, weight in zip(adjacencies, weights, strict=True):
        total.index_add_(0, adjacency.targets, weight)
    torch.testing.assert_close(total, torch.tensor([1.0, 1, 1, 0, 0])[:, None].expand(-1, 2), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["light_gcn", "light_gcn_pp"])
def test_share_of_the_input_beside_the_mean_of_the_layers(name):
    graph, _ = made_graph(videos=3)
    relations = [r for one in graph.edges for r in (one, one.reverse)]
    of_layer = Component(class_path=name, init_args={"gamma": 0.3})
    network = Network(graph, relations, ModelSettings(width=WIDTH, depth=2, layer=of_layer, id_embedding="all"))
    batch = whole_batch(graph, 2)
    network.eval()
    first = network.inputs(batch.inputs)
    second = network.layers[0](first, batch.blocks[0])
    third = network.layers[1](second, batch.blocks[0])
    for kind, rows in network(batch).items():
        torch.testing.assert_close(rows, 0.3 * first[kind] + 0.7 * (second[kind] + third[kind]) / 2)
    with pytest.raises(SettingsError, match="model.layer.gamma is a share of the input's vector; given: 1.5; give a number"):
        layer(name, gamma=1.5)


@pytest.mark.parametrize("name", ["gat_v2", "hgt"])
def test_heads_that_do_not_divide_the_width_are_refused(name):
    with pytest.raises(SettingsError, match="heads must divide model.width; given: 3 heads, width 4"):
        layer(name, heads=3)


def test_shared_maps_have_the_symmetric_norm_alone():
    with pytest.raises(
        SettingsError, match="model.layer.norm must be symmetric where maps are shared; given: mean; leave it out"
    ):
        layer("gcn", maps="shared", norm="mean")
