"""What a person sees of an item: a picture, a waveform, an excerpt; never an error."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from mmgraph.catalogue.contract import Catalogue
from mmgraph.catalogue.kinds import Held, held_by_name
from mmgraph.media.clip import Clip, Frames, Sound, Source, Words
from mmgraph.media.source import sources
from mmgraph.outputs import pictures
from mmgraph.progress import track
from mmgraph.settings import MediaSettings
from mmgraph.types import Modality

Decode = Callable[[Source, Modality, MediaSettings], Clip | None]
EXCERPT = 200
BUDGET = 3_600_000  # bytes of pictures on one page
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Preview:
    """One item on the page. picture, spectrogram: data URIs; wave: an SVG path; text: an excerpt; problem: why nothing is seen.

    where: file name and seconds; labels: the known ones, (field, value); shown_by: the linked item whose media stand in for
    one that has none of its own.
    """

    id: str
    kind: str = ""
    where: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    picture: str | None = None
    wave: str | None = None
    spectrogram: str | None = None
    text: str | None = None
    problem: str | None = None
    shown_by: str | None = None

    @property
    def seen(self) -> bool:
        """Whether there is anything but its id."""
        return bool(self.picture or self.spectrogram or self.wave or self.text)

    @property
    def size(self) -> int:
        """Bytes of its pictures."""
        return sum(len(part) for part in (self.picture, self.wave, self.spectrogram) if part)


class Previews:
    """Decodes items, each once, and keeps their previews; ``decode`` may fail on any of them."""

    def __init__(self, catalogue: Catalogue, media: MediaSettings, decode: Decode) -> None:
        self._media, self._decode = media, decode
        self._sources = sources(catalogue)
        items = catalogue.items
        self._kinds: dict[str, str] = dict(zip(items["id"].astype(str), items["kind"].astype(str), strict=True))
        self._labels: dict[str, list[tuple[str, str]]] = {}
        for row in catalogue.labels.itertuples(index=False):
            self._labels.setdefault(str(row.id), []).append((str(row.field), str(row.value)))
        self._stands_in = _stand_ins(catalogue, self._sources)

    def of(self, ids: Iterable[str]) -> Mapping[str, Preview]:
        """Id -> preview. An id that comes twice counts twice against BUDGET; what goes over it is shown without pictures."""
        uses = Counter(ids)
        drawn = {key: self._one(key) for key in track(sorted(uses, key=self._place), "draw items for the report", len(uses))}
        spent = 0
        found: dict[str, Preview] = {}
        for key, times in uses.items():
            preview = drawn[key]
            if spent + preview.size * times > BUDGET:
                note = "no picture, to keep the report small" if preview.size else preview.problem
                preview = replace(preview, picture=None, wave=None, spectrogram=None, problem=note)
            spent += preview.size * times
            found[key] = preview
        return found

    def _place(self, key: str) -> tuple[str, float, str]:
        """Where its file is: segments of one video follow each other, so that it is opened once."""
        source = self._sources.get(key) or self._sources.get(self._stands_in.get(key, ""))
        return (str(source.path), source.span.start_s, key) if source else ("", 0.0, key)

    def _one(self, key: str) -> Preview:
        kind = self._kinds.get(key, "")
        plain = Preview(key, kind, labels=tuple(self._labels.get(key, ()))[:3])
        shown = key if key in self._sources else self._stands_in.get(key)
        if shown is None:
            return plain
        source = self._sources[shown]
        plain = replace(plain, where=_where(key, source), shown_by=None if shown == key else shown)
        try:
            return self._drawn(plain, source, self._kinds.get(shown, ""))
        except Exception as error:  # noqa: BLE001 - a file that cannot be drawn is shown as such; it never ends a report
            _log.warning("no preview of %s: %s", key, error)
            return replace(plain, problem=" ".join(f"cannot be shown: {error}".split())[:EXCERPT])

    def _drawn(self, preview: Preview, source: Source, kind: str) -> Preview:
        if source.text is not None and source.path is None:
            return replace(preview, text=_excerpt(source.text))
        for modality in _modalities(kind, source):
            asked = source if modality == "text" else replace(source, text=None)  # a title is not what its file shows
            clip = self._decode(asked, modality, self._media)
            preview = _with(preview, clip, alone=preview.picture is None)
        if preview.text is None and source.text is not None:
            preview = replace(preview, text=_excerpt(source.text))
        return preview if preview.seen else replace(preview, problem="nothing to show in this file")


def _with(preview: Preview, clip: Clip | None, alone: bool) -> Preview:
    """Add what a clip shows; the spectrogram only where there is no picture."""
    if isinstance(clip, Frames) and clip.pixels.size:
        return replace(preview, picture=pictures.sheet(clip.pixels))
    if isinstance(clip, Sound) and clip.samples.size:
        drawn = pictures.spectrogram(clip.samples, clip.rate_hz) if alone else None
        return replace(preview, wave=pictures.waveform(clip.samples), spectrogram=drawn)
    if isinstance(clip, Words) and clip.text.strip():
        return replace(preview, text=_excerpt(clip.text))
    return preview


def _modalities(kind: str, source: Source) -> tuple[Modality, ...]:
    """What to ask a file for: what its name promises, or its kind."""
    held = held_by_name(str(source.path), kind) if source.path else ()
    named: dict[Held, Modality] = {"moving": "image", "still": "image", "sound": "audio", "text": "text"}
    return tuple(named[one] for one in held) or ("text",)


def _stand_ins(catalogue: Catalogue, known: Mapping[str, Source]) -> dict[str, str]:
    """For an item without media the first item with media that it links to (an exercise is shown by its photo)."""
    links = catalogue.links
    chosen = links[~links["source"].isin(list(known)) & links["target"].isin(list(known))]
    first = chosen.drop_duplicates("source")
    return dict(zip(first["source"].astype(str), first["target"].astype(str), strict=True))


def _excerpt(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= EXCERPT else words[:EXCERPT].rsplit(" ", 1)[0] + " …"


def _where(key: str, source: Source) -> str:
    """File name, where the id does not tell it, and seconds."""
    name = "" if source.path is None or source.path.stem in key else source.path.name
    if source.span.end_s is not None:
        return f"{name} {source.span.start_s:.1f}–{source.span.end_s:.1f} s".strip()
    return f"{name} from {source.span.start_s:.1f} s".strip() if source.span.start_s else name
