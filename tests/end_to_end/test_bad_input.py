"""What a person gets wrong: exit 2, one line that names the place and says what to do; nothing lost, nothing half written."""

import errno
import functools
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from runs_made import contents, half_written, write_csv

from mmgraph.store.fill import fill
from mmgraph.tasks.heads import LinkHead
from mmgraph_encoders.hashed_ngrams import HashedNgrams


def features(asked, ids, vectors, name="text.image"):
    folder = asked.root / "features"
    folder.mkdir()
    np.save(folder / f"{name}.npy", np.asarray(vectors, np.float32))
    (folder / f"{name}.ids.txt").write_text("".join(f"{one}\n" for one in ids))


def nan(asked):
    vectors = np.ones((3, 4))
    vectors[1, 2] = np.nan
    features(asked, ["t0", "t1", "t2"], vectors)


def few_links(asked):
    asked.add("links.csv", "u0,met,u1", "u1,met,u2")


def one_label_of_a_class(asked):
    asked.add("labels.csv", "t34,topic,rare")


def given_split_without_a_class(asked):
    rows = [(f"t{i}", "topic", "xyz"[i % 3], ["train", "valid", "test", "test"][i % 4]) for i in range(34)]
    rows = [(*row[:3], "test") if row[2] == "z" else row for row in rows]
    write_csv(asked.root / "labels.csv", ("id", "field", "value", "split"), rows)


def again(asked):
    """Every link of ``follows`` in reverse, as ``before``."""
    rows = [line.split(",") for line in (asked.root / "links.csv").read_text().splitlines()]
    return [f"{row[2]},before,{row[0]}" for row in rows if row[1] == "follows"]


def nothing(_):
    """The tables are right, the words are wrong."""


