"""One worker of ``build``: writes every n-th file of a corpus, and a byte to stdout for each."""

import json
import os
import sys
from pathlib import Path

from mmgraph.corpus.parts import jobs
from mmgraph.corpus.planning import plan
from mmgraph.corpus.truth import CorpusSize


def main(settings: str, part: str) -> None:
    """``settings``: JSON with folder, seed, size and parts; ``part``: which of the parts is this worker's."""
    wanted = json.loads(settings)
    truth = plan(wanted["seed"], CorpusSize(**wanted["size"]))
    for job in jobs(Path(wanted["folder"]), truth)[int(part) :: wanted["parts"]]:
        job()
        os.write(1, b".")


if __name__ == "__main__":
    main(*sys.argv[1:])
