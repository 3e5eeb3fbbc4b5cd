"""``mmgraph fit --dry-run``: says what a fit takes, in a short time, and leaves the run folder as it was."""

import re
import time

import pytest
from runs_made import Asked, contents

from mmgraph import registry
from mmgraph.configuration import load
from mmgraph.dry_run import Foretold, foretell
from mmgraph.graph.collect import Collected, foresee
from mmgraph.ingest import read, store_folder
from mmgraph.model.module import GraphModule
from mmgraph.model.rehearse import Clock
from mmgraph.model.resident import _STATUS
from mmgraph.model.train import train
from mmgraph.pipeline import assemble, built, divide


@pytest.fixture
def asked(tmp_path, capsys):
    return Asked(tmp_path, capsys)


def test_it_prints_the_tables_and_writes_nothing_into_the_run_folder(asked):
    status, out, err = asked("--dry-run")
    assert status == 0, err
    assert not asked.run.exists()
    assert re.search(r"text/follows/text +│ +2\d *│", out), out
    for part in ("(chosen)", "neighbours", "a training step", "highest in all", "one epoch (1 step of", "evaluation"):
        assert part in out
    assert "encoding 36 of text" in out
    if _STATUS.exists():
        assert re.search(r"process grew in rehearsal +│ +\d", out), out
    assert re.search(r"full batches; .* free; this took ", out)
    vectors = [name for name in contents(asked.run.parent / "store") if name.endswith(".npy")]
    assert not vectors, "nothing is encoded but into a folder that is thrown away"


def test_a_finished_run_stays_as_it_is_and_stored_vectors_are_not_encoded_again(asked):
    assert asked()[0] == 0
    before = contents(asked.run)
    status, out, err = asked("--dry-run")
    assert status == 0, err
    assert contents(asked.run) == before
    assert "encoding" not in out


def test_what_fit_refuses_a_dry_run_refuses(asked):
    status, _, err = asked("--dry-run", "--tasks.0.relation=text/hates/text")
    assert status == 2
    assert "text/hates/text" in err
    status, _, err = asked("--dry-run", "--model.adaptation.text.method=lora")
    assert status == 2
    assert "a dry run cannot foresee an encoder that is trained" in err
    status, _, err = asked("--dry-run", "--model.batches.memory_gb=0.0001")
    assert status == 2
    assert "training does not fit into memory" in err


def test_many_questions_are_timed_on_a_part(asked, monkeypatch):
    monkeypatch.setattr("mmgraph.dry_run._ASKED", 24)
    sizes = []

    def answered(trained, split, settings, seed):
        sizes.append(_held_out(split))
        time.sleep(0.2 + 0.02 * sizes[-1])

    monkeypatch.setattr("mmgraph.dry_run.answer", answered)
    settings = load(asked.config, [])
    told = foretell(settings)
    assert isinstance(told, Foretold)
    assert len(sizes) == 2
    assert sizes[0] < sizes[1] <= 20
    every = _held_out(divide(settings, _graph(settings), [registry.create("task", task) for task in settings.tasks]))
    assert told.evaluation == pytest.approx(0.2 + 0.02 * every, rel=0.3)
    assert told.total_s == pytest.approx(told.encoding_s + told.training.total + told.evaluation)


def test_an_epoch_takes_what_was_rehearsed(asked, monkeypatch):
    """Every step and validation waits, so that waiting outweighs what a busy machine adds."""
    plain, plain_valid = GraphModule.training_step, GraphModule.validation_step

    def slow(self, batch, number):
        time.sleep(0.15)
        return plain(self, batch, number)

    def slow_valid(self, batch, number):
        time.sleep(0.2)
        return plain_valid(self, batch, number)

    monkeypatch.setattr(GraphModule, "training_step", slow)
    monkeypatch.setattr(GraphModule, "validation_step", slow_valid)
    words = ["--model.batches.mode=steps", "--model.batches.size=5", "--model.layer=none"]
    settings = load(asked.config, words)
    told = foretell(settings)
    assert told.training.steps == 5
    tasks = [registry.create("task", task) for task in settings.tasks]
    module, data = built(settings, divide(settings, _graph(settings), tasks), tasks, {})
    clock = Clock()
    train(module, data, {"max_epochs": 3, "accelerator": "cpu"}, asked.run.parent / "checkpoints", settings.model, [clock])
    assert told.training.epoch == pytest.approx(min(clock.epochs[1:]), rel=0.3)


def _held_out(split):
    return sum(len(one.valid) + len(one.test) for one in (*split.links.values(), *split.labels.values()))


def _graph(settings):
    catalogue, content = read(settings)
    seen = foresee(catalogue, content, settings.encoders, settings.media, store_folder(settings))
    return assemble(settings, catalogue, Collected(features=seen.features), content)