CASES = {
    "an unknown key": (nothing, ["--modle.width=8"], "modle is not a setting; given: {'width': 8}; did you mean model?"),
    "an unknown key of a component": (
        nothing,
        ["--tasks.1.feild=topic"],
        "tasks[1].feild is not an argument of Categories; given: topic; did you mean field?",
    ),
    "a wrong type": (nothing, ["--model.width=wide"], "model.width: expected int, got str; given: wide; give int >= 1"),
    "a missing root": (
        nothing,
        ["--catalogue.root=/not/there"],
        "catalogue.root is not there; given: /not/there; give a folder that exists: --catalogue.root FOLDER",
    ),
    "an empty folder": (
        lambda asked: (asked.root.parent / "empty").mkdir(),
        ["--catalogue.class_path=Folder", "--catalogue.root={base}/empty"],
        "there is no media file and no items.csv; given: {base}/empty; endings that are read: ",
    ),
    "an empty folder of tables": (
        lambda asked: (asked.root.parent / "empty").mkdir(),
        ["--catalogue.root={base}/empty"],
        "there is no items.csv or items.parquet; given: {base}/empty; add items.csv with the columns id,kind",
    ),
    "a link to an unknown id": (
        lambda asked: asked.add("links.csv", "t0,follows,t99"),
        [],
        "links.csv, row 73, column 'target': no item has this id; given: 't99'; add it to the items, or correct it",
    ),
    "a duplicate id": (
        lambda asked: asked.add("items.csv", "t3,text,again"),
        [],
        "items.csv, row 43, column 'id': it is also the id of items.csv, row 5; given: 't3'; give every item an id of its own",
    ),
    "a NaN feature": (
        nan,
        [],
        "features/text.image.npy, row 2 holds a number that is not finite (NaN or infinite); given: id 't1'; leave out the row",
    ),
    "a width that does not fit": (
        lambda asked: features(asked, ["t0", "t1", "t2"], np.ones((2, 4))),
        [],
        "features/text.image.npy has 2 rows, its .ids.txt has 3; give one id for each row, in the same order",
    ),
    "vectors that are no table": (
        lambda asked: features(asked, ["t0", "t1"], np.ones(2)),
        [],
        "features/text.image.npy is not [items, width]; given: (2,); save a table of one row an item",
    ),
    "a class with one example": (
        one_label_of_a_class,
        [],
        "a class with one example can be trained or asked, not both: class rare of text.topic; given: 1 for 3 + 1; label more",
    ),
    "a class with too few labels": (
        nothing,
        ["--split.labels.k=12"],
        "too few labels to train and ask: class x of text.topic; given: 12 for 12 + 1; label more, lower split.labels.k",
    ),
    "a label for an unknown item": (
        lambda asked: asked.add("labels.csv", "t99,topic,x"),
        [],
        "labels.csv, row 36, column 'id': no item has this id; given: 't99'; add it to the items, or correct it",
    ),
    "labels that contradict each other": (
        lambda asked: asked.add("labels.csv", *(f"t{i},topic,y" for i in range(0, 12, 3))),
        ["--tasks.1.multi=false"],
        "labels contradict each other: an item has several values of text.topic, and multi is false; given: t0: x, y; keep one",
    ),
    "an open class that is not there": (
        nothing,
        ["--split.labels.open=[w]"],
        "split.labels.open: no field has this class; given: w; classes: x, y, z",
    ),
    "a field with one value": (
        lambda asked: asked.add("labels.csv", *(f"t{i},mood,calm" for i in range(20))),
        ["--tasks.1.field=mood"],
        "text.mood has one value, nothing to tell apart; given: calm; ask another field",
    ),
    "a class with no training label": (
        given_split_without_a_class,
        ["--split.labels.method=given"],
        "a class has no training label: z of text.topic; label an item of it, leave the class out, or name",
    ),
    "a relation with fewer edges than splits": (
        few_links,
        ["--tasks.0.relation=user/met/user"],
        "user/met/user has fewer links than splits; given: 2 for 3; give more links, or take another relation",
    ),
    "an unknown relation in a task": (
        nothing,
        ["--tasks.0.relation=text/folows/text"],
        "the graph has no such relation to predict; given: text/folows/text; did you mean text/follows/text",
    ),
    "no relation at all in a task": (
        nothing,
        ["--tasks.0.relation=follows"],
        "a relation has three names; given: follows; write it as source-kind/name/target-kind",
    ),
    "an unknown field in a task": (
        nothing,
        ["--tasks.1.field=topc"],
        "no item has a label of this field; given: topc; fields with labels: topic",
    ),
    "an unknown kind in a task": (
        nothing,
        ["--tasks.0.relation=video/follows/text"],
        "a task asks about a kind that no item is of; given: video of video/follows/text; kinds: text, user",
    ),
    "no tasks": (nothing, ["--tasks=[]"], "tasks is empty: there is nothing to train for; ask for Links or Categories"),
    "fanouts that do not fit the depth": (
        nothing,
        ["--model.batches.mode=neighbours", "--model.batches.fanouts=[3]"],
        "model.batches.fanouts needs one number a layer; given: 1 numbers for depth 2; give as many fanouts as model.depth",
    ),
    "an encoder of another modality": (
        nothing,
        ["--encoders.text=[image_statistics]"],
        "encoders.text: image_statistics reads image; list it under encoders.image",
    ),
    "shares that leave nothing": (
        nothing,
        ["--split.links.valid=0.5", "--split.links.test=0.5"],
        "split.links.valid and test are shares that leave something for train; given: valid 0.5, test 0.5; lower them",
    ),
    "links that tell a label": (
        lambda asked: asked.add("links.csv", *(f"t{i},about,u{i % 3}" for i in range(36))),
        [],
        "a leak: text/about/user tells text.topic",
    ),
    "a relation under another name": (
        lambda asked: asked.add("links.csv", *again(asked)),
        [],
        "a leak: text/before/text repeats",
    ),
    "a leak of no known name is admitted": (nothing, ["--split.admit=[reversed]"], "split.admit[0]: "),
    "no epochs": (
        nothing,
        ["--trainer.max_epochs=0"],
        "trainer.max_epochs leaves no epoch that could be taken; given: 0; raise",
    ),
    "no validation": (
        nothing,
        ["--trainer.limit_val_batches=0"],
        "trainer.limit_val_batches leaves no epoch that could be taken; given: 0; raise it above 0",
    ),
    "validation after the last epoch": (
        nothing,
        ["--trainer.check_val_every_n_epoch=3"],
        "trainer: no epoch would be looked at, so none could be taken; given: check_val_every_n_epoch 3, max_epochs 2;",
    ),
    "a negative number of epochs": (nothing, ["--trainer.max_epochs=-3"], "trainer: Lightning refuses these arguments"),
    "a precision that is none": (nothing, ["--trainer.precision=9-false"], "trainer: Lightning refuses these arguments"),
    "an edge builder of an unknown kind": (
        nothing,
        ["--graph.edges=[{class_path: Similar, init_args: {kind: photo}}]"],
        "Similar finds no such features; given: photo.None; there are: text.text",
    ),
    "an edge builder of an unknown relation": (
        nothing,
        ["--graph.edges=[{class_path: CoOccurrence, init_args: {relation: user/lkes/text}}]"],
        "CoOccurrence cannot count over this relation; given: user/lkes/text; take a relation between two kinds: user/likes/text",
    ),
    "a relation of an edge builder that is not there": (
        nothing,
        ["--graph.edges=[similar]", "--tasks.0.relation=text/similar/text"],
        "the graph has no such relation to predict; given: text/similar/text; did you mean text/similar_text/text",
    ),
    "an unknown relation whose weights are told": (
        nothing,
        ["--model.valued=[user/lkes/text]"],
        "model.valued",
    ),
    "an accelerator that is not there": (
        nothing,
        ["--trainer.accelerator=abacus"],
        "trainer: Lightning refuses these arguments",
    ),
}


