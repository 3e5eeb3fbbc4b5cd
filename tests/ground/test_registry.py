"""What can be named in the YAML, found by file and by entry point, read without being imported."""

import importlib
import importlib.metadata
import inspect
import sys
from pathlib import Path

import pytest

from mmgraph import registry
from mmgraph.errors import SettingsError
from mmgraph.settings import Component

NAMES = {
    "importer": {"dgl_csv", "edge_list", "folder", "graph_ml", "neo4j", "pyg", "tables", "triples"},
    "edge builder": {"attached", "co_occurrence", "contains", "follows", "item_graph", "similar", "similar_where_few"},
    "layer": {
        "appnp", "comp_gcn", "gat", "gat_v2", "gcn", "grand", "hgt", "kgat", "light_gcn", "light_gcn_pp", "rgcn",
        "sage", "sgc",
    },
    "label method": {"consistency", "information", "self_training"},
    "scorer": {"compl_ex", "cosine", "dist_mult", "dot", "mlp", "rescal", "rotat_e", "trans_e"},
    "loss": {"bce", "bpr", "cosine_contrastive", "cross_entropy", "direct_au", "info_nce", "margin", "self_adversarial"},
    "regulariser": {"l2", "n3"},
    "readout": {"attention", "max", "mean", "set2_set"},
    "negative sampler": {"every", "in_batch", "uniform"},
    "task": {"bootstrap", "categories", "facts", "graph_categories", "links", "masked", "paths", "recommend"},
    "link baseline": {"adamic_adar", "common_neighbours", "fast_rp", "nearest", "next_in_time", "popularity", "resource_allocation"},
    "label baseline": {"correct_and_smooth", "label_propagation", "logistic_regression", "majority", "smoothed_regression"},
    "recommend baseline": {"content_knn", "ials", "sasrec", "similar_users", "slim", "transitions"},
    "rating baseline": {"biases", "factors", "global_mean", "rated_knn"},
    "grouping": {"answer_degree", "modality", "query_degree", "relation", "warmth"},
    "clustering": {"hdbscan", "kmeans", "leiden", "louvain"},
    "strategy": {"badge", "core_set", "random", "typical", "uncertain"},
    "encoder": {
        "audio_transformer", "clap", "hashed_ngrams", "image_statistics", "minilm_wheel", "open_clip_image", "open_clip_text",
        "sentence_transformer", "sound_statistics", "vision_transformer",
    },
}  # fmt: skip


def entries():
    return [(group, name) for group in (*registry.GROUPS, "encoder") for name in registry.discover(group)]


def test_every_group_is_looked_at():
    assert {*registry.GROUPS, "encoder"} == NAMES.keys()


@pytest.mark.parametrize("group", NAMES)
def test_a_group_has_its_short_names(group):
    assert NAMES[group] <= set(registry.discover(group))


@pytest.mark.parametrize("group", registry.GROUPS)
def test_every_file_of_a_group_is_one_entry(group):
    folder = Path(importlib.import_module(registry.GROUPS[group]).__file__).parent
    files = [path for path in folder.glob("*.py") if path.stem != "__init__"]
    assert len(registry.discover(group)) == len(files) > 0


@pytest.mark.parametrize(("group", "name"), entries())
def test_what_is_read_from_the_source_is_what_is_imported(group, name):
    entry = registry.discover(group)[name]
    loaded = entry.load()
    assert loaded.__module__ == entry.module
    parameters = inspect.signature(loaded).parameters.values()
    keywords = [one for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY]
    required = {one.name: one.default is inspect.Parameter.empty for one in keywords}
    assert {key: needed for key, (_, needed) in entry.arguments.items()} == required
    assert loaded.__doc__


@pytest.mark.parametrize("name", ["in_batch", "InBatch", "in-batch", "inbatch", "mmgraph.model.negatives.in_batch.InBatch"])
def test_one_class_has_several_ways_to_be_named(name):
    assert registry.find("negative sampler", name).name == "InBatch"


@pytest.mark.parametrize(
    ("group", "wrong", "near"),
    [
        ("importer", "foldr", "folder"),
        ("layer", "sagee", "sage"),
        ("scorer", "distmul", "dist_mult"),
        ("encoder", "clapp", "clap"),
    ],
)
def test_an_unknown_name_has_a_near_one(group, wrong, near):
    with pytest.raises(SettingsError, match=rf"no {group} of this name; given: {wrong}; did you mean {near}\?.* known: "):
        registry.find(group, wrong)


