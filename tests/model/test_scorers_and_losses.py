"""Scorers compare pairs and whole matrices alike; losses equal their formulas computed one link at a time."""

import cmath
import math

import numpy as np
import pytest
import torch
from graph_made import FOLLOWS
from graph_made import made as made_graph

from mmgraph import registry
from mmgraph.errors import SettingsError
from mmgraph.model.contract import same_both_ways
from mmgraph.model.scorers.cosine import Cosine
from mmgraph.model.scorers.dot import Dot
from mmgraph.sample.batch import LogQ
from mmgraph.sample.full import link_batch
from mmgraph.settings import Component, ModelSettings
from mmgraph.tasks.heads import Compare
from mmgraph.tasks.kinds.links import Links
from mmgraph.tasks.kinds.paths import Paths


def scorer(name, width=6):
    torch.manual_seed(0)
    return registry.create("scorer", name, width)


MULTI = ["compl_ex", "dist_mult", "rescal", "rotat_e", "trans_e"]


def test_all_scorers_are_looked_at():
    assert set(registry.discover("scorer")) == {"dot", "cosine", "mlp", *MULTI}
    assert registry.find("scorer", "complex").name == "ComplEx"
    assert registry.find("scorer", "rotate").name == "RotatE"


def test_which_scorers_tell_a_relation_from_its_reverse():
    """What follows what needs one that does: the default of Links is one."""
    same = {name for name in registry.discover("scorer") if same_both_ways(scorer(name), 6)}
    assert same == {"dist_mult"}
    assert not same_both_ways(scorer(Links(relation="a/follows/a").scorer), 6)
    assert all(same_both_ways(scorer(Component(class_path=name, init_args={"heads": False})), 6) for name in ("dot", "cosine"))


def slow_score(made, name, h, r, t):
    """The score of one link, in words of the papers; h, t [width], r the number of the relation."""
    if name == "dist_mult":
        return sum(h[i] * made.relation[r, i] * t[i] for i in range(len(h)))
    if name == "rescal":
        return sum(h[i] * made.relation[r, i, j] * t[j] for i in range(len(h)) for j in range(len(h)))
    if name == "trans_e":
        return made.margin - sum(abs(h[i] + made.relation[r, i] - t[i]) for i in range(len(h)))
    half = len(h) // 2
    a = [complex(h[i], h[half + i]) for i in range(half)]
    b = [complex(t[i], t[half + i]) for i in range(half)]
    if name == "compl_ex":
        w = [complex(made.relation[r, i], made.relation[r, half + i]) for i in range(half)]
        return sum((x * z * y.conjugate()).real for x, z, y in zip(a, w, b, strict=True))
    w = [cmath.exp(1j * made.phase[r, i].item()) for i in range(half)]
    return made.margin - sum(abs(x * z - y) for x, z, y in zip(a, w, b, strict=True))


@pytest.mark.parametrize("name", MULTI)
def test_scorer_of_several_relations_is_its_formula_asked_from_both_sides(name):
    torch.manual_seed(0)
    made = registry.create("scorer", name, 6, 3)
    h, t, relation = torch.randn(4, 6), torch.randn(5, 6), torch.tensor([2, 0, 1, 0])
    with torch.no_grad():
        forward = made.matrix(made.source(h, relation), made.target(t))
        backward = made.matrix(made.inverse(h, relation), made.target(t))
        for i in range(4):
            for j in range(5):
                r = relation[i].item()
                assert forward[i, j].item() == pytest.approx(float(slow_score(made, name, h[i], r, t[j])), abs=1e-4)
                assert backward[i, j].item() == pytest.approx(float(slow_score(made, name, t[j], r, h[i])), abs=1e-4)


def test_trans_e_with_the_second_norm():
    made = registry.create("scorer", Component(class_path="trans_e", init_args={"norm": 2, "margin": 0.0}), 4)
    h, t = torch.randn(2, 4), torch.randn(2, 4)
    distance = (h + made.relation - t).square().sum(1).sqrt()
    torch.testing.assert_close(made.pairs(made.source(h), made.target(t)), -distance)


def test_cosine_is_the_angle():
    made = registry.create("scorer", Component(class_path="cosine", init_args={"heads": False, "temperature": 0.5}), 4)
    x, y = torch.randn(3, 4), torch.randn(3, 4)
    torch.testing.assert_close(made.pairs(made.source(x), made.target(y)), torch.cosine_similarity(x, y) / 0.5)


