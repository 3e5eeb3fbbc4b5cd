"""A finished run asked which of some named categories each item belongs to, without a label: by the names alone, then over the graph."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import yaml

from mmgraph.clusters import chosen_kind
from mmgraph.encode.choose import choose
from mmgraph.encode.hub import stay_offline
from mmgraph.errors import SettingsError
from mmgraph.evaluate.clustering import ClusterQuestion
from mmgraph.evaluate.clusters import unseen
from mmgraph.evaluate.contract import OURS, LabelQuestion, Row
from mmgraph.evaluate.evaluate import evaluate_labels
from mmgraph.evaluate.zero_shot import named_vectors, reached, refined, zero_shot
from mmgraph.graph.contract import Labels
from mmgraph.outputs.streamed import streamed
from mmgraph.rerun import Reopened, reopen
from mmgraph.settings import Above0, ComponentLike, Section, convert
from mmgraph.split.contract import LabelSplit
from mmgraph.types import Floats, Modality

ALONE = "names alone"
_NAMES: dict[str, Any] = {
    "id": pa.string(),
    "field": pa.string(),
    "value": pa.string(),
    "probability": pa.float32(),
    "value_alone": pa.string(),
    "probability_alone": pa.float32(),
}
NAMES = pa.schema(_NAMES)


class Naming(Section, frozen=True):
    """names: category -> a prompt, or several; kind: of the items, see ``mmgraph cluster``; field: what the categories are called, and the
    labels that they are compared with.

    modality: of the items' vectors, their own or those of what they are linked with; encoder: a text encoder whose vectors lie in the
    space of these (``open_clip_text`` beside ``open_clip_image``, ``clap_text`` beside ``clap``), for texts the run's own when not given.
    temperature: of the softmax, 0.05 for texts, 0.01 else when not given.
    """

    names: dict[str, str | tuple[str, ...]]
    kind: str | None = None
    field: str = "name"
    modality: Modality = "text"
    encoder: ComponentLike | None = None
    temperature: Above0 | None = None

    @property
    def prompts(self) -> dict[str, tuple[str, ...]]:
        """Category -> its prompts."""
        return {name: (one,) if isinstance(one, str) else one for name, one in self.names.items()}


@dataclass(frozen=True)
class Named:
    """predictions: OURS, refined over the graph, and ALONE: float32 [items, categories]; rows: how right they are, where labels tell."""

    opened: Reopened
    kind: str
    naming: Naming
    predictions: Mapping[str, Floats]
    rows: tuple[Row, ...]


def read_naming(path: Path) -> Naming:
    """Read the YAML; raises SettingsError that names the key."""
    try:
        naming: Naming = convert(yaml.safe_load(path.read_text(encoding="utf-8")), Naming)
    except OSError as error:
        raise SettingsError("cannot read the names", given=path, todo=error.strerror or "") from error
    except (UnicodeDecodeError, yaml.YAMLError, msgspec.ValidationError) as error:
        todo = "write names: {category: prompt, ...}, and kind, field, modality, encoder, temperature where needed"
        raise SettingsError(f"{path} names no categories", given=error, todo=todo) from error
    return naming


def name_run(path: Path, naming: Naming) -> Named:
    """Probabilities of the categories for every item of a kind; labels are read only to measure.

    Raises SettingsError for a name that the encoder cannot read, and for an encoder of another space.
    """
    opened = reopen(path)
    graph = opened.split.visible
    kind = chosen_kind(opened.split, naming.kind)
    items = reached(graph, kind, naming.modality)
    temperature = naming.temperature or (0.05 if naming.modality == "text" else 0.01)
    alone = zero_shot(items, _vectors(opened, naming), temperature)
    question = ClusterQuestion.of(graph, kind, opened.trained.embeddings[kind].numpy())
    predictions = {OURS: refined(question, alone), ALONE: alone}
    return Named(opened, kind, naming, predictions, tuple(_measured(opened, kind, naming, predictions)))


def _vectors(opened: Reopened, naming: Naming) -> Floats:
    settings = opened.settings.encoders
    if naming.encoder is None and naming.modality != "text":
        todo = "give the text tower of the encoder that made the vectors, such as open_clip_text"
        raise SettingsError("an encoder of names is needed", given=f"modality: {naming.modality}", todo=todo)
    if settings.offline:
        stay_offline()
    preferred = settings.text if naming.encoder is None else (naming.encoder,)
    chosen = choose("text", preferred, settings.when_unavailable, settings.device)
    return named_vectors(chosen.encoder(), naming.prompts)


def _measured(opened: Reopened, kind: str, naming: Naming, predictions: Mapping[str, Floats]) -> list[Row]:
    """Beside the commonest class, on labels that no training and no choice saw; nothing where none is called as a category is."""
    for field, items, values, classes in unseen(opened.split, kind):
        names = list(naming.names)
        place = np.array([names.index(one) if one in names else -1 for one in classes])
        if field != naming.field or not (place[values] >= 0).any():
            continue
        of = np.full(opened.split.visible.count(kind), -1, np.int64)
        of[items] = place[values]
        test = np.flatnonzero(of >= 0)
        none = np.zeros(0, np.int64)
        split = LabelSplit(Labels(kind, field, tuple(names), of), none, none, test)
        common = np.zeros((len(of), len(names)), np.float32)
        common[:, np.bincount(of[test]).argmax()] = 1.0
        question = LabelQuestion(opened.split.visible, split, opened.settings.run.seed)
        rows, _ = evaluate_labels(question, {**predictions, "commonest class": common}, opened.settings.evaluate)
        return rows
    return []


def write_named(named: Named) -> list[Path]:
    """predictions/names.parquet|csv, one row an item; raises RunError where the disk is full."""
    folder, formats = named.opened.run.predictions, named.opened.settings.outputs.formats
    ids, names = named.opened.split.visible.ids[named.kind], np.asarray(list(named.naming.names), dtype=object)
    columns: list[Any] = [pa.array(ids, pa.string()), pa.repeat(pa.scalar(named.naming.field), len(ids))]
    for one in (named.predictions[OURS], named.predictions[ALONE]):
        best = one.argmax(axis=1)
        columns += [pa.array(names[best], pa.string()), pa.array(one[np.arange(len(one)), best], pa.float32())]
    with streamed(folder, "names", NAMES, formats) as write:
        write(pa.Table.from_arrays(columns, schema=NAMES))
    return [folder / f"names.{name}" for name in formats]