def test_a_name_near_to_nothing_lists_all():
    with pytest.raises(
        SettingsError,
        match="given: xyzzy; known: bce, bpr, cosine_contrastive, cross_entropy, direct_au, info_nce, margin, self_adversarial$",
    ):
        registry.find("loss", "xyzzy")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "here: Folder needs root; given: {}; add it"),
        ({"root": 3}, "here.root: expected Path, got int; given: 3; its type is Path"),
        ({"root": "x", "labels_from": "tags"}, "here.labels_from: invalid enum value 'tags'; given: tags"),
        ({"root": "x", "labels": 1}, "here.labels is not an argument of Folder; given: 1; did you mean labels_from"),
        (
            {"root": "x", "zzz": 1},
            "here.zzz is not an argument of Folder; given: 1; it takes: root, labels_from, parents_from",
        ),
    ],
)
def test_arguments_are_checked_and_named(arguments, message):
    with pytest.raises(SettingsError) as raised:
        registry.check("importer", Component(class_path="Folder", init_args=arguments), "here")
    assert message in str(raised.value)


def test_arguments_are_converted_when_built():
    built = registry.create("importer", Component(class_path="Folder", init_args={"root": "x"}))
    assert built.root == Path("x")


def test_what_the_pipeline_supplies_comes_first():
    assert registry.create("scorer", "dot", 8) is not None
    with pytest.raises(SettingsError, match="it takes"):
        registry.create("scorer", Component(class_path="dot", init_args={"width": 8}), 8)


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """A third party's package, on the path but not imported."""
    package = tmp_path / "theirs_for_test"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "tone.py").write_text(
        "raise_at_import = 1 / 1\n"
        "class _Hidden: pass\n"
        "class Tone:\n"
        "    def __init__(self, *, pitch: int, name: str = 'a', odd: 'Elsewhere' = None) -> None:\n"
        "        self.pitch, self.name, self.odd = pitch, name, odd\n"
    )
    (package / "broken.py").write_text("class (:\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "theirs_for_test"
    for name in [name for name in sys.modules if name.startswith("theirs_for_test")]:
        del sys.modules[name]


def test_a_dotted_path_is_anyones_class(theirs):
    component = Component(class_path=f"{theirs}.tone.Tone", init_args={"pitch": 3, "odd": [1]})
    registry.check("encoder", component, "encoders.audio[0]")
    assert f"{theirs}.tone" not in sys.modules
    built = registry.create("encoder", component)
    assert (type(built).__name__, built.pitch, built.odd) == ("Tone", 3, [1])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("tone.Tune", "no class Tune in theirs_for_test.tone; check class_path"),
        ("tune.Tone", "no such module of Python source; given: theirs_for_test.tune"),
        ("broken.Tone", "the module theirs_for_test.broken cannot be read; given: invalid syntax"),
    ],
)
def test_a_wrong_dotted_path_is_said(theirs, path, message):
    with pytest.raises(SettingsError) as raised:
        registry.check("encoder", f"{theirs}.{path}", "encoders.audio[0]")
    assert f"encoders.audio[0]: {message}" in str(raised.value)


def test_their_arguments_are_checked_as_ours_are(theirs):
    with pytest.raises(SettingsError, match=r"e\[0\].pitch: expected int, got str; given: high"):
        registry.check("encoder", Component(class_path=f"{theirs}.tone.Tone", init_args={"pitch": "high"}), "e[0]")


@pytest.mark.parametrize("path", ["no.such.Thing", "os.path.join", "itertools.chain", ".Folder"])
def test_no_dotted_path_ends_in_a_traceback(path):
    with pytest.raises(SettingsError, match="no such module of Python source"):
        registry.find("importer", path)


def test_an_encoder_comes_by_entry_point_and_a_broken_one_harms_no_other(theirs, monkeypatch):
    points = [
        importlib.metadata.EntryPoint("tone", f"{theirs}.tone:Tone", registry.ENCODER_GROUP),
        importlib.metadata.EntryPoint("gone", "not_there_at_all.x:Y", registry.ENCODER_GROUP),
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)
    remembered = registry.discover, registry._points
    for one in remembered:
        one.cache_clear()
    try:
        with pytest.warns(UserWarning, match="the installed encoder gone is left out: no such module"):
            found = registry.discover("encoder")
        assert set(found) == {"tone"}
        assert registry.find("encoder", "Tone").module == f"{theirs}.tone"
    finally:
        for one in remembered:
            one.cache_clear()


def test_anything_may_be_built_by_its_path():
    built = registry.import_and_build({"class_path": "fractions.Fraction", "init_args": {"numerator": 1, "denominator": 2}})
    assert str(built) == "1/2"
    for wrong, message in (
        ({"class_path": "fractions.Fractoin"}, "fractions.Fractoin cannot be built"),
        ({"class_path": "fractions.Fraction", "init_args": {"a": 1}}, "fractions.Fraction cannot be built"),
        ({"class_pat": "x"}, "no {class_path, init_args}"),
        (3, "no {class_path, init_args}"),
    ):
        with pytest.raises(SettingsError, match=message):
            registry.import_and_build(wrong)


def test_the_trainers_arguments_are_lightnings():
    import lightning

    known = set(inspect.signature(lightning.Trainer.__init__).parameters) - {"self"}
    assert set(registry._trainer_arguments()) == known
    registry.check_trainer({"max_epochs": 3, "accelerator": "cpu", "precision": "bf16-mixed", "devices": [0], "logger": False})
