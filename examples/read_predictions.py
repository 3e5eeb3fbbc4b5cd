"""Which links does a run predict for one item, and how many hidden links did it find?

python examples/read_predictions.py RUN [ITEM]     for example RUN = runs/video
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mmgraph.runs import RunFolder

KEY = ["source", "relation", "target"]


def main(arguments: Sequence[str]) -> None:
    run = RunFolder(Path(arguments[0]))
    links = pd.read_parquet(run.predictions / "links.parquet")
    new = links[~links["known"]]
    item = arguments[1] if len(arguments) > 1 else new.loc[new["probability"].idxmax(), "source"]

    print(f"new links from {item}:")
    for row in new[new["source"] == item].sort_values(["relation", "rank"]).itertuples():
        print(f"  {row.rank:2d}  {row.relation}  {row.target}  probability {row.probability:.2f}")

    held_out = pd.read_parquet(run.predictions / "held_out.parquet")
    test = held_out[held_out["split"] == "test"].merge(links[links["known"]], on=KEY, how="left")
    for relation, some in test.groupby("relation"):
        found = int(some["rank"].notna().sum())  # a known link stands in the table where its rank is at most outputs.top_k
        print(f"{relation}: {found} of {len(some)} test links, hidden from training, are among the first of their source")


if __name__ == "__main__":
    main(sys.argv[1:])
