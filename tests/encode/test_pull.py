"""Pull -> use without network, by the hub's own client, from a hub on this machine."""

import json
import shutil

import pytest
import torch
import transformers
from hub_made import Hub, served

from mmgraph import registry
from mmgraph.cli import main
from mmgraph.encode import hub as asking
from mmgraph.encode.contract import Repository
from mmgraph.encode.fetch import HubClosed, fetch
from mmgraph.encode.pull import pull
from mmgraph.errors import EncoderError
from mmgraph.media.clip import Words
from mmgraph.settings import Component, EncoderSettings

TINY = "someone/tiny-bert"
BIG = {"tf_model.h5": b"0" * 5000, "onnx/model.onnx": b"0" * 5000, "README.md": b"# tiny", "pytorch_model.bin": b"0" * 100}


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A repository as people publish them: weights in several formats, of which one is wanted."""
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "man", "is", "eating"]
    (folder / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizer(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.BertConfig(vocab_size=len(words), max_position_embeddings=64, **sizes)
    transformers.BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    for name, data in BIG.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """An empty cache, and libraries that forget what they know of the hub; ``fresh(endpoint)`` sets where it is."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HOME", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    cache = tmp_path / "cache"
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))

    def online(endpoint):
        monkeypatch.setenv("HF_HUB_OFFLINE", "")
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
        monkeypatch.setattr("huggingface_hub.hf_api.api.endpoint", endpoint)
        monkeypatch.setattr("transformers.utils.hub._hf_api", None)
        template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        asking.forget()
        return cache

    yield online
    asking.forget()


@pytest.fixture
def hub(bert, fresh):
    with served(Hub({TINY: {"main": bert, "v2": bert}})) as made:
        fresh(made.endpoint)
        yield made


def text(*components):
    return EncoderSettings(image=(), audio=(), text=components)


def tiny(**more):
    return Component(class_path="sentence_transformer", init_args={"model": TINY, **more})


@pytest.fixture
def config(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "one.txt").write_text("a man")
    path = tmp_path / "tiny.yaml"
    path.write_text(
        json.dumps(
            {
                "run": {"dir": str(tmp_path / "run")},
                "catalogue": {"class_path": "Folder", "init_args": {"root": str(tmp_path / "notes")}},
                "encoders": {"text": [{"class_path": "sentence_transformer", "init_args": {"model": TINY}}], "audio": []},
            }
        )
    )
    return path


