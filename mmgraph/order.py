"""A finished run asked for the order of the items of one parent, and for the links that are missing between them.

What puts a video in order must not have seen its links: they are taken out of the graph, with those of other videos of the same fold
and all that is derived from them, and embeddings and baselines are computed anew on what is left. The weights stay as they were
trained, and they were trained with the train links of that video; a video without train links is free of that.
"""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmgraph.errors import RunError, SettingsError
from mmgraph.evaluate.again import Everyone
from mmgraph.evaluate.contract import OURS, LinkQuestion
from mmgraph.evaluate.gaps import Bridging, Gap, bridging, known_gaps, open_gaps
from mmgraph.evaluate.groups import Group, counted, groups_of, links_of, sequenced
from mmgraph.evaluate.order import OrderedGroup
from mmgraph.evaluate.reliability import Trust
from mmgraph.graph.located import Located
from mmgraph.progress import Bar
from mmgraph.rerun import Reopened, everyone, relations_of, reopen, with_hidden
from mmgraph.types import Relation, Strings

FOLDS = 20  # groups whose links leave together: a twentieth at most, or one alone


@dataclass(frozen=True)
class Temporal:
    """A finished run, one of its temporal relations, and the groups within which it can be asked."""

    opened: Reopened
    relation: Relation
    trust: Trust
    question: LinkQuestion
    groups: Sequence[Group]

    @classmethod
    def of(cls, path: Path, relation: str | None = None) -> "Temporal":
        """``relation`` may be left out where the run predicts one that is temporal and has groups.

        Raises RunError where there is none, or another one is given, or several are there.
        """
        trusted, opened = relations_of(path), reopen(path)
        questions = {
            one: LinkQuestion(opened.split.visible, opened.split.links[one], opened.settings.run.seed) for one in trusted
        }
        known = {one: question for one, question in questions.items() if question.group is not None}
        chosen = _chosen(known, relation, trusted)
        located = Located.of(opened.catalogue)
        start_s = located.start_s[located.rows(chosen.source)]
        return cls(opened, chosen, trusted[chosen], known[chosen], groups_of(known[chosen], start_s))

    def named(self, name: str) -> Group:
        """The group of the parent with this id; raises SettingsError that names near ids."""
        names = [one.name for one in self.groups]
        if name not in names:
            near = difflib.get_close_matches(name, names, n=3) if len(names) <= 10_000 else []
            todo = f"did you mean {', '.join(near)}?" if near else f"there are {len(names)}, such as {', '.join(names[:3])}"
            raise SettingsError(f"no item of this id has two of kind {self.relation.source} or more", given=name, todo=todo)
        return self.groups[names.index(name)]

    @property
    def ids(self) -> Strings:
        """Of all items of the kind."""
        return self.question.graph.ids[self.relation.source]

    def held_out(self, wanted: Iterable[Group]) -> list[Group]:
        """Those none of whose links is a train link; raises RunError where all have one."""
        left = [one for one in wanted if not counted(self.question, one.within)[0]]
        if not left:
            todo = "leave out --held-out: the links are taken out of the graph anyway"
            raise RunError("all that is asked has links that were trained on", todo=todo)
        return left

    def seen(self) -> Everyone:
        """All methods with all that may be seen."""
        return everyone(self.opened, self.relation, self.trust)

    def unseen(self, wanted: Iterable[Group]) -> Iterator[tuple[Group, Everyone]]:
        """Each wanted group with all methods on a graph without its links; fold by fold, the same fold whatever else is wanted."""
        names = {one.name for one in wanted}
        with Bar("without the links of", len(names)) as bar:
            for number in range(min(FOLDS, len(self.groups))):
                fold = self.groups[number::FOLDS]
                asked = [one for one in fold if one.name in names]
                if not asked:
                    continue
                methods = everyone(
                    with_hidden(self.opened, self.relation, links_of(self.question, fold)), self.relation, self.trust
                )
                for one in asked:
                    yield one, methods
                    bar.advance(1)


def _chosen(known: Iterable[Relation], relation: str | None, trusted: Iterable[Relation]) -> Relation:
    names = {str(one): one for one in known}
    if relation in names:
        return names[relation]
    if not names:
        given = ", ".join(map(str, trusted)) or "none"
        todo = "it must be temporal (named follows or next), within one kind whose items have parents"
        raise RunError("the run predicts no relation that puts the parts of an item in order", given=given, todo=todo)
    if relation is not None:
        raise RunError("the run puts nothing in order by this relation", given=relation, todo=f"there are: {', '.join(names)}")
    if len(names) > 1:
        raise RunError("the run predicts several relations that say what comes next", todo=f"--relation: {', '.join(names)}")
    return next(iter(names.values()))


def ordered(asked: Temporal, wanted: Sequence[Group], method: str = OURS) -> list[OrderedGroup]:
    """The wanted groups by name, in the order of every method; raises SettingsError where ``method`` is none of them."""
    done = []
    for group, methods in asked.unseen(wanted):
        _check(method, methods)
        done.append(sequenced(group, methods, counted(asked.question, group.within)))
    return sorted(done, key=lambda one: one.name)


def gaps(asked: Temporal, wanted: Sequence[Group], method: str, longer: float, below: float) -> list[Gap]:
    """All gaps of the wanted groups, see evaluate/gaps.py; ``open`` ones are bridged with all that may be seen."""
    source, target = asked.question.split.edges.source, asked.question.split.edges.target
    located = Located.of(asked.opened.catalogue)
    rows = located.rows(asked.relation.source)
    gap_s = located.start_s[rows][target] - located.end_s[rows][source]
    found: list[Gap] = []
    for group, methods in asked.unseen(wanted):
        _check(method, methods)
        found += known_gaps(group, asked.question, methods, gap_s, longer, below, method)
    if any(len(group.within) < len(group.items) - 1 for group in wanted):
        seen = asked.seen()
        found += [one for group in wanted for one in open_gaps(group, asked.question, seen, method)]
    return sorted(found, key=lambda one: (one.group, one.what))


def bridged_links(asked: Temporal) -> list[Bridging]:
    """How many of the held-out test links every method bridges."""
    return bridging(asked.groups, asked.question, asked.seen(), asked.opened.settings.evaluate)


def _check(method: str, known: Everyone) -> None:
    if method not in known.methods:
        raise SettingsError("the run has no such method", given=method, todo=f"there are: {', '.join(known.methods)}")