@pytest.mark.parametrize("name", ["dot", "cosine", "mlp"])
def test_scorers_of_one_relation_say_so(name):
    with pytest.raises(SettingsError, match=f"the scorer {name} is for one relation; given: 3 relations; choose complex"):
        registry.create("scorer", name, 6, 3)
    with pytest.raises(SettingsError, match="cannot be asked for sources without reciprocal relations; set reciprocal: true"):
        scorer(name).inverse(torch.zeros(1, 6), torch.zeros(1, dtype=torch.long))


@pytest.mark.parametrize("name", ["complex", "rotate"])
def test_complex_numbers_need_an_even_width(name):
    with pytest.raises(SettingsError, match=f"model.width does not suit the scorer {name}; given: 5; choose an even width"):
        registry.create("scorer", name, 5)


def test_regularisers_are_their_formulas():
    made = registry.create("scorer", "complex", 4, 2)
    h, t, relation = torch.randn(3, 4), torch.randn(3, 4), torch.tensor([1, 0, 1])
    factors = made.factors(h, relation, t)
    numbers = [abs(complex(v[i], v[2 + i])) for rows in (h, made.relation[relation].detach(), t) for v in rows for i in (0, 1)]
    n3 = registry.create("regulariser", Component(class_path="n3", init_args={"weight": 0.1}))
    assert n3(factors).item() == pytest.approx(0.1 * sum(x**3 for x in numbers) / 3, rel=1e-4)
    l2 = registry.create("regulariser", Component(class_path="l2", init_args={"weight": 0.1}))
    assert l2(factors).item() == pytest.approx(0.1 * sum(x**2 for x in numbers) / 3, rel=1e-4)
    assert set(registry.discover("regulariser")) == {"n3", "l2"}


@pytest.mark.parametrize("name", registry.discover("scorer"))
@pytest.mark.parametrize(("n", "m"), [(0, 3), (1, 1), (4, 0), (5, 7)])
def test_matrix_is_all_pairs(name, n, m):
    made, source, target = scorer(name), torch.randn(n, 6), torch.randn(m, 6)
    a, b = made.source(source), made.target(target)
    matrix = made.matrix(a, b)
    assert matrix.shape == (n, m)
    for i in range(n):
        for j in range(m):
            torch.testing.assert_close(matrix[i, j], made.pairs(a[i : i + 1], b[j : j + 1])[0], atol=1e-5, rtol=1e-5)


def test_dot_tells_direction_and_dist_mult_does_not():
    x, y = torch.randn(1, 6), torch.randn(1, 6)

    def both(name):
        made = scorer(name)
        return (made.pairs(made.source(p), made.target(q)).item() for p, q in ((x, y), (y, x)))

    forward, backward = both("dot")
    assert abs(forward - backward) > 1e-3
    forward, backward = both("dist_mult")
    assert forward == pytest.approx(backward, abs=1e-6)


def test_plain_dot_is_the_inner_product():
    made = registry.create("scorer", Component(class_path="dot", init_args={"heads": False}), 4)
    x, y = torch.randn(3, 4), torch.randn(3, 4)
    torch.testing.assert_close(made.pairs(made.source(x), made.target(y)), (x * y).sum(1) / 2)


@pytest.mark.parametrize("name", ["dot", "cosine", "mlp"])
def test_scorer_of_one_relation_is_its_formula(name):
    made = scorer(name, 4)
    h, t = torch.randn(4), torch.randn(4)
    if name == "mlp":
        hidden = made.of_source(h) + made.of_target(t) + made.of_product(h * t)
        expected = sum(w * max(0.0, x) for w, x in zip(made.out.weight[0].tolist(), hidden.tolist(), strict=True))
        expected += made.out.bias.item()
    else:
        a, b = (made.of_source.weight @ h).tolist(), (made.of_target.weight @ t).tolist()
        inner = sum(x * y for x, y in zip(a, b, strict=True))
        length = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(y * y for y in b))
        expected = inner / 2 if name == "dot" else inner / length / 0.07
    assert made.pairs(made.source(h[None]), made.target(t[None])).item() == pytest.approx(expected, rel=1e-4)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def slow(name, positive, negatives):
    """The loss of one link, in words of the papers."""
    if name == "bce":
        first = -math.log(sigmoid(positive))
        return first + (sum(-math.log(sigmoid(-n)) for n in negatives) / len(negatives) if negatives else 0)
    if name == "bpr":
        return sum(-math.log(sigmoid(positive - n)) for n in negatives) / len(negatives) if negatives else 0
    if name == "margin":
        return sum(max(0, 1 - positive + n) for n in negatives) / len(negatives) if negatives else 0
    if name == "self_adversarial":
        total = sum(math.exp(n) for n in negatives)
        return -math.log(sigmoid(positive)) - sum(math.exp(n) / total * math.log(sigmoid(-n)) for n in negatives)
    if name == "cosine_contrastive":
        return 1 - positive + (150 * sum(max(0, n - 0.8) for n in negatives) / len(negatives) if negatives else 0)
    if name == "direct_au":
        return 2 - 2 * positive
    return -math.log(math.exp(positive) / sum(math.exp(s) for s in [positive, *negatives]))


