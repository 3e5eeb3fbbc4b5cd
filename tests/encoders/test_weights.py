import json
import socket
import threading

import pytest

from mmgraph.encode import hub
from mmgraph.errors import EncoderError
from mmgraph_encoders import weights
from mmgraph_encoders.contrastive import ContrastiveWeights


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty hub cache, a hub that is not asked, and nothing remembered of either."""
    for name in (
        "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE",
        "HF_HUB_CACHE",
        "HF_ENDPOINT",
        "https_proxy",
        "http_proxy",
        "HTTPS_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub-home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub.forget()
    yield tmp_path / "hub-home" / "hub"
    hub.forget()


def _cached_model(cache, files, commit="c0ffee", branch="main"):
    snapshot = cache / "models--some--model" / "snapshots" / commit
    snapshot.mkdir(parents=True)
    for name in files:
        (snapshot / name).write_text("{}")
    reference = cache / "models--some--model" / "refs" / branch
    reference.parent.mkdir(exist_ok=True)
    reference.write_text(commit)


def test_a_folder_is_there_or_not(tmp_path):
    assert weights.missing(str(tmp_path / "none")) == f"no folder {tmp_path / 'none'}; {weights._FOLDER}"
    assert f"{tmp_path} has no config.json with one of model.safetensors" in weights.missing(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_text("")
    assert weights.missing(str(tmp_path)) is None


def test_a_hub_id_is_in_the_cache_or_not(cache):
    assert weights.cache() == cache
    assert weights.missing("some/model").startswith(
        f"some/model is not in {cache} and the hub is not asked (encoders.offline or HF_HUB_OFFLINE is set); "
        "where the hub can be reached, mmgraph encoders pull --config FILE brings them; or set"
    )
    _cached_model(cache, ["config.json"])
    assert weights.missing("some/model") is not None  # a config alone is no weights
    _cached_model(cache, ["model.safetensors"], "decade", "v2")
    assert weights.missing("some/model", "v2") is None
    assert weights.missing("some/model", "decade") is None
    assert weights.missing("some/model") is not None
    assert weights.revision_of("some/model", "v2") == "decade"


def test_the_hub_is_asked_once_and_briefly(cache, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(hub.urllib.request, "getproxies", dict)
    asked = []
    connect = socket.create_connection
    monkeypatch.setattr(hub.socket, "create_connection", lambda *a, **k: (asked.append(a), connect(*a, **k))[1])
    for _ in range(2):
        assert "127.0.0.1 cannot be reached" in weights.missing("some/model")
    assert len(asked) == 1
    assert hub.os.environ["HF_HUB_OFFLINE"] == "1"  # nothing tries again
    monkeypatch.delenv("HF_HUB_OFFLINE")


def test_a_hub_that_answers_is_enough(cache, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(hub.urllib.request, "getproxies", dict)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        assert weights.missing("some/model") is None


def test_a_hub_that_never_answers_does_not_hang(cache, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(hub, "PATIENCE_S", 0.05)
    release = threading.Event()
    monkeypatch.setattr(hub, "_ask", lambda endpoint: release.wait(10))
    assert "huggingface.co cannot be reached (no answer within 0.05 s)" in weights.missing("some/model")
    release.set()
    monkeypatch.delenv("HF_HUB_OFFLINE")


def test_the_revision_of_a_folder_changes_with_its_files(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_text("one")
    first = weights.revision_of(str(tmp_path))
    assert first.startswith("sha256:")
    (tmp_path / "README.md").write_text("of no matter")
    assert weights.revision_of(str(tmp_path)) == first
    (tmp_path / "model.safetensors").write_text("two")
    second = weights.revision_of(str(tmp_path))
    (tmp_path / "config.json").write_text('{"a": 1}')
    assert len({first, second, weights.revision_of(str(tmp_path))}) == 3


def test_weights_in_several_files_count_all(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}})
    )
    (tmp_path / "1.safetensors").write_text("one")
    (tmp_path / "2.safetensors").write_text("two")
    assert weights.missing(str(tmp_path)) is None
    first = weights.revision_of(str(tmp_path))
    (tmp_path / "2.safetensors").write_text("three")
    assert weights.revision_of(str(tmp_path)) != first


def test_whatever_a_loader_raises_is_one_line():
    def load():
        raise KeyError("first line\nsecond")

    with pytest.raises(
        EncoderError, match="the weights of some/model cannot be loaded; given: .*first line.*; where the hub can be reached"
    ) as caught:
        weights.bring("some/model", load)
    assert "\n" not in str(caught.value)


def test_a_folder_of_open_clip_is_told_without_a_load(tmp_path):
    (tmp_path / "open_clip_config.json").write_text("{}")
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"weights")
    found = [ContrastiveWeights(f"local-dir:{tmp_path}", "", precision).identity() for precision in ("fp32", "fp16", "fp32")]
    assert found[0] == found[2] != found[1]
    assert "open_clip_model.safetensors" in found[0]
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"other weights")
    assert ContrastiveWeights(f"local-dir:{tmp_path}", "", "fp32").identity() not in (None, *found)
