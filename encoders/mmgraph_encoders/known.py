"""Licence and paper of well-known weights, and what known text models ask for."""

from fnmatch import fnmatch
from typing import NamedTuple

_UNSTATED = "as the weights' page states"
_CLIP = "Radford et al. 2021, arXiv:2103.00020"
_LAION = f"{_CLIP}; Cherti et al. 2023, arXiv:2212.07143"
_MINILM = "Reimers & Gurevych 2019, arXiv:1908.10084; Wang et al. 2020, arXiv:2002.10957"
_MPNET = "Reimers & Gurevych 2019, arXiv:1908.10084; Song et al. 2020, arXiv:2004.09297"
_SBERT = "Reimers & Gurevych 2019, arXiv:1908.10084"

# Pattern of a hub id in lower case -> licence of its page or repository, paper. The first that fits counts.
_WEIGHTS = (
    ("openai/clip-*", "MIT (of openai/CLIP)", _CLIP),
    ("laion/clip-*", "MIT", _LAION),
    ("google/siglip2-*", "Apache-2.0", "Tschannen et al. 2025, arXiv:2502.14786"),
    ("google/siglip-*", "Apache-2.0", "Zhai et al. 2023, arXiv:2303.15343"),
    (
        "facebook/dinov2-with-registers-*",
        "Apache-2.0",
        "Oquab et al. 2023, arXiv:2304.07193; Darcet et al. 2023, arXiv:2309.16588",
    ),
    ("facebook/dinov2-*", "Apache-2.0", "Oquab et al. 2023, arXiv:2304.07193"),
    ("facebook/dinov3-*", "DINOv3 License", "Siméoni et al. 2025, arXiv:2508.10104"),
    ("facebook/convnextv2-*", "Apache-2.0", "Woo et al. 2023, arXiv:2301.00808"),
    ("facebook/convnext-*", "Apache-2.0", "Liu et al. 2022, arXiv:2201.03545"),
    ("google/vit-*", "Apache-2.0", "Dosovitskiy et al. 2020, arXiv:2010.11929"),
    ("google/mobilenet_v2*", _UNSTATED, "Sandler et al. 2018, arXiv:1801.04381"),
    ("microsoft/resnet-*", "Apache-2.0", "He et al. 2015, arXiv:1512.03385"),
    ("microsoft/swin-*", "Apache-2.0", "Liu et al. 2021, arXiv:2103.14030"),
    ("mcg-nju/videomae-*", "CC-BY-NC-4.0", "Tong et al. 2022, arXiv:2203.12602"),
    ("microsoft/xclip-*", "MIT", "Ni et al. 2022, arXiv:2208.02816"),
    ("facebook/timesformer-*", "CC-BY-NC-4.0", "Bertasius et al. 2021, arXiv:2102.05095"),
    ("google/vivit-*", "MIT", "Arnab et al. 2021, arXiv:2103.15691"),
    ("sentence-transformers/*minilm*", "Apache-2.0", _MINILM),
    ("sentence-transformers/*mpnet*", "Apache-2.0", _MPNET),
    ("sentence-transformers/*", _UNSTATED, _SBERT),
    ("intfloat/e5-mistral-*", "MIT", "Wang et al. 2024, arXiv:2401.00368"),
    ("intfloat/multilingual-e5-*", "MIT", "Wang et al. 2024, arXiv:2402.05672"),
    ("intfloat/e5-*", "MIT", "Wang et al. 2022, arXiv:2212.03533"),
    ("baai/bge-m3*", "MIT", "Chen et al. 2024, arXiv:2402.03216"),
    ("baai/bge-*", "MIT", "Xiao et al. 2023, arXiv:2309.07597"),
    ("thenlper/gte-*", "MIT", "Li et al. 2023, arXiv:2308.03281"),
    ("snowflake/snowflake-arctic-embed-*", "Apache-2.0", "Merrick et al. 2024, arXiv:2405.05374"),
    ("mixedbread-ai/mxbai-embed-*", "Apache-2.0", _UNSTATED),
    ("qwen/qwen3-embedding-*", "Apache-2.0", "Zhang et al. 2025, arXiv:2506.05176"),
)
# Tag of open_clip's own weights -> licence, paper.
_TAGS = (
    ("openai", "MIT (of openai/CLIP)", _CLIP),
    ("laion*", "MIT", f"{_LAION}; Schuhmann et al. 2022, arXiv:2210.08402"),
    ("datacomp*", "MIT", f"{_CLIP}; Gadre et al. 2023, arXiv:2304.14108"),
    ("commonpool*", "MIT", f"{_CLIP}; Gadre et al. 2023, arXiv:2304.14108"),
    ("webli", "Apache-2.0", "Zhai et al. 2023, arXiv:2303.15343"),
    ("metaclip*", "CC-BY-NC-4.0", "Xu et al. 2023, arXiv:2309.16671"),
)
# ``model_type`` of a folder's config.json -> paper of the architecture; whose weights they are, the folder does not say.
_ARCHITECTURES = {
    "clip": _CLIP,
    "siglip": "Zhai et al. 2023, arXiv:2303.15343",
    "siglip2": "Tschannen et al. 2025, arXiv:2502.14786",
    "dinov2": "Oquab et al. 2023, arXiv:2304.07193",
    "vit": "Dosovitskiy et al. 2020, arXiv:2010.11929",
    "mobilenet_v2": "Sandler et al. 2018, arXiv:1801.04381",
    "resnet": "He et al. 2015, arXiv:1512.03385",
    "convnext": "Liu et al. 2022, arXiv:2201.03545",
    "swin": "Liu et al. 2021, arXiv:2103.14030",
    "videomae": "Tong et al. 2022, arXiv:2203.12602",
    "xclip": "Ni et al. 2022, arXiv:2208.02816",
    "timesformer": "Bertasius et al. 2021, arXiv:2102.05095",
    "vivit": "Arnab et al. 2021, arXiv:2103.15691",
}


