"""The report: self-contained, escaped, and written whatever the run lacks."""

import html.parser
import re

import numpy as np
import pytest

from mmgraph.catalogue.contract import Catalogue, items_frame, labels_frame, links_frame
from mmgraph.errors import MediaError, RunError
from mmgraph.evaluate.contract import Row
from mmgraph.media.clip import Frames, Sound, Words
from mmgraph.outputs import previews as previews_module
from mmgraph.outputs.labels import LabelPrediction, write_labels
from mmgraph.outputs.predictions import LinkPrediction, write_links
from mmgraph.outputs.report import write_report
from mmgraph.runs import RunFolder, read_json, write_csv, write_json
from mmgraph.settings import MediaSettings, OutputSettings

from .conftest import Given, label_question, link_question

EVIL = "<script>alert('id')</script>"


class Page(html.parser.HTMLParser):
    """Collects tags, addresses and the text of a page, and checks that its tags close."""

    VOID = frozenset({"meta", "img", "br", "rect", "line", "circle", "path", "polyline", "link", "input", "hr"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.open, self.said, self.images = [], [], [], "", []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "xlink:href", "action", "srcset", "data")]
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.said += data


def decode(source, modality, media):
    """A picture, a second of sound or words, by the name of the file; ``broken`` raises."""
    name = source.path.name if source.path else ""
    if "broken" in name:
        raise MediaError("no moov atom", given=name)
    if modality == "image":
        return Frames(np.full((4, 36, 64, 3), 90, np.uint8), (0.0, 1.0, 2.0, 3.0))
    if modality == "audio":
        return None if "silent" in name else Sound(np.sin(np.arange(8000, dtype=np.float32) / 9)[None], 8000)
    return Words(source.text or "words of a file")


def catalogue(*rows, links=(), labels=()):
    return Catalogue(items_frame(list(rows)), links_frame(list(links)), labels_frame(list(labels)))


def report(run, items, decode=decode, **outputs):
    path = write_report(run, items, MediaSettings(), OutputSettings(**outputs), decode)
    assert path == run.report
    return path.read_text(encoding="utf-8")


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path / "my run")


def full(run, name=EVIL):
    """Every file of a run; ids, classes, reasons and settings carry a tag that must never become one."""
    question = link_question("segment/follows/segment", {"segment": 6}, [(0, 1), (1, 2), (3, 4)], test=[1])
    question.graph.ids["segment"][1] = name
    scores = np.random.default_rng(0).normal(size=(6, 6)).astype(np.float32)
    write_links([LinkPrediction(question, Given(scores), lambda s: np.full_like(s, 0.25))], run.predictions, OutputSettings())
    labelled = label_question([0, 1, 0, -1, -1, 1], classes=("a", name), train=[0], test=[1, 2])
    labelled.graph.ids["segment"][1] = name
    chances = np.full((6, 2), 0.5, np.float32)
    write_labels([LabelPrediction(labelled, chances)], run.predictions, OutputSettings())
    rows = [
        Row("links", "segment/follows/segment", split, method, metric, value, value - 0.1, value + 0.1, 30)
        for split in ("valid", "test")
        for metric in ("mrr", "mr", "mrr/target")
        for method, value in (("popularity", 0.2), ("mmgraph", 0.6), ("gnn", 0.5), (name, 0.3))
    ]
    rows += [
        Row("links", "segment/follows/segment", "test", method, metric, 0.4321, 0.3, 0.5, 9, f"relation={name}")
        for metric in ("mrr", "hits@10")
        for method in ("mmgraph", "gnn", name)
    ]
    write_json(run.metrics, [vars(row) for row in rows])
    verdict = {"task": "links", "target": "segment/follows/segment", "metric": "mrr", "mmgraph": 0.6, "baseline": name}
    numbers = {"baseline_value": 0.3, "difference": 0.3, "low": 0.2, "high": 0.4, "n": 30}
    write_json(run.verdict, [{**verdict, **numbers, "text": f"better than {name}"}])
    write_csv(
        run.curves,
        ("epoch", "name", "value"),
        [(e, n, 1 / (e + 1)) for e in range(3) for n in ("train/loss", "valid/loss", name)],
    )
    card = {"name": "image_statistics", "modality": "image", "weights": name, "revision": "1", "width": 3, "input": "64 px"}
    chosen = {"target": "segment/follows/segment", "metric": "mrr", "chosen": name, "n": 9}
    pieces = [{"name": name, "value": 0.4, "weights": {"gap/target": 0.25}}, {"name": "gnn", "value": None, "weights": {}}]
    write_json(run.evidence, [{**chosen, "pieces": pieces, "combination": 0.5, "difference": 0.1, "error": 0.02}])
    bins = [{"low": 0.0, "high": 0.0667, "n": 40, "probability": 0.03, "right": 0.05}]
    bins.append({"low": 0.4667, "high": 0.5333, "n": 10, "probability": 0.5, "right": 0.3})
    measured = {"n": 50, "ece": 0.056, "low": 0.01, "high": 0.1, "bins": bins}
    calibration = {"calibration": {"shape": "platt"}, "precision": 0.5, "threshold": 0.25, "reliability": measured}
    together = ("segment/follows/segment", name, "a/b/c", "a/c/c")
    records = [{"relation": one, "validated": ["linked, with image", name], **calibration} for one in together]
    write_json(run.calibration, [*records, {**records[0], "relation": "a/never/c", "reliability": None}])
    write_json(run.encoders, {"image": {"card": card, "passed_over": [{"encoder": "clip", "reason": f"no weights {name}"}]}})
    relation = {"relation": "segment/follows/segment", "edges": 3, "built_by": name, "train": 2, "valid": 0, "test": 1}
    label = {"target": "segment.category", "classes": 2, "train": 1, "valid": 0, "test": 2}
    feature = {"kind": "segment", "modality": "image", "encoder": name, "present": 6, "width": 3}
    graph = {"kinds": {"segment": 6}, "relations": [relation], "features": [feature], "labels": [label], "notes": [name]}
    write_json(run.graph_summary, graph)
    write_csv(run.quarantine, ("id", "path", "reason"), [(name, "a/b.mp4", "no moov atom")])
    write_json(run.versions, {"packages": {"torch": "2.11"}, "python": "3.11", "seed": 7, "data": {name: "ab" * 32}})
    run.settings.write_text(f"run: {name}\n")