def test_all_losses_are_looked_at():
    known = {"bce", "bpr", "info_nce", "margin", "self_adversarial", "cross_entropy", "cosine_contrastive", "direct_au"}
    assert set(registry.discover("loss")) == known


def test_smoothed_labels_are_spread_over_all_candidates():
    positive, negative = torch.tensor([0.5]), torch.tensor([[1.0, -2.0, 9.0]])
    use = torch.tensor([[True, True, False]])
    made = registry.create("loss", Component(class_path="cross_entropy", init_args={"label_smoothing": 0.3}))
    scores = torch.tensor([[0.5, 1.0, -2.0]])
    expected = torch.nn.functional.cross_entropy(scores, torch.tensor([0]), label_smoothing=0.3)
    assert made(positive, negative, use).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("candidates", [0, 1, 5])
def test_gradient_of_cross_entropy_is_that_of_its_formula(candidates, smoothing):
    positive = torch.randn(4, dtype=torch.float64, requires_grad=True)
    negative = torch.randn(4, candidates, dtype=torch.float64, requires_grad=True)
    use = torch.rand(4, candidates) < 0.5
    init = {"label_smoothing": smoothing}
    loss = registry.create("loss", Component(class_path="cross_entropy", init_args=init))
    assert torch.autograd.gradcheck(lambda p, n: loss(p, n, use), (positive, negative))


@pytest.mark.parametrize("name", registry.discover("loss"))
def test_loss_is_its_formula(name):
    positive, negative = torch.tensor([0.5, -1.0, 2.0]), torch.randn(3, 4)
    use = torch.tensor([[1, 1, 0, 1], [1, 0, 0, 0], [1, 1, 1, 1]], dtype=torch.bool)
    one = [slow(name, p.item(), n[u].tolist()) for p, n, u in zip(positive, negative, use, strict=True)]
    made = registry.create("loss", name)
    assert made(positive, negative, use).item() == pytest.approx(sum(one) / 3, rel=1e-5)


CORRECTED = ["info_nce", "cross_entropy"]


def test_all_losses_with_log_q_are_looked_at():
    assert {name for name, entry in registry.discover("loss").items() if "log_q" in entry.arguments} == set(CORRECTED)


@pytest.mark.parametrize("of", ["none", "negatives", "all"])
@pytest.mark.parametrize("name", CORRECTED)
def test_log_q_is_subtracted_from_the_logits(name, of):
    """One link at a time, in the words of Yi et al. 2019, equation 4."""
    positive, negative = torch.tensor([0.5, -1.0]), torch.randn(2, 3)
    use = torch.tensor([[1, 1, 0], [1, 1, 1]], dtype=torch.bool)
    drawn = LogQ(torch.tensor([0.2, 0.9]).log(), torch.tensor([0.1, 0.5, 1.0]).log())
    temperature = {"temperature": 0.5} if name == "info_nce" else {}
    made = registry.create("loss", Component(class_path=name, init_args={"log_q": of, **temperature}))
    scale, losses = temperature.get("temperature", 1.0), []
    for i in range(2):
        q_true, q = drawn.true.exp()[i].item(), drawn.others.exp().tolist()
        top = math.exp(positive[i].item() / scale) / (q_true if of == "all" else 1)
        rest = [math.exp(negative[i, j].item() / scale) / (1 if of == "none" else q[j]) for j in range(3) if use[i, j]]
        losses.append(-math.log(top / (top + sum(rest))))
    assert made.drawn(positive, negative, use, drawn).item() == pytest.approx(sum(losses) / 2, rel=1e-5)
    plain = made.drawn(positive, negative, use, None)
    torch.testing.assert_close(made(positive, negative, use), plain)


def test_with_log_q_the_drawn_sum_expects_the_sum_over_all():
    """Over many draws the corrected partition function is that of all items (Bengio and Senécal 2008), and the plain one is not."""
    rng = np.random.default_rng(0)
    scores, q = torch.randn(6, dtype=torch.float64), np.array([0.9, 0.2, 0.5, 0.7, 0.3, 0.4])
    log_q = LogQ(torch.zeros(1, dtype=torch.float64), torch.from_numpy(np.log(q)))
    made = registry.create("loss", Component(class_path="info_nce", init_args={"log_q": "negatives"}))
    totals = []
    for _ in range(4000):
        use = torch.from_numpy(rng.random(6) < q)[None]
        totals.append(math.exp(made.drawn(torch.zeros(1, dtype=torch.float64), scores[None], use, log_q).item()) - 1)
    assert np.mean(totals) == pytest.approx(scores.exp().sum().item(), rel=0.03)


