"""From files to vectors: the first half of the way, in a module of its own so that ``mmgraph encode`` loads no more than it needs."""

from pathlib import Path

from mmgraph import registry
from mmgraph.catalogue.contract import Catalogue
from mmgraph.encode.hub import stay_offline
from mmgraph.graph.collect import Collected, collect
from mmgraph.media.segments import content_hashes, cut
from mmgraph.settings import Settings


def encode(settings: Settings) -> list[str]:
    """Only read and encode; ``fit`` then finds every vector in the store. One line a modality."""
    catalogue, content = read(settings)
    collected = features(settings, catalogue, content)
    return [
        f"{modality}: {' '.join(f'{n} {what}' for what, n in counts.items())} by {collected.encoders[modality]['card']['name']}"
        for modality, counts in collected.counts.items()
    ]


def read(settings: Settings) -> tuple[Catalogue, dict[str, str]]:
    """Catalogue with videos cut into segments and bad files set aside; and the content key of every item with media."""
    catalogue: Catalogue = registry.create("importer", settings.catalogue).read()
    catalogue = cut(catalogue, settings.media, store_folder(settings))
    return catalogue, content_hashes(catalogue, store_folder(settings))


def features(settings: Settings, catalogue: Catalogue, content: dict[str, str]) -> Collected:
    """Vectors of every item with media, from the store where they are."""
    if settings.encoders.offline:
        stay_offline()
    adaptation, near = settings.model.adaptation, settings.graph.near_duplicates.find
    return collect(catalogue, content, settings.encoders, settings.media, store_folder(settings), adaptation, near)


def store_folder(settings: Settings) -> Path:
    """Where features are kept: shared by runs, beside the run folder unless set."""
    return settings.encoders.store or settings.run.dir.parent / "store"
