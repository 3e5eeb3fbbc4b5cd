"""YAML and the command line's overrides -> Settings; whatever is wrong is named by its key."""

import re
from pathlib import Path

import msgspec
import pytest

from mmgraph import registry
from mmgraph.configuration import describe, dump, load
from mmgraph.errors import SettingsError
from mmgraph.settings import Component, ModelSettings, Settings, normal

CONFIGS = sorted((Path(__file__).resolve().parents[2] / "configs").glob("*.yaml"))
SMALL = """
catalogue: {class_path: Folder, init_args: {root: here}}
tasks:
  - {class_path: Links, init_args: {relation: a/b/c}}
  - {class_path: Categories, init_args: {field: f}}
"""


@pytest.fixture
def read(tmp_path):
    def call(*overrides, text=SMALL):
        path = tmp_path / "some.yaml"
        path.write_text(text)
        return load(path, overrides)

    return call


def test_there_are_configs():
    assert len(CONFIGS) >= 3


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_reads_and_its_dump_reads_to_the_same(path, tmp_path):
    settings = load(path)
    again = tmp_path / "again.yaml"
    again.write_text(dump(settings))
    assert load(again) == settings
    assert settings.tasks


def test_an_argument_may_be_named_without_init_args(read):
    assert read("--catalogue.root", "x").catalogue.init_args == {"root": "x"}
    assert read("--catalogue.init_args.root=x").catalogue.init_args == {"root": "x"}


def test_an_override_reaches_into_lists(read):
    settings = read("--tasks.1.field", "genre", "--tasks.0.relation=a/b/d")
    assert settings.tasks[1].init_args == {"field": "genre"}
    assert settings.tasks[0].init_args == {"relation": "a/b/d"}


def test_a_bare_name_gets_arguments(read):
    layer = read("--model.layer", "gat", "--model.layer.heads", "2").model.layer
    assert layer == Component(class_path="gat", init_args={"heads": 2})
    assert normal("sage") == Component(class_path="sage")


def test_values_are_yaml(read):
    settings = read(
        "--encoders.image", "[image_statistics]", "--encoders.store", "null", "--trainer", "{max_epochs: 3}",
        "--split.check_leaks=false", "--model.learning_rate=1e-2", "--run.dir=a=b",
    )  # fmt: skip
    assert settings.encoders.image == ("image_statistics",)
    assert settings.encoders.store is None
    assert settings.trainer == {"max_epochs": 3}
    assert settings.split.check_leaks is False
    assert settings.run.dir == Path("a=b")


def test_a_number_with_an_exponent_is_a_number_however_it_is_written(read):
    assert read("--model.learning_rate", "1e-2").model.learning_rate == 0.01


def test_the_last_of_two_overrides_counts(read):
    assert read("--run.seed", "1", "--run.seed", "2").run.seed == 2


WRONG = {
    ("--rum.seed", "1"): "rum is not a setting; given: .*did you mean run",
    ("--run.sed", "1"): "run.sed is not a setting; given: 1; did you mean seed",
    ("--run.bogus", "1"): "run.bogus is not a setting; given: 1; known: dir, seed",
    ("--run.seed", "1.5"): "run.seed: expected int, got float; given: 1.5; give int >= 0",
    ("--run.seed", "-1"): "run.seed: expected int >= 0; given: -1",
    ("--run", "3"): "run: expected object, got int; given: 3; it has the keys dir, seed",
    ("--run.dir", "on"): "run.dir: expected Path, got bool; given: True; give path",
    ("--run.seed", "1", "--run.seed.x", "1"): "--run.seed.x: seed has no keys; given: 1",
    ("--run.seed",): "--run.seed has no value; write --run.seed VALUE",
    ("seed",): "no such argument; given: seed",
    ("--.x", "3"): "a key has an empty part; given: --.x",
    ("--run.seed", "[1"): r"--run.seed is not a YAML value; given: \[1",
    ("--model.width", "0"): "model.width: expected int >= 1; given: 0",
    ("--model.dropout", "2"): "model.dropout: expected float <= 1.0; given: 2; give float >= 0 and <= 1",
    ("--outputs.formats", "[json]"): r"outputs.formats\[0\]: .*given: json; give one of parquet, csv",
    ("--graph.edges", "follows"): "graph.edges: expected array, got str; given: follows; give a list",
    ("--model.batches.fanouts", "[1, a]"): r"model.batches.fanouts\[1\]: expected int, got str; given: a",
    ("--evaluate.baselines", "popularity"): "evaluate.baselines: .*give a list of str or all",
    ("--evaluate.baselines", "[popularitty]"): r"evaluate.baselines\[0\]: no baseline .*did you mean popularity",
    ("--tasks.9.field", "a"): "--tasks.9.field: no such place in the list; given: 9; it has 0 to 1",
    ("--tasks.x.field", "a"): "--tasks.x.field: no such place in the list; given: x",
    ("--tasks.0.field", "a"): r"tasks\[0\].field is not an argument of Links; given: a; it takes: relation",
    ("--tasks.0.relaton", "a"): r"tasks\[0\].relaton is not an argument of Links; given: a; did you mean relation",
    ("--tasks.0.relation", "3"): r"tasks\[0\].relation: expected str, got int; given: 3",
    ("--tasks.0.scorer", "dots"): r"tasks\[0\].scorer: no scorer of this name; given: dots; did you mean dot\?",
    ("--tasks.0.scorer.width", "5"): r"tasks\[0\].scorer: .*write a name, or {class_path",
    ("--tasks.0.loss", "bpe"): r"tasks\[0\].loss: no loss of this name; given: bpe; did you mean bpr",
    ("--tasks.0.negatives", "unifrom"): r"tasks\[0\].negatives: no negative sampler .*did you mean uniform",
    (
        "--model.layer",
        "sage",
        "--model.layer.heads",
        "2",
    ): "model.layer.heads is not an argument of Sage; given: 2; it takes: nothing",
    ("--model.layer", "{}"): "model.layer.class_path is missing; add it",
    ("--catalogue", "Folder"): "catalogue: Folder needs root; given: .*add it",
    ("--catalogue", "{class_path: Folder, init_arg: {root: x}}"): "catalogue.init_arg is not .*did you mean init_args",
    ("--catalogue.class_path", "Tabels"): "catalogue: no importer of this name; given: Tabels; did you mean tables",
    ("--catalogue.labels_from", "names"): "catalogue.labels_from: .*given: names; its type is Literal",
    ("--encoders.image", "[image_statistic]"): r"encoders.image\[0\]: no encoder .*did you mean image_statistics",
    (
        "--trainer.max_epoch",
        "3",
    ): "trainer.max_epoch is not an argument of lightning.Trainer; given: 3; did you mean max_epochs",
    ("--trainer.max_epochs", "many"): "trainer.max_epochs: expected int .*given: many",
}


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_a_wrong_word_is_named(read, words):
    with pytest.raises(SettingsError, match=WRONG[words]) as raised:
        read(*words)
    assert "\n" not in str(raised.value)


