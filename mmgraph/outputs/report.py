"""report/index.html: everything about a run on one page that needs nothing but itself."""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from mmgraph.catalogue.contract import Catalogue
from mmgraph.errors import RunError
from mmgraph.evaluate.contract import OURS
from mmgraph.files import write_text
from mmgraph.media.decode import decode
from mmgraph.outputs import charts, reliability
from mmgraph.outputs.duplicates import CopyGroup, shown_groups
from mmgraph.outputs.examples import LabelExamples, LinkExamples, label_examples, link_examples
from mmgraph.outputs.groups import grouped
from mmgraph.outputs.knock_outs import METHODS, knocked
from mmgraph.outputs.previews import Decode, Preview, Previews
from mmgraph.outputs.ratings import rating_examples
from mmgraph.outputs.reading import RunFiles, read_run
from mmgraph.outputs.scoreboard import NETWORK, Board, boards, lower_is_better, title_of
from mmgraph.runs import RunFolder
from mmgraph.settings import MediaSettings, OutputSettings
from mmgraph.split.leaks import ADMITTED

TABLE_ROWS = 200  # of a list that may be long, such as the quarantined files
AMONG = {
    "kind": "A truth is ranked among all items of its kind that are no known link of the query",
    "seen": "A truth is ranked among the items that a training link has on its side of the relation, known links of the query left out",
}
RATED = 12  # ratings that are shown of a relation
GROUPS = 24  # of a grouping that may have many, such as the relations of a knowledge graph


@dataclass(frozen=True)
class Judgement:
    """One entry of verdict.json with its colour: ``better``, ``worse``, ``same`` or ``open`` (nothing to compare)."""

    entry: Mapping[str, Any]
    tone: str
    gap: charts.Gap | None

    @property
    def text(self) -> str:
        """The sentence without the target, which stands above it."""
        return str(self.entry["text"]).removeprefix(f"{self.entry['target']}: ")


def write_report(
    run: RunFolder, catalogue: Catalogue, media: MediaSettings, outputs: OutputSettings, decode: Decode = decode
) -> Path:
    """Read the run's files and the media, write ``report/index.html`` and give its path.

    What the run does not have is left out; a file that cannot be decoded is shown as a placeholder. ``decode`` replaces
    ``mmgraph.media.decode.decode``. Raises RunError where a file of the run is broken, or the disk is full.
    """
    files = read_run(run)
    links = link_examples(run.predictions, outputs.examples)
    labels = label_examples(run.predictions, catalogue, outputs.examples)
    previews = Previews(catalogue, media, decode).of(_shown(links, labels, shown_groups(files.duplicates)))
    write_text(run.report, render(run, files, links, labels, previews))
    return run.report


def render(
    run: RunFolder,
    files: RunFiles,
    links: Sequence[LinkExamples],
    labels: Sequence[LabelExamples],
    previews: Mapping[str, Preview],
) -> str:
    """The page as a string."""
    page = environment().get_template("report.html.j2")
    main = {str(one["target"]): str(one["metric"]) for one in files.verdict}
    return page.render(
        name=run.path.resolve().name,
        date=_date(run, files),
        evidence={str(one["target"]): one for one in files.evidence},
        files=files,
        judgements=[_judgement(one) for one in files.verdict],
        passed_over=_passed_over(files.encoders),
        admitted=[note for note in files.graph.get("notes", ()) if str(note).startswith(ADMITTED)],
        boards=boards(files.rows, "test", main),
        grouped=grouped(files.rows, GROUPS),
        knocked=knocked(files.knock_outs),
        knocked_methods=METHODS,
        valid_boards=boards(files.rows, "valid", main),
        links=links,
        labels=labels,
        rated=rating_examples(run.predictions, RATED),
        reliability=_plots(run, files),
        scale=reliability,
        copies=shown_groups(files.duplicates),
        previews=previews,
        matrices=[charts.matrix(one) for one in files.confusion],
        charts=charts.line_charts(files.curves),
        box=charts,
        table_rows=TABLE_ROWS,
    )


def _plots(run: RunFolder, files: RunFiles) -> list[reliability.Plot]:
    try:
        return reliability.plots(files.calibration)
    except (KeyError, TypeError) as error:
        raise RunError(f"{run.calibration} is broken", given=error, todo="run `mmgraph fit` again") from error


def environment() -> jinja2.Environment:
    """What renders the pages of a report; everything that is printed is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mmgraph.outputs"),
        autoescape=True,  # ids come from file names
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "signed": _signed, "count": "{:,}".format, "short": "{:.3g}".format}
    environment.filters["metric"] = title_of
    environment.globals |= {
        "OURS": OURS,
        "NETWORK": NETWORK,
        "lower_is_better": lower_is_better,
        "axis": _axis,
        "AMONG": AMONG,
    }
    return environment


def _number(value: float | None) -> str:
    """Three decimals, or one for large numbers such as a mean rank."""
    if value is None:
        return "–"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"


def _signed(value: float) -> str:
    """With a sign that is as wide as a plus."""
    return f"{value:+.3f}".replace("-", "−")


def _axis(board: Board, metric: str) -> float:
    """Where the bars of a metric end: 1 for shares unless all are small, else a little above the largest."""
    rows = [board.cells[method, metric] for method in board.methods if (method, metric) in board.cells]
    top = max((one for row in rows for one in (row.value, row.high or 0.0)), default=1.0)
    return 1.0 if 0.5 < top <= 1.0 else (top * 1.08 or 1.0)


def _shown(links: Sequence[LinkExamples], labels: Sequence[LabelExamples], copies: Sequence[CopyGroup]) -> Iterator[str]:
    """Ids of all items on the page, as often as they are on it, in the order of the page."""
    for relation in links:
        for example in relation.examples:
            yield example.source
            yield from (guess.target for guess in example.guesses)
    for field in labels:
        yield from (guess.id for guess in (*field.test, *field.unlabelled))
    for group in copies:
        yield from group.ids


def _judgement(entry: Mapping[str, Any]) -> Judgement:
    low, high, difference = entry.get("low"), entry.get("high"), entry.get("difference")
    if low is None or high is None or difference is None:
        return Judgement(entry, "open", None)
    tone = "better" if low > 0 else "worse" if high < 0 else "same"
    return Judgement(entry, tone, charts.gap(difference, low, high))


def _passed_over(encoders: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """(modality, encoder that was preferred, reason, encoder taken instead)."""
    return [
        (modality, str(skipped["encoder"]), str(skipped["reason"]), str(one["card"]["name"]))
        for modality, one in encoders.items()
        for skipped in one.get("passed_over", ())
    ]


def _date(run: RunFolder, files: RunFiles) -> str:
    """When the run was made, so that rendering again gives the same page; now, where it does not say."""
    if "written" in files.versions:
        return str(files.versions["written"]).replace("T", " ")[:16]
    moment = datetime.datetime.now(tz=datetime.UTC)
    if run.metrics.exists():
        moment = datetime.datetime.fromtimestamp(run.metrics.stat().st_mtime, tz=datetime.UTC)
    return f"{moment:%Y-%m-%d %H:%M} UTC"
