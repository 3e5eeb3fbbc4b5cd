"""Every setting, in the order of the pipeline. Read from YAML; a wrong key or type is one clear line.

msgspec reads and checks (jsonargparse was measured at 0.45 s of CPU to import here, over the limit of 0.4 s for the whole
command; msgspec at 0.02 s). No module that is imported here may import torch, numpy or pandas.
"""

from pathlib import Path, PurePath
from typing import Annotated, Any, Literal

import msgspec

Natural = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Above0 = Annotated[float, msgspec.Meta(gt=0)]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the settings: frozen, checked, closed to unknown keys."""


class Component(Section, frozen=True):
    """A class by short name or dotted path, with its arguments; checked by ``registry`` against the class's own signature.

    >>> Component(class_path="Folder", init_args={"root": Path("videos")}).init_args  # a path is its text, as in YAML
    {'root': 'videos'}
    """

    class_path: str
    init_args: dict[str, Any] = {}

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "init_args", _with_text(self.init_args))


ComponentLike = Component | str


class RunSettings(Section, frozen=True):
    """dir: the run folder; seed: of everything random."""

    dir: Path = Path("runs/run")
    seed: Natural = 7


class SegmentSettings(Section, frozen=True):
    """How items of kind ``video`` are cut. method: ``shots`` (at cuts and fades), ``windows`` of max_s, ``subtitles`` (by the cues
    of the .srt or .vtt beside a video or the track inside it, which become the segments' text), ``none`` (a video stays whole).

    min_s, max_s: shortest and longest segment in seconds; max_s always holds, min_s gives way where both cannot. overlap_s: of
    each window with the next. threshold: change of colour and brightness, 0 to 255, from which on two frames are a cut.
    """

    method: Literal["shots", "windows", "subtitles", "none"] = "shots"
    min_s: Above0 = 2.0
    max_s: Above0 = 10.0
    overlap_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    threshold: float = 27.0


class MediaSettings(Section, frozen=True):
    """segments: see there; frames_per_segment: evenly spaced; max_pixels: larger images are quarantined; workers: decoders.

    timeout_s: for one file, and a second more for each 250 kB of it; memory_mb: that decoding one file may take. What needs
    more is quarantined.
    """

    segments: SegmentSettings = SegmentSettings()
    frames_per_segment: Positive = 4
    max_pixels: Positive = 100_000_000
    max_sound_s: Above0 = 30.0
    workers: Natural = 2
    timeout_s: Above0 = 120.0
    memory_mb: Positive = 2048


class ClusterSettings(Section, frozen=True):
    """For ``encoders.engine: ray``. address: of a running cluster; none starts one on this machine, with as many cores as it has.

    actors: encoding processes, 0 for as many as fit; cpus, gpus: of each.
    """

    address: str | None = None
    actors: Natural = 0
    cpus: Positive = 1
    gpus: Annotated[float, msgspec.Meta(ge=0)] = 0.0


class EncoderSettings(Section, frozen=True):
    """For each modality encoders in order of preference; the first whose weights can be had is taken once per run.

    when_unavailable: ``fallback`` takes the next and says so, ``error`` stops the run. store: folder of the features,
    beside the run folder when not given. batch: clips at a time, ``auto`` finds out. device: ``auto``, ``cpu``, ``cuda``,
    ``cuda:1``, ``mps``. offline: no hub is ever asked. engine: ``local``, or ``ray`` over a cluster (docs/cluster.md).
    """

    image: tuple[ComponentLike, ...] = ("image_statistics",)
    audio: tuple[ComponentLike, ...] = ("sound_statistics",)
    text: tuple[ComponentLike, ...] = ("hashed_ngrams",)
    when_unavailable: Literal["fallback", "error"] = "fallback"
    store: Path | None = None
    batch: Positive | Literal["auto"] = "auto"
    device: str = "auto"
    offline: bool = False
    engine: Literal["local", "ray"] = "local"
    cluster: ClusterSettings = ClusterSettings()


class NearDuplicateSettings(Section, frozen=True):
    """find: look for copies that are not the same byte by byte; they stay on one side of a split.

    picture: largest difference of any place of two pictures, 0 the same, 1 unlike; sound: largest share of bits that differ,
    0.5 unlike; cosine: the vectors of two copies are more alike than this share of the unrelated pairs.
    """

    find: bool = True
    picture: Share = 0.2
    sound: Share = 0.2
    cosine: Share = 0.95


class GraphSettings(Section, frozen=True):
    """edges: the edge builders, in order. Links of the tables are always in the graph; reverse relations as well.

    near_duplicates: copies that were compressed, resized, cropped or trimmed. similar: ``auto`` links the nearest by each modality of kinds
    with labels that have few links otherwise (the edge builder ``similar_where_few``).

    standardise: vectors among the items of one ``parent``, so that what all of these share (a speaker, a room, a camera) is left out, for
    the network, the baselines and edges between similar items alike. It reads the vectors of all items, held out or not, and no label. It
    takes away the answer where all items of a parent are of one class. Fewer than eight of a parent are standardised among all of the kind.
    """

    edges: tuple[ComponentLike, ...] = ("follows", "contains", "attached")
    similar: Literal["none", "auto"] = "none"
    near_duplicates: NearDuplicateSettings = NearDuplicateSettings()
    standardise: Literal["none", "parent"] = "none"


class LinkSplitSettings(Section, frozen=True):
    """method: random, time (the newest are held out), cold (all links of held-out items), per_user (of each source's links), leave_last
    (of each source the newest is test, the one before valid) or given (by the table; where that has no valid link, the share ``valid`` of
    its train links is drawn). valid, test: shares of the known links; 0 leaves none of a source's last ones.

    cold: which end of a relation is held out, as new items of the ``target`` kind are (a video that nobody has watched yet), of the
    ``source`` kind, or of ``both``; within one kind an item's links of both ways leave. ``parent``: all items of one parent together, as
    the segments of a new video are.

    supervise: share of the train links that a training step predicts, and therefore does not pass messages over.
    """

    method: Literal["random", "time", "cold", "per_user", "leave_last", "given"] = "random"
    cold: Literal["target", "source", "both", "parent"] = "target"
    valid: Share = 0.1
    test: Share = 0.2
    supervise: Share = 0.3


class LabelSplitSettings(Section, frozen=True):
    """method: k per class, a fraction of all, by time (of an item's earliest link; that fraction is the oldest), or given by the table.
    k, fraction: labels shown in training.

    valid: share of the other labelled items that choose; the rest is test. group: which items never straddle train, valid and test;
    ``parent`` keeps the segments of one video together, a relation all that it joins with one item (the recordings of one speaker);
    ``none`` for no groups.

    open: classes, by name or so many by chance, of which no label is ever shown; what is said of their items is measured apart.
    """

    method: Literal["per_class", "fraction", "time", "given"] = "per_class"
    k: Positive = 3
    fraction: Share = 0.1
    valid: Share = 0.3
    group: str = "parent"
    open: Natural | tuple[str, ...] = 0


LeakName = Literal[
    "reverse_link", "duplicate_link", "inverse_relation", "same_file", "near_duplicate", "same_parent", "label_through_link",
    "future_link", "warm_item",
]  # fmt: skip


class SplitSettings(Section, frozen=True):
    """links: of every target relation; labels: of every field; check_leaks: run the leak check (leave it on).

    admit: names of leaks that are known to be there, as in published splits; each is a note of the run instead of an error. seed: of
    the split, that of the run when not given.
    """

    links: LinkSplitSettings = LinkSplitSettings()
    labels: LabelSplitSettings = LabelSplitSettings()
    check_leaks: bool = True
    admit: tuple[LeakName, ...] = ()
    seed: Natural | None = None


class BatchSettings(Section, frozen=True):
    """mode: ``full`` graph and one step an epoch, whole graph in ``steps`` of size links, ``neighbours`` of seeds, or ``auto``.

    auto is full where the estimate of memory fits into memory_gb (GB; what is free, on the GPU where one is used, when not given),
    else neighbours; steps for facts and for a model without layers. fanouts: neighbours a relation, one number a layer; size: seed
    links or items a batch; workers: sampler processes. temporal: links with times are asked in the order of
    these, and a step passes only over links that are older than all that it asks.
    """

    mode: Literal["auto", "full", "steps", "neighbours"] = "auto"
    memory_gb: Above0 | None = None
    fanouts: tuple[Positive, ...] = (15, 10)
    size: Positive = 1024
    workers: Natural = 0
    temporal: bool = False


class AdaptSettings(Section, frozen=True):
    """How the vectors of one modality are fitted to the tasks.

    method: ``frozen`` uses them as they are; ``adapter`` trains a small residual network on them, without the encoder;
    ``last_blocks`` trains the encoder's last ``blocks`` blocks; ``lora`` trains updates of low rank to these (extra ``adapt``).
    rank: of LoRA's updates (8), or width of the adapter's bottleneck (a quarter of the vector). tokens: where texts are cut
    (where the encoder cuts them). learning_rate: of what is trained here (adapter: the model's, last_blocks: 5e-5, lora: 1e-3).
    """

    method: Literal["frozen", "adapter", "last_blocks", "lora"] = "frozen"
    blocks: Positive = 1
    rank: Positive | None = None
    tokens: Annotated[int, msgspec.Meta(ge=4)] | None = None
    learning_rate: Above0 | None = None


class AdaptationSettings(Section, frozen=True):
    """image, audio, text: see AdaptSettings. memory_gb: what tuning may take at most, all that is free when not given."""

    image: AdaptSettings = AdaptSettings()
    audio: AdaptSettings = AdaptSettings()
    text: AdaptSettings = AdaptSettings()
    memory_gb: Above0 | None = None


class ContrastSettings(Section, frozen=True):
    """Contrastive regularisation in one pass, as in XSimGCL (Yu et al. 2023, arXiv 2209.02544).

    weight: beside the tasks' losses, 0 for none. noise: length of what is added in training to what each layer gives; layer: whose
    vectors, from 1 on, are compared with the embeddings of the items that a step asks about; temperature: of their cosines; sample: items
    of a kind at most, as pairs take memory. With ``light_gcn`` the paper leaves the input's vector out of the mean: gamma 0.
    """

    weight: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    noise: Annotated[float, msgspec.Meta(ge=0)] = 0.2
    layer: Positive = 1
    temperature: Above0 = 0.15
    sample: Positive = 4096


class ApartSettings(Section, frozen=True):
    """Relations within one kind over which messages pass by themselves, with the weights of their links: what arrives from the inputs is
    added to the embeddings, and no layer passes over them (FREEDOM, Zhou and Shen 2023, arXiv 2211.06924).

    relations: as ``video/alike/video``, what the edge builder ``ItemGraph`` makes; depth: how often, at most ``model.depth``.
    """

    relations: tuple[str, ...] = ()
    depth: Positive = 1


class IdSettings(Section, frozen=True):
    """How vectors that are learned by id are stepped.

    optimizer: ``dense``, as all else; ``row_adagrad``, of which each batch of neighbours touches but its own rows, with one number a row
    beside the table, for tables that outgrow Adam's (of a model without layers the batch is what it asks); ``auto`` is dense as long as the
    estimate of memory fits. learning_rate: of row_adagrad, whose steps get smaller as a row is asked more often.
    """

    optimizer: Literal["auto", "dense", "row_adagrad"] = "auto"
    learning_rate: Above0 = 0.1


class CandidateSettings(Section, frozen=True):
    """One of several models of which validation takes one: a layer, and what of ``model`` goes with it; what is not given stays."""

    layer: ComponentLike
    depth: Natural | None = None
    width: Positive | None = None
    jumping: Literal["auto", "first_last", "last", "concat", "mean"] | None = None
    fusion: Literal["gated", "mean"] | None = None
    dropout: Share | None = None
    input_dropout: Share | None = None
    learning_rate: Above0 | None = None
    weight_decay: Annotated[float, msgspec.Meta(ge=0)] | None = None

    @property
    def name(self) -> str:
        """Its layer, and what else differs.

        >>> CandidateSettings(layer="appnp", depth=10).name
        'appnp, depth 10'
        """
        layer = normal(self.layer)
        given = {
            name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None and name != "layer"
        }
        return ", ".join([layer.class_path, *(f"{name} {value}" for name, value in {**layer.init_args, **given}.items())])


class ModelSettings(Section, frozen=True):
    """width: of every node vector; layer: the message passing, depth times, or ``none``; fusion: how modalities are joined.

    residual: add what a layer was given to what it gives; norm: of what a layer gives; jumping: how the layers' vectors become one:
    ``first_last`` and ``concat`` (of all) by a linear map a kind, ``last``, ``mean`` of all; ``auto`` is ``first_last``, and ``mean``
    for layers without weights.

    time: what messages tell of time: ``gap``, the seconds between the two ends of a link, or its age where it has a time; ``position``
    of an item in its chain of visible temporal links; ``both``; ``none``.

    dropout, modality_dropout: probabilities; input_dropout: of features, half of dropout when not given; id_embedding: learned vectors by
    id, ``auto`` = for kinds without features. scale: of features, each of the ``components`` to mean 0 and deviation 1, or the ``rows`` to
    length 1, which suits counts of words.
    contrast, apart, ids: see the settings of these names. valued: relations, as user/rated/movie, of which messages tell the weights of
    their links as well. prune: share of the links of every relation that carry no messages in a step
    of training, drawn anew each time, the likelier the more links their ends have (FREEDOM);
    memory cannot be estimated with it.
    candidates: models of which each is trained; the best in the mean on validation answers, another where it is clearly better.
    optimizer: ``adamw``, ``adam``, where weight_decay is a penalty in the loss, or ``adagrad``, which suits vectors by id that are seldom
    asked for.
    """

    width: Positive = 128
    layer: ComponentLike = "sage"
    depth: Natural = 2
    residual: bool = True
    norm: Literal["layer", "batch", "none"] = "layer"
    jumping: Literal["auto", "first_last", "last", "concat", "mean"] = "auto"
    fusion: Literal["gated", "mean"] = "gated"
    time: Literal["none", "gap", "position", "both"] = "none"
    dropout: Share = 0.3
    modality_dropout: Share = 0.2
    input_dropout: Share | None = None
    scale: Literal["components", "rows"] = "components"
    id_embedding: Literal["auto", "all", "none"] = "auto"
    adaptation: AdaptationSettings = AdaptationSettings()
    batches: BatchSettings = BatchSettings()
    learning_rate: Above0 = 3e-3
    weight_decay: Annotated[float, msgspec.Meta(ge=0)] = 1e-4
    patience: Natural = 30
    optimizer: Literal["adamw", "adam", "adagrad"] = "adamw"
    contrast: ContrastSettings = ContrastSettings()
    apart: ApartSettings = ApartSettings()
    valued: tuple[str, ...] = ()
    prune: Share = 0.0
    ids: IdSettings = IdSettings()
    candidates: tuple[CandidateSettings, ...] = ()

    def of(self, candidate: CandidateSettings) -> "ModelSettings":
        """The model with what the candidate gives, and without candidates."""
        given = {name: value for name in candidate.__struct_fields__ if (value := getattr(candidate, name)) is not None}
        return msgspec.structs.replace(self, candidates=(), **given)

    @property
    def each(self) -> "tuple[ModelSettings, ...]":
        """The models that are trained: those of the candidates, or this one."""
        return tuple(self.of(one) for one in self.candidates) or (self,)

    @property
    def layers(self) -> int:
        """How many layers there are: none where ``layer`` is ``none``."""
        return 0 if normal(self.layer).class_path == "none" else self.depth


class EvaluateSettings(Section, frozen=True):
    """bootstrap: resamples of an interval; level: its coverage; baselines: short names, or ``all`` that apply.

    calibration: of links' scores, a logistic curve or, with many links, any that never falls. precision: predicted links that are
    too improbable to be right this often abstain. label_precision: the same of labels, whose class is then ``unknown``; that of
    links when not given. sampled: test links of ``auc/sampled`` and ``ap/sampled`` at most, 0 for neither.

    knock_outs: fit again without links, without each modality and for each task alone, to say what each is worth (as ``mmgraph ablate``).

    candidates: among what a held-out link is ranked, all items of the ``kind``, or only those ``seen`` on that side of the relation in
    a training link, and the truth itself. block: queries at a time, fewer where their scores would take more than memory_mb (what
    filters and compares them takes as much again). ks: lengths of the recommended lists that are measured.
    """

    bootstrap: Natural = 1000
    level: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.95
    baselines: tuple[str, ...] | Literal["all"] = "all"
    block: Positive = 1024
    calibration: Literal["platt", "isotonic"] = "platt"
    precision: Share = 0.5
    label_precision: Share | None = None
    knock_outs: bool = False
    sampled: Natural = 10_000
    candidates: Literal["kind", "seen"] = "kind"
    memory_mb: Positive = 128
    ks: tuple[Positive, ...] = (5, 10, 20, 50)


class OutputSettings(Section, frozen=True):
    """top_k: predicted targets of each source; formats: of the tables; report: write report/index.html."""

    top_k: Positive = 10
    formats: tuple[Literal["parquet", "csv"], ...] = ("parquet", "csv")
    report: bool = True
    examples: Natural = 12


class Settings(Section, frozen=True):
    """The whole YAML."""

    catalogue: ComponentLike
    run: RunSettings = RunSettings()
    media: MediaSettings = MediaSettings()
    encoders: EncoderSettings = EncoderSettings()
    graph: GraphSettings = GraphSettings()
    split: SplitSettings = SplitSettings()
    model: ModelSettings = ModelSettings()
    tasks: tuple[ComponentLike, ...] = ()
    trainer: dict[str, Any] = {}
    evaluate: EvaluateSettings = EvaluateSettings()
    outputs: OutputSettings = OutputSettings()


def normal(component: ComponentLike) -> Component:
    """A bare name is a class without arguments.

    >>> normal("follows")
    Component(class_path='follows', init_args={})
    """
    return Component(class_path=component) if isinstance(component, str) else component


def convert(value: object, wanted: Any) -> Any:
    """Check and convert plain YAML values to ``wanted``; raises msgspec.ValidationError that names the key."""
    return msgspec.convert(value, wanted, dec_hook=_path)


def plain(settings: Section) -> dict[str, Any]:
    """The settings as YAML can hold them; ``convert(plain(s), Settings) == s``."""
    values: dict[str, Any] = msgspec.to_builtins(settings, enc_hook=str)
    return values


def _with_text(value: Any) -> Any:
    """The text of every path in plain values."""
    if isinstance(value, dict):
        return {name: _with_text(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [*map(_with_text, value)] if isinstance(value, list) else (*map(_with_text, value),)
    return str(value) if isinstance(value, PurePath) else value


def _path(wanted: type, value: object) -> object:
    if wanted is Path and isinstance(value, str):
        return Path(value)
    raise TypeError(f"Expected `{wanted.__name__}`, got `{type(value).__name__}`")
