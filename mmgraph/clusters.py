"""A finished run asked which of its items belong together: clusters of its embeddings, with names, and how right they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmgraph import registry
from mmgraph.catalogue.contract import Catalogue
from mmgraph.errors import MediaError, SettingsError
from mmgraph.evaluate.clustering import Clustering, ClusterQuestion
from mmgraph.evaluate.clusters import Outcome, clustered
from mmgraph.evaluate.topics import words_of
from mmgraph.graph.contract import Graph
from mmgraph.media.clip import Words
from mmgraph.media.decode import decode
from mmgraph.media.modalities import having
from mmgraph.media.source import sources
from mmgraph.outputs.cluster_page import write_cluster_page
from mmgraph.outputs.clusters import write_clusters
from mmgraph.outputs.embedding_map import flat
from mmgraph.outputs.report import write_report
from mmgraph.rerun import Reopened, reopen
from mmgraph.settings import ComponentLike, MediaSettings
from mmgraph.split.contract import Split
from mmgraph.types import Strings


@dataclass(frozen=True)
class Clustered:
    """A finished run with the clusters of one kind."""

    opened: Reopened
    question: ClusterQuestion
    outcome: Outcome

    @property
    def ids(self) -> Strings:
        """Of all items of the kind."""
        return self.question.graph.ids[self.question.kind]


def cluster_run(path: Path, kind: str | None, method: ComponentLike, clusters: int | None, seeds: int) -> Clustered:
    """Clusters of a kind's embeddings; ``kind`` may be left out where the run asks labels of one, or one kind has media.

    clusters: how many, by the method's criterion when None. seeds: how often it is repeated, from the run's seed on.
    Raises SettingsError for another kind, or a number that cannot be.
    """
    chosen: Clustering = registry.create("clustering", method)
    if seeds < 1:
        raise SettingsError("--seeds needs at least one", given=seeds)
    opened = reopen(path)
    graph, first = opened.split.visible, opened.settings.run.seed
    kind = chosen_kind(opened.split, kind)
    question = ClusterQuestion.of(graph, kind, opened.trained.embeddings[kind].numpy())
    words = words_of(graph, kind, texts_of(opened.catalogue, opened.settings.media, graph))
    return Clustered(opened, question, clustered(question, opened.split, chosen, clusters, words, range(first, first + seeds)))


def write_outcome(done: Clustered) -> list[Path]:
    """The tables, the page with its map, and the report anew, which then names the page; gives what was written."""
    run, settings = done.opened.run, done.opened.settings
    drawn = flat(done.question, settings.run.seed)
    write_clusters(done.outcome, drawn, done.ids, run.predictions, settings.outputs.formats)
    written = [run.predictions / f"clusters.{name}" for name in settings.outputs.formats]
    if settings.outputs.report:
        catalogue, media = done.opened.catalogue, settings.media
        written.append(write_cluster_page(run, done.outcome, drawn, done.ids, catalogue, media))
        write_report(run, catalogue, media, settings.outputs)
    return written


def chosen_kind(split: Split, kind: str | None) -> str:
    """The kind that is asked about; raises SettingsError where there is no such, or none is given and several could be meant."""
    graph = split.visible
    known = [one for one in graph.ids if graph.count(one) > 1]
    if kind in known:
        return kind
    todo = f"there are: {', '.join(known)}"
    if kind is not None:
        raise SettingsError("the run has no such kind, or one item of it", given=kind, todo=todo)
    labelled = list(dict.fromkeys(one.labels.kind for one in split.labels.values()))
    media = [one for one in known if any(f.present.any() for f in graph.features_of(one).values())]
    for found in (labelled, media, known):
        if len(found) == 1:
            return found[0]
    raise SettingsError("the run has items of several kinds", todo=f"--kind; {todo}")


def texts_of(catalogue: Catalogue, media: MediaSettings, graph: Graph) -> Mapping[str, Sequence[str | None]]:
    """Kind -> the text of each item, in the order of its ids; None for one that has none or cannot be read."""
    found, where = {}, sources(catalogue)
    for key in catalogue.items["id"][having(catalogue, "text")].astype(str):
        source = where.get(key)
        if source is None:
            continue
        if source.text is not None:
            found[key] = source.text
            continue
        try:
            clip = decode(source, "text", media)
        except MediaError:  # a broken file names nothing; encoding has set it aside
            continue
        if isinstance(clip, Words):
            found[key] = clip.text
    return {kind: [found.get(str(key)) for key in ids] for kind, ids in graph.ids.items()}
