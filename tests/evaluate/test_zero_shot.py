"""Names find their items, links mend what names get wrong, and what cannot be read is one line."""

import numpy as np
import pytest
from evaluate.made import ids

from mmgraph.encode.contract import Encoder, EncoderCard
from mmgraph.errors import SettingsError
from mmgraph.evaluate.clustering import ClusterQuestion
from mmgraph.evaluate.zero_shot import named_vectors, reached, refined, zero_shot
from mmgraph.graph.contract import Edges, Features, Graph
from mmgraph.media.clip import Words
from mmgraph.types import Relation
from mmgraph_encoders.hashed_ngrams import HashedNgrams

LIKE = Relation("x", "like", "x")


@pytest.fixture(scope="module")
def encoder():
    made = HashedNgrams()
    made.load()
    return made


def test_a_class_is_the_mean_of_its_prompts(encoder):
    found = named_vectors(encoder, {"sea": ["the sea", "a boat"], "wood": ["trees"]})
    one, two, three = encoder.encode([Words("the sea"), Words("a boat"), Words("trees")])
    mean = one / np.linalg.norm(one) + two / np.linalg.norm(two)
    np.testing.assert_allclose(found[0], mean / np.linalg.norm(mean), atol=1e-5)
    np.testing.assert_allclose(found[1], three / np.linalg.norm(three), atol=1e-5)


def test_zero_shot_is_a_softmax_of_centred_cosines():
    rng = np.random.default_rng(0)
    vectors, classes = rng.normal(size=(5, 4)).astype(np.float32), np.eye(3, 4, dtype=np.float32)
    present = np.array([True, True, False, True, True])
    vectors[2] = 0
    got = zero_shot(Features(vectors, present), classes, 0.1)
    cosine = np.array([[row @ c / np.linalg.norm(row) for c in classes] for row in vectors[present]])
    raised = np.exp((cosine - cosine.mean(0)) / 0.1)
    np.testing.assert_allclose(got[present], raised / raised.sum(1, keepdims=True), rtol=1e-4)
    np.testing.assert_allclose(got[2], 1 / 3, rtol=1e-6)


def test_names_are_told_apart_and_links_mend_what_they_get_wrong(encoder):
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], 20)
    texts = [f"{('a boat at sea', 'a tree in the wood', 'a street in town')[c]} number {i}" for i, c in enumerate(truth)]
    wrong = rng.permutation(60)[:12]
    for i in wrong:
        texts[i] = "nothing that tells"
    vectors = encoder.encode([Words(text) for text in texts])
    classes = named_vectors(encoder, {"sea": ["a boat at sea"], "wood": ["a tree in the wood"], "town": ["a street in town"]})
    given = zero_shot(Features(vectors, np.ones(60, bool)), classes, 0.05)
    told = np.setdiff1d(np.arange(60), wrong)
    assert (given.argmax(1)[told] == truth[told]).all()
    pairs = rng.integers(60, size=(400, 2))
    pairs = np.unique(pairs[(truth[pairs[:, 0]] == truth[pairs[:, 1]]) & (pairs[:, 0] != pairs[:, 1])], axis=0)
    graph = Graph({"x": ids("x", 60)}, {LIKE: Edges(LIKE, *pairs.T)})
    spread = refined(ClusterQuestion.of(graph, "x", vectors), given)
    np.testing.assert_allclose(spread.sum(1), 1, rtol=1e-5)
    assert (spread.argmax(1) == truth).mean() > (given.argmax(1) == truth).mean()
    assert (spread.argmax(1) == truth).mean() > 0.9


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"sea": ["a boat"], "☃": [" "]}, "the encoder hashed_ngrams cannot read a category name; given: ☃: ' '"),
        ({"sea": ["a boat"], "wood": []}, "cannot read a category name; given: wood: no prompt"),
        (
            {"sea": ["a boat"], "water": ["a boat"]},
            "two category names are one to the encoder hashed_ngrams; given: sea, water",
        ),
        ({"sea": ["a boat"]}, "classes to tell apart are needed; given: 1 names"),
    ],
)
def test_what_cannot_be_told_apart_is_one_line(encoder, names, said):
    with pytest.raises(SettingsError, match=said):
        named_vectors(encoder, names)


class Vocabulary(Encoder):
    """Mean of one vector a word; all words that it does not know share one."""

    modality = "text"
    card = EncoderCard("vocabulary", "text", "none", "1", 4, "words", "", "")
    known = ("sea", "wood")

    def available(self):
        return None

    def load(self, device="cpu"):
        pass

    def _encode(self, clips):
        rows = np.eye(4, dtype=np.float32)
        found = [[self.known.index(w) if w in self.known else 2 for w in clip.text.split()] for clip in clips]
        return np.stack([rows[[3, *words]].mean(axis=0) for words in found])


@pytest.mark.parametrize("name", ["☃", "☃ ☃", "\U00013000"])
def test_a_word_unknown_to_the_encoder_is_no_name(name, encoder):
    said = f"the encoder vocabulary cannot read a category name; given: cold: {name!r}"
    with pytest.raises(SettingsError, match=said):
        named_vectors(Vocabulary(), {"sea": ["sea"], "cold": ["sea", name]})
    assert named_vectors(Vocabulary(), {"sea": ["sea"], "cold": [f"wood {name}"]}).shape == (2, 4)
    assert named_vectors(encoder, {"sea": ["sea"], "cold": [name]}).shape[0] == 2  # reads any sign


def test_names_of_another_space_are_one_line():
    with pytest.raises(SettingsError, match="the names and the items are not in one space; given: widths 3 and 4"):
        zero_shot(Features(np.ones((2, 4), np.float32), np.ones(2, bool)), np.eye(3, dtype=np.float32), 0.1)


def test_vectors_are_an_items_own_or_those_of_what_it_is_linked_with():
    contains, about = Relation("video", "contains", "x"), Relation("text", "about", "video")
    edges = {
        contains: Edges(contains, np.array([0, 0]), np.array([0, 1])),
        about: Edges(about, np.array([0, 1]), np.array([0, 0])),
    }
    text = np.array([[1, 0], [0, 3]], np.float32)
    own = np.array([[5, 5], [0, 0], [0, 0]], np.float32)
    features = {
        ("text", "text"): Features(text, np.ones(2, bool)),
        ("x", "text"): Features(own, np.array([True, False, False])),
    }
    graph = Graph({"video": ids("video", 1), "x": ids("x", 3), "text": ids("text", 2)}, edges, features)
    found = reached(graph, "x", "text")
    assert found.present.tolist() == [True, True, False]
    np.testing.assert_allclose(found.vectors, [[5, 5], [2, 8 / 3], [0, 0]], rtol=1e-6)  # of two texts and the other part
    with pytest.raises(SettingsError, match="no item has this modality; given: audio; there are: text"):
        reached(graph, "x", "audio")