class TextDefaults(NamedTuple):
    """How a text model was trained to be read. Prefixes go before a text that is stored, and before one that is asked with."""

    pooling: str
    passage: str = ""
    query: str = ""
    normalise: bool = True
    max_tokens: int = 256


_INSTRUCT = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"
_BGE = "Represent this sentence for searching relevant passages: "
_TEXTS = (
    ("sentence-transformers/all-minilm-l12*", TextDefaults("mean", max_tokens=128)),
    ("sentence-transformers/all-minilm-l6*", TextDefaults("mean", max_tokens=256)),
    ("sentence-transformers/all-mpnet-*", TextDefaults("mean", max_tokens=384)),
    ("intfloat/e5-mistral-*", TextDefaults("last", query=_INSTRUCT + " ", max_tokens=4096)),
    ("intfloat/*e5-*-instruct", TextDefaults("mean", query=_INSTRUCT + " ", max_tokens=512)),
    ("intfloat/*e5-*", TextDefaults("mean", "passage: ", "query: ", max_tokens=512)),
    ("baai/bge-m3*", TextDefaults("cls", max_tokens=8192)),
    ("baai/bge-*-en*", TextDefaults("cls", query=_BGE, max_tokens=512)),
    ("baai/bge-*-zh*", TextDefaults("cls", query="为这个句子生成表示以用于检索相关文章：", max_tokens=512)),
    ("thenlper/gte-*", TextDefaults("mean", max_tokens=512)),
    ("snowflake/snowflake-arctic-embed-*", TextDefaults("cls", query=_BGE, max_tokens=512)),
    ("mixedbread-ai/mxbai-embed-*", TextDefaults("cls", query=_BGE, max_tokens=512)),
    ("qwen/qwen3-embedding-*", TextDefaults("last", query=_INSTRUCT, max_tokens=8192)),
)


def of_weights(model: str, architecture: str | None = None) -> tuple[str, str]:
    """Licence and paper of a hub id; else the paper of its architecture (``model_type``), else where they are stated.

    >>> of_weights("BAAI/bge-small-en-v1.5")
    ('MIT', 'Xiao et al. 2023, arXiv:2309.07597')
    """
    found = next(((licence, paper) for pattern, licence, paper in _WEIGHTS if fnmatch(model.lower(), pattern)), None)
    return found or (_UNSTATED, _ARCHITECTURES.get(architecture or "", _UNSTATED))


def of_tag(tag: str) -> tuple[str, str]:
    """Licence and paper of weights that open_clip names by a tag; CLIP's paper where the tag is not known."""
    found = next(((licence, paper) for pattern, licence, paper in _TAGS if fnmatch(tag.lower(), pattern)), None)
    return found or (_UNSTATED, _CLIP)


def of_text(model: str) -> TextDefaults | None:
    """Pooling, prefixes, length of a known text model.

    >>> of_text("intfloat/e5-small-v2").passage
    'passage: '
    """
    return next((found for pattern, found in _TEXTS if fnmatch(model.lower(), pattern)), None)
