"""What tasks about the links of one relation have in common."""

from mmgraph import registry
from mmgraph.catalogue.contract import Catalogue
from mmgraph.errors import SettingsError
from mmgraph.sample.questions import AskedLinks
from mmgraph.settings import ComponentLike
from mmgraph.split.contract import Split
from mmgraph.tasks.heads import Compare, sampler_for
from mmgraph.types import Relation


def check_kinds(name: str, catalogue: Catalogue) -> None:
    """Raise SettingsError, before anything is encoded, where this is no name of a relation, or no item is of one of its kinds."""
    relation, kinds = Relation.parse(name), sorted(set(catalogue.items["kind"]))
    for kind in (relation.source, relation.target):
        if kind not in kinds:
            given = f"{kind} of {name}"
            raise SettingsError("a task asks about a kind that no item is of", given=given, todo=f"kinds: {', '.join(kinds)}")


def compared(width: int, scorer: ComponentLike, loss: ComponentLike, regulariser: ComponentLike | None) -> Compare:
    """The parts of these names, for vectors of this width."""
    made = registry.create("regulariser", regulariser) if regulariser else None
    return Compare(registry.create("scorer", scorer, width), registry.create("loss", loss), made)


def asked_links(
    name: str, split: Split, negatives: ComponentLike, loss: ComponentLike, scorer: ComponentLike
) -> list[AskedLinks]:
    """The train links of the relation of this name, with such negatives; raises SettingsError as ``sampler_for`` does."""
    relation = Relation.parse(name)
    train = split.visible.edges[relation]
    sampler = sampler_for(negatives, loss, scorer)
    counts = split.visible.count(relation.source), split.visible.count(relation.target)
    return [AskedLinks(name, relation, train.source, train.target, *counts, sampler, train.time)]