def _encoded(asked):
    return list((asked.run.parent / "store").rglob("*.npy"))


@pytest.mark.parametrize("case", CASES)
def test_it_is_one_line_and_nothing_is_lost(asked, case):
    spoil, words, message = CASES[case]
    spoil(asked)
    base = str(asked.root.parent)
    before = contents(asked.root)
    status, out, err = asked(*(word.replace("{base}", base) for word in words))
    assert err.startswith(f"mmgraph: {message.replace('{base}', base)}"), err
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert contents(asked.root) == before
    assert not half_written(base)
    assert not (asked.run / "metrics.json").exists()
    assert not _encoded(asked)


@pytest.mark.parametrize(("words", "left"), [
    (["--split.links.valid=0.9", "--split.links.test=0.2"], []),
    (["--tasks.1.field=topc"], ["settings.yaml"]),
    (["--tasks.0.relation=video/follows/text"], ["settings.yaml"]),
])  # fmt: skip
def test_what_can_be_known_before_is_said_before_anything_is_encoded(asked, words, left):
    assert asked(*words)[0] == 2
    assert (sorted(path.name for path in asked.run.iterdir()) if asked.run.exists() else []) == left


def test_links_that_only_vectors_tell_may_be_asked(asked):
    """Also where nothing else is on validation by which a model could be chosen."""
    links = {"class_path": "Links", "init_args": {"relation": "text/similar_text/text", "scorer": "dist_mult"}}
    asked.set(graph={"edges": ["similar"]}, outputs={"report": False}, tasks=[links])
    status, _, err = asked("--model.candidates=[{layer: sage}, {layer: sgc}]")
    assert (status, err) == (0, "")


def test_an_admitted_leak_is_a_note_of_the_run(asked):
    asked.add("links.csv", *again(asked))
    assert asked("--split.admit=[inverse_relation]")[0] == 0
    notes = json.loads((asked.run / "graph.json").read_text())["notes"]
    (note,) = [note for note in notes if note.startswith("admitted leak inverse_relation: text/before/text repeats")]
    assert note in (asked.run / "log.jsonl").read_text()
    report = (asked.run / "report" / "index.html").read_text()
    assert report.index("admitted leak inverse_relation") < report.index('id="metrics"')


def test_a_mended_mistake_needs_no_other_folder(asked):
    assert asked("--tasks.0.relation=text/folows/text")[0] == 2
    status, out, err = asked("--outputs.report=false")
    assert (status, err) == (0, "")
    assert _encoded(asked)
    assert out.splitlines()[-1] == str(asked.run)


def test_nothing_usable_is_left_is_exit_1(asked, capsys):
    root = asked.root.parent / "broken"
    root.mkdir()
    (root / "a.mp4").write_bytes(b"no video")
    (root / "b.png").write_bytes(b"no image")
    status, _, err = asked("--catalogue.class_path=Folder", f"--catalogue.root={root}")
    assert status == 1
    assert err.splitlines()[-1].startswith("mmgraph: nothing usable is left: none of 2 files can be read; the first: ")


def test_a_run_made_by_other_settings_is_kept(asked):
    assert asked()[0] == 0
    before = contents(asked.run)
    assert {"metrics.json", "settings.yaml", "report/index.html"} <= before.keys()
    status, out, err = asked("--model.depth=1")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(
        f"mmgraph: {asked.run} holds a run made by other settings; given: model.depth: 1 instead of 2; choose"
    )
    assert contents(asked.run) == before
    assert asked("--model.depth=1", "--restart")[0] == 0
    assert "depth: 1" in (asked.run / "settings.yaml").read_text()


