"""Much is known of the item that is asked about, or little."""

from dataclasses import dataclass

from mmgraph.evaluate.contract import Asked, Grouping, Texts
from mmgraph.evaluate.grouping import by_size


@dataclass(frozen=True, kw_only=True)
class QueryDegree(Grouping):
    """By how many visible links of the asked relations the item has that is asked about."""

    def groups(self, asked: Asked) -> Texts:
        """See Grouping."""
        return by_size(asked.of_query(asked.degree))
