"""The command line: a table of commands, each imported when it is called."""

import importlib
import sys
from collections.abc import Mapping, Sequence

from mmgraph.errors import MMGraphError, SettingsError

_HELP = """usage: mmgraph COMMAND ...

From raw media to predicted links.

commands:
  fit --config FILE [--section.key VALUE ...]   read media, build the graph, train, evaluate, predict, report
  encode --config FILE [...]                    only read and encode the media; fit then starts from the store
  evaluate RUN [--again] [--groups]             the metrics of a finished run; again: measured anew from its checkpoints
  compare RUN RUN ...                           finished runs in one table, with the difference to the first and its interval
  ablate RUN [--relations]                      fit again without links, each modality, other tasks: what each is worth; into the report
  predict RUN [--relation SOURCE/NAME/TARGET]   the most likely links of a finished run, streamed to a file
  recommend RUN [--user ID ...|--liked ID ...]  what each user will want, streamed to a file; similar RUN --item ID: what is alike
  export RUN --to FORMAT --out FOLDER           the graph of a run as parquet, graphml or neo4j
  order RUN [VIDEO] [--held-out]                the segments of a video in order, by what the run knows of other videos
  gaps RUN [VIDEO]                              links that are missing between known chains of a video, and pieces that are
  cluster RUN [--kind K] [--method M]           which items of a kind belong together: clusters with names, and a page with a map
  names RUN NAMES.yaml                          which of some named categories each item is of, without labels (docs/formats.md)
  label RUN [--field F] [--to FILE]             the class of every unlabelled item, and the nearest three that have one
  ask RUN [--n N] [--field F]                   the unlabelled items that are most worth labelling next, as a table to fill in
  update RUN FILE.csv [--new-classes]           take such a table as labels, or new links: train on from the checkpoint, predict anew
  sample DIR [--seed N] [--listening]           write the sample corpus: real videos, images, music, texts and tables
  settings                                      every setting with its type and default
  encoders [--json]                             installed encoders, and whether their weights are at hand
  encoders pull --config FILE [...]             fetch what a configuration needs, for use without network
  doctor [--config FILE ...] [--json]           what this machine can do, and what keeps a fit from running

options of fit:
  --print_config     print the resolved settings and stop
  --restart          throw away what an earlier run left in run.dir
  --seeds N | A,B    as often, from run.seed on, each in a folder below run.dir; means and intervals over seeds (--same-split for all)
  --dry-run          the memory and the time that it would take, in tables; nothing is written to run.dir
options of evaluate:
  --groups           also by relation, by how often an item is linked, by modality, warm and cold
options of ablate:
  --relations        also without each relation on its own
options of compare:
  --method NAME      instead of mmgraph, what each run hands out; --all: every metric
options of predict:
  --source ID ...    only of these items; --top-k N (10): of each; --threshold P: at least so probable; --exclude-known
  --format F         parquet (as it is), csv or json; --to FILE: instead of one in the run's predictions/
  --approximate      by an index of nearest neighbours (faiss), whose recall is measured and said; --recall R (0.95) is aimed at
options of recommend and similar:
  --liked ID ...     recommend: for somebody who is no user of the run and likes these items, without training
  --top-k N (20)     of each; --kind K: of items; --exclude-known: not what the user has; --explain: what speaks for each, in columns
  --format F, --to FILE: as for predict; --relation SOURCE/NAME/TARGET where there are several
options of export:
  --predictions      with the predicted links; --embeddings: with the vectors of items (not graphml)
options of order and gaps:
  --relation SOURCE/NAME/TARGET, --method NAME: instead of mmgraph; --to FILE: as .parquet, .csv or .json (docs/formats.md)
  --held-out         order: only videos none of whose links was trained on; without VIDEO every video, and Kendall's tau by method
  --longer S         gaps: between known neighbours, in seconds (1); --below SHARE (0.5): neighbours that have less of chance are a jump
options of cluster:
  --method M         kmeans, hdbscan, louvain, or leiden (extra leiden); --clusters N|auto: by the method's criterion (auto)
  --seeds N          runs that say how stable it is (5)
options of ask:
  --by STRATEGY      uncertain, badge, core_set, typical or random; --n N (20): items; --to FILE.csv: instead of RUN/asked.csv
options of update:
  --new-classes      answers may name classes that the field has not had; --epochs N: at most (a quarter of those of fit, a tenth for links)
  --restart          forget an update with another file that was cut off; the same update goes on by itself
options of encode:
  --engine ray       over a Ray cluster (docs/cluster.md); the same as --encoders.engine ray
options of encoders pull:
  --all              all encoders that are listed, not only the first of each modality that can be had
  --to FOLDER        as folders below FOLDER instead of the hub's cache; says which setting to write
  --version, --help

exit status: 0 done, 1 nothing usable is left, 2 a mistake in what was given, 130 interrupted (the same command resumes)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a person's mistake is one line on stderr and exit status 2."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(words)
    except MMGraphError as error:
        print(f"mmgraph: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        again = "the same command without --restart" if "--restart" in words else "the same command"
        print(f"mmgraph: interrupted; {again} goes on from here", file=sys.stderr)
        return 130
    except OSError as error:
        place = error.filename2 or error.filename  # of a copy that failed, where it was to go
        reason = " ".join(str(part) for part in (place, error.strerror or error) if part)
        print(f"mmgraph: the machine refused: {reason}; free or choose another folder", file=sys.stderr)
        return 2


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help") or set(words[1:]) & {"-h", "--help"}:
        print(_HELP, end="")
        return 0
    if words[0] == "--version":
        print(importlib.import_module("importlib.metadata").version("mmgraph"))
        return 0
    module = _COMMANDS.get(words[0])
    if module is None:
        raise SettingsError("no such command", given=words[0], todo=f"known: {', '.join(_COMMANDS)}")
    return getattr(importlib.import_module(f"mmgraph.commands.{module}"), words[0])(words[1:])


_COMMANDS: Mapping[str, str] = {  # to the module of mmgraph.commands that has it
    "fit": "fitting",
    "encode": "fitting",
    "evaluate": "finished",
    "ablate": "fitting",
    "compare": "finished",
    "predict": "finished",
    "recommend": "lists",
    "similar": "lists",
    "export": "finished",
    "order": "videos",
    "gaps": "videos",
    "cluster": "labels",
    "names": "labels",
    "label": "labels",
    "ask": "labels",
    "update": "labels",
    "sample": "machine",
    "settings": "machine",
    "encoders": "machine",
    "doctor": "machine",
}
