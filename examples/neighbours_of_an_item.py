"""What lies near an item in the space that the gnn learned?   python examples/neighbours_of_an_item.py RUN [ITEM]

Reads the embeddings of a run folder, for example runs/video, and lists the nearest items of the same kind.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmgraph.errors import RunError
from mmgraph.outputs.embeddings import read_embeddings
from mmgraph.runs import RunFolder


def main(arguments: Sequence[str]) -> None:
    folder = RunFolder(Path(arguments[0])).embeddings
    kinds = sorted(path.name.removesuffix(".ids.txt") for path in folder.glob("*.ids.txt"))
    spaces = {kind: read_embeddings(folder, kind) for kind in kinds}
    item = arguments[1] if len(arguments) > 1 else spaces[kinds[0]][0][0]
    kind = next((kind for kind, (ids, _) in spaces.items() if item in ids), None)
    if kind is None:
        raise RunError("no item of this run has this id", given=item, todo=f"kinds: {', '.join(kinds)}")

    ids, vectors = spaces[kind]
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    cosine = unit @ unit[ids.index(item)]
    print(f"nearest to {kind} {item}:")
    for place in [place for place in np.argsort(-cosine) if ids[place] != item][:5]:
        print(f"  {cosine[place]:.3f}  {ids[place]}")


if __name__ == "__main__":
    main(sys.argv[1:])