def test_pull_then_run_without_network(hub, config, tmp_path, capsys, fresh):
    assert main(["encoders", "pull", "--config", str(config)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("image: image_statistics is here (none)")
    assert out[1].startswith(f"text: sentence_transformer: {TINY} at {hub.commit(TINY)[:12]}, ")
    assert out[-1] == "no network is needed from here on: --encoders.offline true"
    snapshot = tmp_path / "cache" / "models--someone--tiny-bert" / "snapshots" / hub.commit(TINY)
    assert {"config.json", "model.safetensors"} <= {path.name for path in snapshot.iterdir()}
    assert not {path.name for path in snapshot.iterdir()} & {name.partition("/")[0] for name in BIG}
    hub.asked.clear()
    fresh(hub.endpoint)
    assert main(["encode", "--config", str(config), "--encoders.offline=true"]) == 0
    assert "text: 1 encoded 0 cached 0 absent by sentence_transformer" in capsys.readouterr().out
    assert hub.asked == []
    card = json.loads(next((tmp_path / "store").glob("*/card.json")).read_text())
    assert (card["weights"], card["revision"]) == (TINY, hub.commit(TINY))
    fresh(hub.endpoint)
    assert main(["encode", "--config", str(config)]) == 0
    assert "text: 0 encoded 1 cached" in capsys.readouterr().out
    assert hub.asked == []  # its card is remembered, and its commit is known


def test_pull_into_a_folder_and_what_to_write(hub, config, tmp_path, capsys, fresh):
    assert main(["encoders", "pull", "--config", str(config), "--to", str(tmp_path / "weights")]) == 0
    folder = tmp_path / "weights" / "tiny-bert"
    setting = f"encoders.text[0].init_args.model: {folder}"
    assert ["write in the configuration:", f"  {setting}"] == capsys.readouterr().out.splitlines()[2:4]
    hub.asked.clear()
    key, value = setting.split(": ")
    word = f"--{key.replace('[0]', '.0')}={value}"
    assert main(["encode", "--config", str(config), "--encoders.offline=true", word]) == 0
    assert "text: 1 encoded" in capsys.readouterr().out
    assert hub.asked == []


def test_a_branch_becomes_a_commit_and_a_commit_stays(hub):
    for revision in ("v2", hub.commit(TINY, "v2")):
        (one,) = pull(text(tiny(revision=revision)))
        assert one.fetched.commit == hub.commit(TINY, "v2")
        encoder = registry.create("encoder", tiny(revision=revision))
        encoder.load()
        assert encoder.card.revision == hub.commit(TINY, "v2")
        assert encoder.encode([Words("a man")]).shape == (1, 16)


def test_sizes_are_those_of_the_files(hub, bert):
    (one,) = pull(text(tiny()))
    assert "vocab.txt" in one.fetched.files or "tokenizer.json" in one.fetched.files
    assert one.fetched.size == sum((bert / name).stat().st_size for name in one.fetched.files)


def test_weights_in_parts(hub, bert, tmp_path):
    parts = tmp_path / "parts"
    shutil.copytree(bert, parts)
    (parts / "model.safetensors").rename(parts / "model-00001-of-00001.safetensors")
    from safetensors import safe_open

    with safe_open(parts / "model-00001-of-00001.safetensors", "pt") as held:
        names = list(held.keys())
    index = {"metadata": {}, "weight_map": dict.fromkeys(names, "model-00001-of-00001.safetensors")}
    (parts / "model.safetensors.index.json").write_text(json.dumps(index))
    hub.folders[TINY] = {"main": parts}
    (one,) = pull(text(tiny()))
    assert one.reason is None
    assert {"model.safetensors.index.json", "model-00001-of-00001.safetensors"} <= set(one.fetched.files)


def test_the_first_that_can_be_had_or_all(hub):
    missing = Component(class_path="sentence_transformer", init_args={"model": "no/such"})
    hub.gated.add("closed/one")
    hub.folders["closed/one"] = hub.folders[TINY]
    gated = Component(class_path="sentence_transformer", init_args={"model": "closed/one"})
    found = list(pull(text(missing, gated, tiny(), "hashed_ngrams")))
    assert [one.reason is None for one in found] == [False, False, True]
    assert "no/such cannot be fetched; given: " in found[0].reason
    assert "check init_args.model; a private one needs: hf auth login" in found[0].reason
    assert "ask for access on its page" in found[1].reason
    assert len(list(pull(text(missing, tiny(), "hashed_ngrams"), every=True))) == 3
    with pytest.raises(EncoderError, match="encoders.text: no encoder can be had; given: sentence_transformer: no/such"):
        list(pull(text(missing)))


def test_a_revision_or_weights_that_are_not_there(hub, tmp_path):
    with pytest.raises(EncoderError, match="someone/tiny-bert cannot be fetched; given: .*; check init_args.revision"):
        fetch(Repository(TINY, "v9"))
    with pytest.raises(EncoderError, match=r"has none of a.safetensors; given: README.md, .*; name other weights"):
        fetch(Repository(TINY, files=("a.safetensors",)))


def test_a_closed_hub_is_one_line(fresh, config, capsys):
    fresh("http://127.0.0.1:9")
    assert main(["encoders", "pull", "--config", str(config)]) == 2
    _, err = capsys.readouterr()
    assert err.startswith(f"mmgraph: {TINY} cannot be fetched: 127.0.0.1 cannot be reached (")
    assert err.count("\n") == 1
    fresh("http://127.0.0.1:9")
    with pytest.raises(HubClosed):
        list(pull(text(tiny(), "hashed_ngrams")))  # not silently the next: a person asked for these


def test_without_hub_or_cache_a_pinned_revision_is_one_line(fresh, monkeypatch):
    cache = fresh("http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    encoder = registry.create("encoder", tiny(revision="v2"))
    assert encoder.available().startswith(f"{TINY} is not in {cache} and the hub is not asked")
    assert "mmgraph encoders pull --config FILE brings them" in encoder.available()
    assert encoder.identity() is None
    commit = "c0ffee" * 6 + "cafe"
    assert commit in registry.create("encoder", tiny(revision=commit)).identity()


def test_of_an_empty_configuration_nothing_is_pulled():
    assert list(pull(text())) == []
    assert [str(one) for one in pull(text("hashed_ngrams"))] == ["text: hashed_ngrams is here (none)"]