def segments(name=EVIL, first="clip.mp4"):
    rows = [{"id": f"segment:{i}", "kind": "segment", "path": f"/m/{first}", "start_s": i, "end_s": i + 1} for i in range(6)]
    rows[1] |= {"id": name, "path": "/m/<b>broken.mp4"}
    return catalogue(*rows, labels=[{"id": name, "field": "category", "value": name}])


def test_a_run_with_nothing_at_all(run):
    page = Page(report(run, catalogue()))
    assert "This run has no verdict" in page.said
    assert "None: every file was read." in page.said
    assert "my run" in page.said
    assert "img" not in page.tags


def test_tables_without_rows(run):
    write_links([], run.predictions, OutputSettings())
    write_labels([], run.predictions, OutputSettings())
    for path in (run.metrics, run.verdict):
        write_json(path, [])
    write_csv(run.curves, ("epoch", "name", "value"), [])
    write_csv(run.quarantine, ("id", "path", "reason"), [])
    write_json(run.graph_summary, {"kinds": {}, "relations": [], "features": [], "labels": [], "notes": []})
    assert "This run has no verdict" in Page(report(run, catalogue())).said


def test_a_whole_run_is_escaped_and_needs_nothing_else(run):
    full(run)
    text = report(run, segments())
    page = Page(text)
    assert "script" not in page.tags
    assert "b" in page.tags  # ours; the file's name is not among them:
    assert "<b>broken" not in text
    assert "<script" not in text.lower()
    assert page.addresses
    assert all(address.startswith(("data:image/", "#")) for address in page.addresses)
    assert not re.search(r"@import|url\(", text)
    assert all(image["alt"] for image in page.images)
    assert page.tags.count("h1") == 1
    assert EVIL in page.said


def test_every_section_is_there_in_order(run):
    full(run)
    text = report(run, segments())
    places = [
        text.index(f'<section id="{name}"') for name in ("verdict", "metrics", "links", "reliability", "labels", "confusion")
    ]
    places += [text.index(f'<section id="{name}"') for name in ("training", "graph", "encoders", "unread", "versions")]
    assert places == sorted(places)
    said = " ".join(Page(text).said.split())
    for words in (
        "better than every baseline",
        "Preferred encoders were passed over",
        "no moov atom",
        "1 of 6 sources",
        "Validation (n = 9) chose",
        "seed 7",
    ):
        assert words in said
    assert said.index("mmgraph") < said.index("popularity")