TEXTS = {
    "": "holds no settings; write",
    "3": "holds no settings; given: 3",
    "a: [": "is not YAML; given: .*line 2",
    "run: {}": "catalogue is missing; add it to the YAML",
    SMALL + "mdel: {}": "mdel is not a setting; given: .*did you mean model",
    SMALL + "1: 2": "the configuration: expected str as a key",
    SMALL + "run: {seed: 1}\nrun: {seed: 2}": "the key run is there twice",
    SMALL + "run: {seed: 1, seed: 2}": "the key seed is there twice",
    "catalogue: {class_path: Folder, init_args: [root]}": r"catalogue.init_args: expected object, got array; given: \['root'\]",
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_wrong_file_is_named(read, text):
    with pytest.raises(SettingsError, match=TEXTS[text]):
        read(text=text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"cannot read the configuration; given: .*no.yaml; No such file"):
        load(tmp_path / "no.yaml")


def test_a_file_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="no UTF-8 text; given: .*save it as UTF-8"):
        load(path)


def test_yaml_merge_keys_work_and_may_be_overridden(read):
    text = SMALL + "split:\n  links: &a {valid: 0.2, method: given}\n  labels: {<<: *a, method: fraction}\n"
    split = read(text=text).split
    assert (split.labels.valid, split.labels.method, split.links.method) == (0.2, "fraction", "given")


def test_describe_names_every_setting_with_type_and_default():
    told = describe()
    for key, kind, default in (
        ("model.width", "int >= 1", "128"),
        ("run.dir", "path", "runs/run"),
        ("split.links.cold", "one of target, source, both, parent", "target"),
        ("catalogue", "a class", "required"),
        ("trainer", "a map of keys to values", "{}"),
    ):
        assert re.search(rf"^--{re.escape(key)}  {kind}  \[{re.escape(default)}\]$", told, re.M), key
    lines = [line for line in told.splitlines() if line.startswith("--")]
    assert len(lines) == sum(1 for _ in leaves(Settings))


def leaves(section):
    for field in msgspec.structs.fields(section):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from leaves(field.type)
        else:
            yield field.name


def test_a_path_may_be_given_in_python(tmp_path):
    given = {"root": tmp_path, "more": [Path("a/b"), {"c": (Path("d"), 1)}]}
    one = Component(class_path="Folder", init_args=given)
    assert one.init_args == {"root": str(tmp_path), "more": ["a/b", {"c": ("d", 1)}]}
    assert given["root"] is tmp_path, "what was given stays as it is"
    settings = Settings(
        catalogue=Component(class_path="Folder", init_args={"root": tmp_path}), trainer={"default_root_dir": tmp_path}
    )
    assert registry.create("importer", settings.catalogue).root == tmp_path
    (tmp_path / "it.yaml").write_text(dump(settings))
    again = load(tmp_path / "it.yaml")
    assert again.catalogue == settings.catalogue
    assert again.trainer == {"default_root_dir": str(tmp_path)}


def test_settings_are_frozen():
    with pytest.raises(AttributeError):
        ModelSettings().width = 3