def test_a_loss_without_the_setting_does_not_care_how_candidates_were_drawn():
    positive, negative, use = torch.zeros(2), torch.randn(2, 3), torch.ones(2, 3, dtype=torch.bool)
    for name in set(registry.discover("loss")) - set(CORRECTED):
        made = registry.create("loss", name)
        torch.testing.assert_close(
            made.drawn(positive, negative, use, LogQ(torch.ones(2), torch.ones(3))), made(positive, negative, use)
        )


@pytest.mark.parametrize("name", registry.discover("loss"))
def test_no_negatives_and_masked_infinities_give_finite_gradients(name):
    positive = torch.zeros(2, requires_grad=True)
    negative = torch.tensor([[1e30, 0.0], [1.0, 1.0]], requires_grad=True)
    use = torch.tensor([[False, False], [True, True]])
    registry.create("loss", name)(positive, negative, use).backward()
    assert torch.isfinite(positive.grad).all()
    if registry.find("loss", name).load().negatives:
        assert torch.isfinite(negative.grad).all()
        assert negative.grad[0].tolist() == [0, 0]
    else:
        assert negative.grad is None


def test_alignment_and_uniformity_pair_by_pair():
    """In the words of Wang et al. 2022, section 4."""
    torch.manual_seed(3)
    made = registry.create("loss", Component(class_path="direct_au", init_args={"gamma": 0.7}))
    compare = Compare(Cosine(4, heads=False, temperature=1.0), made)
    h, t = torch.randn(5, 4), torch.randn(5, 4)
    source, target = compare.scorer.source(h), compare.scorer.target(t)
    nothing = torch.zeros(5, 0)
    found = made(compare.scorer.pairs(source, target), nothing, nothing.bool()) + made.spread(source, target)
    u, i = ([(x / x.norm()).tolist() for x in side] for side in (h, t))

    def apart(x, y):
        return sum((a - b) ** 2 for a, b in zip(x, y, strict=True))

    align = sum(apart(x, y) for x, y in zip(u, i, strict=True)) / 5
    pairs = [(a, b) for a in range(5) for b in range(5) if a != b]
    even = [math.log(sum(math.exp(-2 * apart(side[a], side[b])) for a, b in pairs) / 20) for side in (u, i)]
    assert found.item() == pytest.approx(align + 0.7 * sum(even) / 2, rel=1e-5)


def test_uniformity_looks_at_no_more_pairs_than_it_is_told():
    torch.manual_seed(0)
    rows = torch.nn.functional.normalize(torch.randn(200, 4)).requires_grad_()
    made = registry.create("loss", Component(class_path="direct_au", init_args={"sample": 10}))
    made.spread(rows, rows).backward()
    assert (rows.grad.abs().sum(1) > 0).sum() == 10
    assert made.spread(rows[:1], rows[:1]).item() == 0
    with pytest.raises(SettingsError, match="loss.sample is how many links are compared with each other; given: 1; give 2"):
        registry.create("loss", Component(class_path="direct_au", init_args={"sample": 1}))


@pytest.mark.parametrize("name", ["cosine_contrastive", "direct_au"])
def test_losses_of_cosines_want_cosines(name):
    loss = registry.create("loss", name)
    assert loss.spread(torch.zeros(0, 4), torch.zeros(0, 4)).item() == 0
    Compare(Cosine(4, temperature=1.0), loss)
    for scorer, given in ((Dot(4), "the scorer Dot"), (Cosine(4), "the scorer Cosine with temperature 0.07")):
        with pytest.raises(SettingsError, match=f"is one of cosines; given: {given}; take scorer: {{class_path: cosine"):
            Compare(scorer, loss)
    with pytest.raises(SettingsError, match="is one of cosines; given: no vectors; take"):
        Paths(relation=str(FOLLOWS), loss=name).heads(made_graph()[1], ModelSettings())


def test_a_loss_without_negatives_draws_none():
    _, split = made_graph()
    (asked,) = Links(relation=str(FOLLOWS), scorer="cosine", loss="direct_au").asked_links(split)
    batch = link_batch(asked, np.arange(5), np.random.default_rng(0))
    assert len(batch.other_targets) == len(batch.other_sources) == len(batch.known) == 0
    assert batch.is_link.shape == batch.is_link_source.shape == (5, 0)