def test_the_reliability_plot_has_a_dot_for_each_bin_and_one_card_for_what_was_measured_together(run):
    full(run)
    text = report(run, segments())
    section = text[text.index('<section id="reliability"') : text.index('<section id="labels"')]
    page = Page(section)
    assert page.tags.count("figure") == 1
    assert page.tags.count("circle") == 2
    said = " ".join(page.said.split())
    assert "segment/follows/segment, <script>alert('id')</script>, a/b/c and 1 more" in said
    assert "Calibration error 0.056 (0.010–0.100) on 50 pairs; platt, fitted on validation." in said
    assert "Predictions under 0.250 (dashed) abstain: from there on 50 % were right on validation" in said
    assert "a/never/c" not in said
    (first, second) = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="([\d.]+)"', section)
    assert float(second[2]) == pytest.approx(float(first[2]) / 2)  # a quarter of the pairs
    assert (float(first[0]), float(second[0])) == (pytest.approx(40 + 0.03 * 190), pytest.approx(135))
    write_json(run.calibration, [{"relation": "a/b/c", "reliability": {"n": 1}}])
    with pytest.raises(RunError, match=r"calibration\.json is broken; given: 'calibration'"):
        report(run, segments())


def test_where_all_abstain_the_report_says_so(run):
    full(run)
    records = [{**one, "threshold": None} for one in read_json(run.calibration)]
    write_json(run.calibration, records)
    assert "All predictions abstain: no threshold on validation had a precision of 0.5." in Page(report(run, segments())).said


def test_a_page_is_the_same_when_it_is_written_again(run):
    full(run)
    assert report(run, segments()) == report(run, segments())


@pytest.mark.parametrize(
    "low, high, words",
    [
        (0.1, 0.2, "better than every baseline"),
        (-0.1, 0.2, "no clear difference"),
        (-0.2, -0.1, "worse than"),
        (None, None, "no interval, so nothing can be said"),
    ],
)
def test_the_verdict_has_words_beside_its_colour(run, low, high, words):
    entry = {"task": "links", "target": "a/r/b", "metric": "mrr", "mmgraph": 0.5, "baseline": "x", "baseline_value": 0.4}
    write_json(run.verdict, [{**entry, "difference": 0.1, "low": low, "high": high, "n": 3, "text": "a/r/b: the sentence"}])
    said = Page(report(run, catalogue())).said
    assert words in said
    assert "the sentence" in said


def test_what_each_piece_adds_to_ease_has_a_column(run):
    full(run)
    (chosen,) = read_json(run.evidence)
    assert "it adds" not in Page(report(run, segments())).said
    pieces = [{**piece, "added": None} for piece in chosen["pieces"]]
    pieces.append({"name": "gnn", "value": 0.3, "weights": {}, "without": 0.49, "added": [0.0123, 0.002]})
    write_json(run.evidence, [{**chosen, "pieces": pieces, "base": "ease"}])
    said = Page(report(run, segments())).said
    assert "With ease alone it adds" in said and "+0.012 (± 0.002)" in said


def test_media_that_cannot_be_decoded_are_placeholders(run, caplog):
    full(run, name="segment:1")
    said = Page(report(run, segments("segment:1", "broken.mp4"))).said
    assert "cannot be shown: no moov atom" in said
    assert "no preview of segment:0" in caplog.text

    def crash(*_):
        raise ZeroDivisionError("a bug in a decoder")

    assert "cannot be shown: a bug in a decoder" in Page(report(run, segments("segment:1"), crash)).said
    assert "nothing to show in this file" in Page(report(run, segments("segment:1"), lambda *_: None)).said


def test_items_without_media_show_their_id_or_their_text_or_what_they_link_to(run):
    question = link_question("user/likes/text", {"user": 2, "text": 2}, [(0, 0)], test=[0])
    scores = np.eye(2, dtype=np.float32)
    write_links([LinkPrediction(question, Given(scores), np.abs)], run.predictions, OutputSettings())
    items = catalogue(
        {"id": "user:0", "kind": "user"},
        {"id": "text:0", "kind": "text", "text": "once upon a time " * 40},
        {"id": "text:1", "kind": "text", "path": "/m/one.txt"},
        {"id": "photo", "kind": "image", "path": "/m/one.jpg"},
        links=[{"source": "user:0", "relation": "owns", "target": "photo"}],
    )
    page = Page(report(run, items))
    assert "shown by photo" in page.said
    assert "once upon a time" in page.said
    assert " …" in page.said
    assert "words of a file" in page.said
    assert [image["alt"] for image in page.images] == ["Picture of user user:0"]
    assert "held-out, rank 1" in page.said


def test_a_held_out_link_that_is_not_shown_is_named(run):
    question = link_question("a/r/b", {"a": 1, "b": 30}, [(0, 9), (0, 29)], test=[0, 1])
    scores = -np.arange(30, dtype=np.float32)[None]
    write_links([LinkPrediction(question, Given(scores), np.abs)], run.predictions, OutputSettings(top_k=10))
    said = " ".join(Page(report(run, catalogue())).said.split())
    assert "Held out, but not shown here: b:9 (rank 10), b:29 (further down than the table goes)" in said


