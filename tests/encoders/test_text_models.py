"""Text adapters: how a model is read, by its files or the table; decoders, lengths, order; tiny models with random weights."""

import json
import shutil

import numpy as np
import pytest
import tokenizers
import torch
import transformers

from mmgraph import registry
from mmgraph.errors import EncoderError
from mmgraph.media.clip import Words
from mmgraph.settings import Component
from mmgraph.testing import awkward_clips, check_encoder
from mmgraph_encoders import known
from mmgraph_encoders.text_defaults import Reading, reading
from mmgraph_encoders.token_batches import by_length, padded, pooled_tokens

TOWER = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
WORDS = ["<pad>", "<unk>", "<s>", "</s>", "a", "man", "is", "eating", "word", ".", "passage", "query", ":"]
TEXTS = ["a man", "passage : a man is eating a word .", "word " * 40, "a", "man is a man", "eating . " * 9]


def made(model, **arguments):
    return registry.create(
        "encoder", Component(class_path="sentence_transformer", init_args={"model": str(model), **arguments})
    )


def loaded(model, **arguments):
    encoder = made(model, **arguments)
    assert encoder.available() is None
    encoder.load()
    return encoder


def _tokenizer(folder, **settings):
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=inner, **names, **settings).save_pretrained(folder)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    _tokenizer(folder, pad_token="<pad>")
    config = transformers.BertConfig(vocab_size=len(WORDS), max_position_embeddings=64, **TOWER)
    transformers.BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=["gpt2", "gpt_neox"])
def decoder(request, tmp_path_factory):
    """A causal language model: with learnt positions from the left, and with rotary ones; its tokenizer has no padding."""
    folder = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(0)
    _tokenizer(folder, padding_side="left")
    ids = {"vocab_size": len(WORDS), "bos_token_id": 2, "eos_token_id": 3}
    if request.param == "gpt2":
        network = transformers.GPT2Model(transformers.GPT2Config(n_embd=16, n_layer=2, n_head=2, n_positions=64, **ids))
    else:
        network = transformers.GPTNeoXModel(transformers.GPTNeoXConfig(max_position_embeddings=64, **ids, **TOWER))
    network.save_pretrained(folder)
    return folder, network.eval()


def test_the_last_token_of_a_decoder_is_that_of_a_loop(decoder):
    folder, network = decoder
    encoder = loaded(folder, pooling="last", normalise=False)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    expected = []
    for text in TEXTS:
        with torch.inference_mode():
            expected.append(
                network(**tokenizer(text, return_tensors="pt", return_token_type_ids=False)).last_hidden_state[0, -1]
            )
    np.testing.assert_allclose(encoder.encode([Words(text) for text in TEXTS]), np.stack(expected), atol=1e-5)


def test_a_decoder_keeps_every_promise(decoder):
    encoder = loaded(decoder[0], pooling="last")
    assert encoder.card.width == 16
    check_encoder(encoder, [*(Words(text) for text in TEXTS), Words(""), Words("word " * 3000)])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_texts_of_all_lengths_come_back_in_their_order(bert, precision):
    encoder = loaded(bert, precision=precision)
    random = np.random.default_rng(0)
    clips = [Words(" ".join(random.choice(WORDS[4:], size))) for size in random.integers(1, 62, 40)]
    alone = np.concatenate([encoder.encode([clip]) for clip in clips])
    np.testing.assert_allclose(encoder.encode(clips), alone, atol=1e-5 if precision == "fp32" else 0.05)
    assert encoder.card.precision == precision


def test_batches_hold_like_lengths_and_little_padding():
    random = np.random.default_rng(0)
    texts = [list(range(size)) for size in random.integers(1, 500, 300)]
    seen = []

    def compute(some):
        seen.append([len(one) for one in some])
        return torch.tensor([[float(len(one)), float(sum(one))] for one in some])

    found = by_length(texts, compute, "cpu")
    np.testing.assert_array_equal(found, [[len(one), sum(one)] for one in texts])
    assert sum(len(some) * max(some) for some in seen) < 1.3 * sum(len(one) for one in texts) + 8 * 300
    assert max(len(some) * max(some) for some in seen) <= 2**13
    assert [max(some) for some in seen] == sorted((max(some) for some in seen), reverse=True)


def test_padding_and_pooling_by_hand():
    inputs = padded([[7], [5, 6, 4]], 9, "cpu")
    assert inputs["input_ids"].tolist() == [[7, 9, 9], [5, 6, 4]]
    assert inputs["attention_mask"].tolist() == [[1, 0, 0], [1, 1, 1]]
    hidden = torch.tensor([[[1.0], [8.0], [8.0]], [[3.0], [5.0], [7.0]]])
    for pooling, expected in (("cls", [1, 3]), ("last", [1, 7]), ("mean", [1, 5])):
        assert pooled_tokens(hidden, inputs["attention_mask"], pooling)[:, 0].tolist() == expected


