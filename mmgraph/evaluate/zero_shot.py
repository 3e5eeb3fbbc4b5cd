"""Classes from their names alone: prompts and items as vectors of one space, then spread over the graph."""

from collections.abc import Mapping, Sequence

import numpy as np
import scipy.sparse

from mmgraph.encode.contract import Encoder
from mmgraph.errors import SettingsError
from mmgraph.evaluate.baselines.union import Union
from mmgraph.evaluate.baselines.vectors import unit_rows
from mmgraph.evaluate.clustering import ClusterQuestion
from mmgraph.evaluate.communities import community_graph
from mmgraph.evaluate.topics import HOPS
from mmgraph.graph.contract import Features, Graph
from mmgraph.media.clip import Words
from mmgraph.types import Floats

ALPHA, STEPS, NEIGHBOURS = 0.8, 50, 15
_SAME = 1 - 1e-6  # cosine of two vectors that are one
_STRANGE = ("\U00013000", "\U00013153")  # Egyptian hieroglyphs, which the vocabularies of words leave out


def named_vectors(encoder: Encoder, names: Mapping[str, Sequence[str]]) -> Floats:
    """One vector of length 1 a class: the mean of its prompts' at length 1 (Radford et al. 2021, CLIP, arXiv 2103.00020, section 3.1.4).

    names: class -> prompts. Raises SettingsError for fewer than two classes, a prompt that the encoder cannot read, and two classes that
    are one to it.
    """
    if len(names) < 2:
        raise SettingsError("classes to tell apart are needed", given=f"{len(names)} names", todo="give two at least")
    rows = []
    for name, prompts in names.items():
        vectors = encoder.encode([Words(prompt) for prompt in prompts])
        unread = _unread(encoder, prompts, vectors)
        if unread or not prompts:
            given = f"{name}: {unread[0]!r}" if unread else f"{name}: no prompt"
            todo = "give it a prompt in words that the encoder knows"
            raise SettingsError(f"the encoder {encoder.card.name} cannot read a category name", given=given, todo=todo)
        rows.append(unit_rows(vectors).mean(axis=0))
    found = unit_rows(np.stack(rows))
    like = np.triu(found @ found.T, 1)
    if like.max() > _SAME:
        one, two = np.unravel_index(int(like.argmax()), like.shape)
        known = list(names)
        wrong = f"two category names are one to the encoder {encoder.card.name}"
        raise SettingsError(wrong, given=f"{known[one]}, {known[two]}", todo="give one of them another prompt")
    return found


def _unread(encoder: Encoder, prompts: Sequence[str], vectors: Floats) -> list[str]:
    """Prompts that are nothing to the encoder, or no more than as many words of a script that it does not know."""
    strange = [[Words(" ".join([sign] * len(prompt.split()))) for prompt in prompts] for sign in _STRANGE]
    told = [unit_rows(encoder.encode(clips)) for clips in ([Words("")] * len(prompts), *strange)]
    blank, one, other = (np.einsum("nw,nw->n", unit_rows(vectors), rows) > _SAME for rows in told)
    nothing = blank | (one & other) | ~vectors.any(axis=1)  # an encoder of bytes tells the two signs apart, and reads both
    return [prompt for prompt, unread in zip(prompts, nothing, strict=True) if unread or not prompt.strip()]


def zero_shot(items: Features, classes: Floats, temperature: float) -> Floats:
    """Probabilities float32 [items, classes]: softmax of cosines over the temperature; of an item without a vector all are equal.

    The mean cosine of a class over all items is taken away first: some names are nearer to everything than others are, and without
    labels nothing says that they are commoner. Raises SettingsError where the two are not of one space.
    """
    if items.vectors.shape[1] != classes.shape[1]:
        given = f"widths {classes.shape[1]} and {items.vectors.shape[1]}"
        todo = "name the text tower of the encoder that made the items' vectors"
        raise SettingsError("the names and the items are not in one space", given=given, todo=todo)
    cosine = (unit_rows(items.vectors) @ classes.T).astype(np.float64)
    cosine -= cosine[items.present].mean(axis=0)
    logits = cosine / temperature
    logits[~items.present] = 0.0
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)


def refined(question: ClusterQuestion, given: Floats, alpha: float = ALPHA) -> Floats:
    """Probabilities spread over visible links and the nearest items (Zhou et al. 2003, Learning with local and global consistency, equation
    4), from the soft ones that are ``given`` float32 [items, classes]; items of other kinds begin with none.
    """
    adjacency, items = community_graph(question, "both", NEIGHBOURS)
    degree = np.asarray(adjacency.sum(axis=1)).ravel()
    root = scipy.sparse.diags(1.0 / np.sqrt(np.maximum(degree, 1e-12)))
    normal = root @ adjacency @ root
    start = np.zeros((adjacency.shape[0], given.shape[1]))
    start[items] = given
    current = start
    for _ in range(STEPS):
        current = alpha * (normal @ current) + (1 - alpha) * start
    mass = current[items]
    return (mass / np.maximum(mass.sum(axis=1, keepdims=True), 1e-12)).astype(np.float32)


def reached(graph: Graph, kind: str, modality: str) -> Features:
    """An item's own vector of the modality, else the mean over what it is linked with, else over what those are linked with."""
    union = Union.of(graph)
    wide = next((one.vectors.shape[1] for (_, name), one in graph.features.items() if name == modality), 0)
    if not wide:
        known = ", ".join(sorted({name for _, name in graph.features})) or "none"
        raise SettingsError("no item has this modality", given=modality, todo=f"there are: {known}")
    rows, has = np.zeros((union.adjacency.shape[0], wide), np.float32), np.zeros(union.adjacency.shape[0], bool)
    for (owner, name), one in graph.features.items():
        if name == modality:
            rows[union.nodes(owner)], has[union.nodes(owner)] = np.where(one.present[:, None], one.vectors, 0), one.present
    for _ in range(HOPS):
        number = union.adjacency @ has.astype(np.float32)
        mean = (union.adjacency @ rows) / np.maximum(number, 1)[:, None]
        taken = ~has & (number > 0)
        rows, has = np.where(taken[:, None], mean, rows), has | taken
    return Features(rows[union.nodes(kind)].astype(np.float32), has[union.nodes(kind)], modality)
