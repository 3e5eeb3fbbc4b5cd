"""What is linked often, and what is linked seldom."""

from dataclasses import dataclass

from mmgraph.evaluate.contract import Asked, Grouping, Texts
from mmgraph.evaluate.grouping import by_size


@dataclass(frozen=True, kw_only=True)
class AnswerDegree(Grouping):
    """By how many visible links of the asked relations the true answer has. A method that follows popularity is good at many."""

    def groups(self, asked: Asked) -> Texts:
        """See Grouping."""
        return by_size(asked.of_answer(asked.degree))
