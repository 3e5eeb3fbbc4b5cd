"""Which fingerprints are taken of which items: one a clip, from the samples that the encoders get."""

from collections.abc import Iterable, Iterator, Mapping

from mmgraph.encode.choose import Chosen
from mmgraph.encode.contract import Encoder
from mmgraph.encode.fingerprints.picture import ImageFingerprint
from mmgraph.encode.fingerprints.sound import SoundFingerprint
from mmgraph.settings import Component
from mmgraph.types import Modality

_FRAMES = 4


def prints(
    modality: Modality, items: Iterable[str], kind_of: Mapping[str, str], moves: Mapping[str, bool], frames: int
) -> Iterator[tuple[Chosen, list[str]]]:
    """The encoder of fingerprints and its items, for stills and for what moves; nothing for texts.

    All items of a kind have fingerprints of one width: if any of them moves, of as many as 4 of its ``frames``.
    """
    if modality == "audio":
        yield _chosen(SoundFingerprint(), {}), list(items)
    if modality != "image":
        return
    chosen = list(items)
    moving = {kind_of[item] for item in chosen if moves[item]}
    for several in (False, True):
        some = [item for item in chosen if (kind_of[item] in moving) == several]
        if some:
            count = min(_FRAMES, frames) if several else 1
            yield _chosen(ImageFingerprint(frames=count), {"frames": count}), some


def _chosen(encoder: Encoder, arguments: dict[str, int]) -> Chosen:
    path = f"{type(encoder).__module__}.{type(encoder).__name__}"
    return Chosen(encoder.card, encoder.modality, Component(class_path=path, init_args=arguments), "cpu", (), encoder)