def test_csv_alone_is_enough_and_ids_that_look_like_numbers_stay(run):
    question = link_question("a/r/b", {"a": 1, "b": 1}, [])
    question.graph.ids["a"][0], question.graph.ids["b"][0] = "007", "1e3"
    asked = [LinkPrediction(question, Given(np.ones((1, 1), np.float32)), np.abs)]
    write_links(asked, run.predictions, OutputSettings(formats=("csv",)))
    said = Page(report(run, catalogue(), formats=("csv",))).said
    assert "007" in said
    assert "1e3" in said
    assert "1 of 1 sources" in " ".join(said.split())


def test_true_classes_stand_beside_wrong_ones_and_only_where_they_are_known(run):
    asked = label_question([0, 0, 1, -1], train=[2], test=[0, 1])
    chances = np.array([[0.9, 0.1], [0.2, 0.8], [0.2, 0.8], [0.7, 0.3]], np.float32)
    write_labels([LabelPrediction(asked, chances)], run.predictions, OutputSettings())
    items = [{"id": f"segment:{i}", "kind": "segment"} for i in range(4)]
    labels = [{"id": f"segment:{i}", "field": "category", "value": value} for i, value in enumerate("aab")]
    several = [{"id": "segment:1", "field": "category", "value": "c"}, {"id": "segment:1", "field": "mood", "value": "b"}]
    text = report(run, catalogue(*items, labels=[*labels, *several]))
    section = text[text.index('<section id="labels"') : text.index('<section id="confusion"')]
    said = " ".join(Page(section).said.split())
    assert said.count("✓ right") == said.count("✗ wrong") == 1
    assert "b ✗ wrong it is a, c" in said
    assert "segment:2" not in said  # training saw it
    assert said.index("Not labelled by anybody") < said.index("segment:3")


@pytest.mark.real
def test_real_media_are_shown(run, shared):
    data = shared / "data"
    files = {
        "image": next((data / "exercises/photos").glob("*.jpg")),
        "music": data / "music/pibble.ogg",
        "text": next((data / "exercises/texts").glob("*.txt")),
        "video": data / "videos/mmaction2_demo.mp4",
    }
    counts = {"user": 1, "thing": len(files)}
    question = link_question("user/likes/thing", counts, [])
    question.graph.ids["thing"][:] = list(files)
    scores = np.ones((1, len(files)), np.float32)
    write_links([LinkPrediction(question, Given(scores), np.abs)], run.predictions, OutputSettings())
    items = catalogue({"id": "user:0", "kind": "user"}, *({"id": k, "kind": k, "path": str(p)} for k, p in files.items()))
    page = Page(write_report(run, items, MediaSettings(), OutputSettings()).read_text())
    assert {image["alt"] for image in page.images} == {
        "Picture of image image",
        "Spectrogram of music music",
        "Frames of video video",
    }
    assert "cannot be shown" not in page.said
    assert files["text"].read_text().split()[0] in page.said


def test_pictures_stay_within_the_budget(run, monkeypatch):
    full(run, name="segment:1")
    monkeypatch.setattr(previews_module, "BUDGET", 6000)
    text = report(run, segments("segment:1"))
    assert "no picture, to keep the report small" in text
    assert sum(len(address) for address in Page(text).addresses if address.startswith("data:")) <= 6000


def test_broken_files_of_a_run_are_named(run):
    run.metrics.parent.mkdir(parents=True)
    run.metrics.write_text('[{"task": "links", "value": 1}]')
    with pytest.raises(RunError, match=r"a row of .*metrics\.json has other keys"):
        report(run, catalogue())
    run.metrics.write_text("[")
    with pytest.raises(RunError, match=r"cannot read .*metrics\.json"):
        report(run, catalogue())
    run.metrics.unlink()
    run.curves.write_text("epoch,name,value\nx,loss,1\n")
    with pytest.raises(RunError, match=r"curves\.csv is not epoch,name,value"):
        report(run, catalogue())
    run.curves.unlink()
    run.predictions.mkdir()
    (run.predictions / "links.parquet").write_text("no table")
    with pytest.raises(RunError, match="cannot read the table links"):
        report(run, catalogue())


def test_a_full_disk_leaves_the_old_report(run, full_disk):
    run.report.parent.mkdir(parents=True)
    run.report.write_text("old")
    with pytest.raises(RunError, match="No space left on device"):
        report(run, catalogue())
    assert {path.name: path.read_text() for path in run.report.parent.iterdir()} == {"index.html": "old"}
