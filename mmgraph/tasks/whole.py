"""What is asked of an item as a whole is read out from the embeddings of its parts."""

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from mmgraph.model.contract import Embeddings, Readout
from mmgraph.sample.batch import LabelBatch
from mmgraph.sample.members import Members


class Whole(nn.Module):
    """A readout, and which parts each item has. The item's own embedding is not looked at."""

    def __init__(self, readout: Readout, members: Members) -> None:
        super().__init__()
        self.readout, self.members = readout, members

    def forward(self, embeddings: Embeddings, asked: LabelBatch) -> Float[Tensor, "labelled wide"]:
        """One vector a labelled item of a batch."""
        assert asked.members is not None, "the batch was drawn without the parts"
        vectors: Tensor = self.readout(embeddings[self.members.kind], asked.members)
        return vectors

    def of(self, embeddings: Embeddings, items: Tensor | None = None) -> Float[Tensor, "items wide"]:
        """One vector an item at these positions, all when not given; ``embeddings`` are of all parts."""
        rows = embeddings[self.members.kind]
        chosen = np.arange(len(self.members.count)) if items is None else items.numpy()
        vectors: Tensor = self.readout(rows, self.members.adjacency(chosen, None, len(rows)).to(rows.device))
        return vectors