def test_a_folder_that_is_no_run_is_kept(asked):
    asked.run.mkdir(parents=True)
    (asked.run / "thesis.txt").write_text("years of work")
    status, _, err = asked()
    assert (status, err) == (
        2, f"mmgraph: run.dir is no run folder and not empty; given: {asked.run}; choose another run.dir\n",
    )  # fmt: skip
    assert list(contents(asked.run)) == ["thesis.txt"]


@pytest.mark.parametrize("late", ["metrics.json", "links.parquet", "text.npy", "index.html", "graph.safetensors", "/store/"])
def test_a_full_disk(asked, monkeypatch, late):
    sync = os.fsync

    def full(file):
        if late in str(Path(f"/proc/self/fd/{file}").readlink()):
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(file)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        status, out, err = asked()
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("mmgraph: cannot write ")
    assert late in err
    assert "; given: No space left on device; free or choose another disk" in err
    assert not half_written(asked.root.parent)
    if late == "metrics.json":
        assert asked()[0] == 0
        assert (asked.run / "metrics.json").exists()


def test_a_disk_that_is_full_at_a_checkpoint(asked, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "temporary", None, "best.ckpt")  # as copying a file does

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", full)
        status, _, err = asked()
    told = "mmgraph: the machine refused: best.ckpt No space left on device; free or choose another folder\n"
    assert (status, err) == (2, told)
    assert not half_written(asked.root.parent)
    assert asked()[0] == 0


def test_a_folder_that_cannot_be_made(asked):
    (asked.root.parent / "file").write_text("")
    status, _, err = asked(f"--run.dir={asked.root.parent}/file/run")
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith(f"mmgraph: cannot write {asked.root.parent}/file/run/settings.yaml; given: ")
    assert err.endswith("; free or choose another disk\n")


def test_a_read_only_output_folder(asked, monkeypatch):
    """Root may write everywhere, so the file system's answer is simulated."""
    asked.run.mkdir(parents=True)
    write = type(asked.run).write_text

    def refuse(path, *words, **named):
        if asked.run in path.parents:
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        return write(path, *words, **named)

    monkeypatch.setattr("pathlib.Path.write_text", refuse)
    status, _, err = asked()
    assert (status, err) == (
        2, f"mmgraph: cannot write {asked.run}/settings.yaml; given: Read-only file system; free or choose another disk\n",
    )  # fmt: skip
    assert not contents(asked.run)


def test_ctrl_c_while_encoding(asked, monkeypatch):
    """Exit 130, the line that says how to go on; the parts that were encoded stay encoded."""
    monkeypatch.setattr("mmgraph.graph.collect.fill", functools.partial(fill, part=4))
    given = []
    encode = HashedNgrams._encode

    def interrupted(self, clips):
        given.extend(clips)
        if len(given) > 8:
            signal.raise_signal(signal.SIGINT)
        return encode(self, clips)

    with monkeypatch.context() as patched:
        patched.setattr(HashedNgrams, "_encode", interrupted)
        status, out, err = asked("--encoders.batch=4")
    assert (status, out, err) == (130, "", "mmgraph: interrupted; the same command goes on from here\n")
    assert not half_written(asked.root.parent)
    again = []
    monkeypatch.setattr(HashedNgrams, "_encode", lambda self, clips: again.extend(clips) or encode(self, clips))
    assert asked("--encoders.batch=4")[0] == 0
    assert len(again) == 36 - 8
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_while_training(asked, monkeypatch):
    """Lightning makes exit status 1 of Ctrl-C, and leaves it ignored; here it is 130, and heard again."""
    loss, steps = LinkHead.loss, []

    def interrupted(self, *words):
        steps.append(1)
        if len(steps) == 8:
            signal.raise_signal(signal.SIGINT)
        return loss(self, *words)

    with monkeypatch.context() as patched:
        patched.setattr(LinkHead, "loss", interrupted)
        status, out, err = asked("--trainer.max_epochs=12")
    assert (status, out, err) == (130, "", "mmgraph: interrupted; the same command goes on from here\n")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert (asked.run / "checkpoints" / "last.ckpt").exists()
    assert not half_written(asked.run)
    assert asked("--trainer.max_epochs=12")[0] == 0
    resumed = (asked.run / "metrics.json").read_bytes()
    assert asked("--trainer.max_epochs=12", "--restart")[0] == 0
    assert (asked.run / "metrics.json").read_bytes() == resumed
