"""Which layer of a sound model knows spoken digits: a probe on each, of a speaker that is held back.

python benchmarks/layers.py [--data ../shared/data] [--weights ../shared/weights] [--splits 12] [--out benchmarks/results]

The splits are those of ``categories.py digits --held-back``: two labelled speakers have 5 recordings of each digit, a third is asked. The
speaker who chooses and the two of the test are neither trained on nor asked in a split. Vectors are standardised within a speaker. Logistic
regression with C = 10 and the three nearest labelled recordings (cosine): what a layer knows, not how well it can be used.
"""

import argparse
import datetime
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from categories import digit_tables
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_limits

from encoders import Encoded
from mmgraph.graph.standardise import standardised
from mmgraph.media.clip import Source
from mmgraph.outputs.seeds import over

HERE = Path(__file__).resolve().parents[1]
LAYERS = (None, *range(1, 27))  # none: the model's own vector, the mean over its last layer


def split(data, folder, number):
    """id -> digit of what is trained on, and of what is asked."""
    table = pd.read_csv(digit_tables(data, folder, number, held_back=True) / "labels.csv", dtype=str)
    return (table[table.split == part].set_index("id").value for part in ("train", "test"))


def probed(vectors, place, splits):
    """Accuracy of both probes in each split, [splits, 2]."""
    found = []
    for train, asked in splits:
        of_train, of_asked = (vectors[[place[name] for name in some.index]] for some in (train, asked))
        linear = LogisticRegression(C=10, max_iter=1000).fit(of_train, train)
        nearest = KNeighborsClassifier(3, metric="cosine", weights="distance").fit(of_train, train)
        found.append([one.score(of_asked, asked) for one in (linear, nearest)])
    return np.array(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=HERE.parent / "shared" / "data")
    parser.add_argument("--weights", type=Path, default=HERE.parent / "shared" / "weights")
    parser.add_argument("--out", type=Path, default=HERE / "benchmarks" / "results")
    parser.add_argument("--splits", type=int, default=12)
    given = parser.parse_args()
    paths = sorted((given.data / "digits").glob("*.wav"))
    place = {path.name: i for i, path in enumerate(paths)}
    speakers = np.unique([path.stem.split("_")[1] for path in paths], return_inverse=True)[1]
    lines = ["| layer | width | logistic regression | three nearest |", "|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        splits = [tuple(split(given.data.resolve(), Path(folder) / str(i), i)) for i in range(given.splits)]
        encoded = Encoded(Path(folder) / "store")
        for layer in LAYERS:
            arguments = {"model": given.weights / "yamnet", **({} if layer is None else {"layer": layer})}
            vectors = encoded.vectors("audio", "log_mel_model", [Source(path.name, path) for path in paths], **arguments)
            vectors = standardised(vectors, np.ones(len(vectors), bool), speakers)
            cells = [told(column) for column in probed(vectors, place, splits).T]
            lines.append(f"| {'its own vector' if layer is None else layer} | {vectors.shape[1]} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    doc = __doc__.split("\n\n")[-1].replace("\n", " ").strip()
    head = f"`python benchmarks/layers.py`, {datetime.date.today()}. {doc} 95 % intervals: Student's t over {given.splits} splits."
    path = given.out / "layers.md"
    path.write_text("\n".join(["# Spoken digits by layers of YAMNet", "", head, "", *lines, ""]), encoding="utf-8")
    print(path)


def told(values):
    mean, _, low, high = over(list(values), 0.95)
    return f"{mean:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
