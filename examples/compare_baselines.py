"""What does the graph add over simple methods, and what was handed out?   python examples/compare_baselines.py RUN

Reads the small files of a run folder, for example runs/video.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from mmgraph.outputs.reading import read_run
from mmgraph.runs import RunFolder

MAIN = {"links": "mrr", "categories": "accuracy"}


def main(arguments: Sequence[str]) -> None:
    files = read_run(RunFolder(Path(arguments[0])))
    for verdict in files.verdict:
        rows = [
            row
            for row in files.rows
            if (row.target, row.split, row.metric, row.group) == (verdict["target"], "test", MAIN[verdict["task"]], "")
        ]
        print(f"{verdict['target']}, {verdict['metric']} on the test split, with its interval")
        for row in sorted(rows, key=lambda row: -row.value):
            interval = "" if row.low is None or row.high is None else f"  {row.low:.3f} to {row.high:.3f}"
            print(f"  {row.method:22s} {row.value:.3f}{interval}")
        print(f"  {verdict['text']}")
    for chosen in files.evidence:
        print(f"{chosen['target']}: validation chose {chosen['chosen']}")


if __name__ == "__main__":
    main(sys.argv[1:])