def _described(folder, source, *, pooling, modules=("Transformer", "Pooling", "Normalize"), **files):
    """What sentence-transformers writes beside the weights."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    kinds = [{"idx": i, "path": "", "type": f"sentence_transformers.models.{one}"} for i, one in enumerate(modules)]
    (folder / "modules.json").write_text(json.dumps(kinds))
    for name, held in files.items():
        (folder / f"{name}.json").write_text(json.dumps(held))
    return folder


def test_a_folder_of_sentence_transformers_says_how_it_is_read(bert, tmp_path):
    _described(
        tmp_path,
        bert,
        pooling={"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False, "word_embedding_dimension": 16},
        modules=("Transformer", "Pooling"),
        sentence_bert_config={"max_seq_length": 20, "do_lower_case": False},
        config_sentence_transformers={"prompts": {"query": "query : ", "document": "passage : "}},
    )
    asked = loaded(tmp_path)
    assert asked.card.input == "20 tokens, cls pooling, prefix 'passage : ', normalise False"
    by_hand = loaded(bert, pooling="cls", prefix="passage : ", normalise=False, max_tokens=20)
    clips = [Words(text) for text in TEXTS]
    np.testing.assert_array_equal(asked.encode(clips), by_hand.encode(clips))
    given = loaded(tmp_path, pooling="mean", prefix="", normalise=True)  # what a person says goes first
    assert given.card.input == "20 tokens, mean pooling, prefix '', normalise True"
    assert loaded(tmp_path, role="query").card.input.endswith("prefix 'query : ', normalise False")
    assert len({one.identity() for one in (asked, given, made(tmp_path, role="query"))}) == 3
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": "lasttoken"}))
    assert made(tmp_path).reading.pooling == "last"
    assert made(tmp_path).identity() != asked.identity() or asked.reading.pooling == "last"


def test_a_pooling_that_is_not_known_is_said_unless_one_is_given(bert, tmp_path, caplog):
    both = {"pooling_mode_max_tokens": True, "pooling_mode_mean_tokens": True}
    _described(tmp_path, bert, pooling=both, modules=("Transformer", "Pooling", "Dense"))
    with pytest.raises(
        EncoderError, match=r"asks for a pooling that is not known; given: max_tokens \+ mean_tokens; set init"
    ):
        loaded(tmp_path)
    with caplog.at_level("WARNING"):
        assert "mean pooling" in loaded(tmp_path, pooling="mean").card.input
    assert "has a dense layer after its pooling" in caplog.text


def test_known_models_are_read_as_they_were_trained(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert reading("intfloat/e5-small-v2", None, "passage") == Reading("mean", "passage: ", True, 512)
    assert reading("intfloat/multilingual-e5-base", None, "query").prefix == "query: "
    assert reading("BAAI/bge-small-en-v1.5", None, "passage") == Reading("cls", "", True, 512)
    assert reading("BAAI/bge-small-en-v1.5", None, "query").prefix.startswith("Represent this sentence")
    assert reading("Qwen/Qwen3-Embedding-0.6B", None, "passage").pooling == "last"
    assert reading("sentence-transformers/all-MiniLM-L6-v2", None, "query") == Reading("mean", "", True, 256)
    assert reading("nobody/has-heard-of", None, "query") == Reading()
    assert made("intfloat/e5-small-v2", pooling="cls").reading == Reading("cls", "passage: ", True, 512)


def test_the_files_of_a_cached_hub_id_count_more_than_the_table(bert, tmp_path, monkeypatch):
    commit = "c0ffee" * 6 + "cafe"
    repository = tmp_path / "models--intfloat--e5-of-mine"
    _described(repository / "snapshots" / commit, bert, pooling={"pooling_mode": "cls"})
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    encoder = loaded("intfloat/e5-of-mine")
    assert encoder.card.input == "64 tokens, cls pooling, prefix 'passage: ', normalise True"
    assert (encoder.card.licence, encoder.card.revision) == ("MIT", commit)


def test_a_roberta_counts_positions_from_its_padding(tmp_path):
    torch.manual_seed(0)
    _tokenizer(tmp_path, pad_token="<s>")
    config = transformers.RobertaConfig(vocab_size=len(WORDS), max_position_embeddings=20, pad_token_id=2, **TOWER)
    transformers.RobertaModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    encoder = loaded(tmp_path)
    assert encoder.card.input.startswith("17 tokens")
    check_encoder(encoder, [Words(text) for text in TEXTS])


def test_of_an_encoder_with_a_decoder_the_encoder_is_read(tmp_path):
    torch.manual_seed(0)
    _tokenizer(tmp_path, pad_token="<pad>")
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2, "vocab_size": len(WORDS)}
    transformers.T5Model(transformers.T5Config(decoder_start_token_id=0, **sizes)).save_pretrained(tmp_path)
    encoder = loaded(tmp_path)
    assert not [key for key in encoder._network.state_dict() if key.startswith("decoder")]
    check_encoder(encoder, [Words(text) for text in TEXTS])


def test_awkward_texts_for_a_tokenizer_that_adds_nothing(bert):
    encoder = loaded(bert)
    vectors = encoder.encode([Words(""), Words("   \n"), *awkward_clips("text")[:1]])
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)


def test_licences_and_papers_of_well_known_weights():
    assert known.of_weights("intfloat/e5-base-v2")[0] == "MIT"
    assert known.of_weights("MCG-NJU/videomae-base") == ("CC-BY-NC-4.0", "Tong et al. 2022, arXiv:2203.12602")
    assert known.of_weights("my folder", "dinov2") == ("as the weights' page states", "Oquab et al. 2023, arXiv:2304.07193")
    assert known.of_weights("my folder") == ("as the weights' page states",) * 2
    assert known.of_tag("laion2b_s34b_b79k")[0] == "MIT"
    assert "Gadre" in known.of_tag("datacomp_xl_s13b_b90k")[1]
    assert known.of_tag("another")[0] == "as the weights' page states"
