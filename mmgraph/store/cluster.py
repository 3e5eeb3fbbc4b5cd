"""Parts encoded by the actors of a Ray cluster (extra ``cluster``): the same parts, the same vectors, the same store.

Every actor builds the encoders from their settings, reads the media by the paths that this machine uses, and gives back what
``encode_part`` gives; this machine commits the parts in their order. What is sent is msgpack: no object of ours is pickled.
A part whose actor or node dies is computed again elsewhere; where this machine dies, the store holds what was committed.
"""

import contextlib
import importlib
import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from mmgraph.encode.contract import EncoderCard
from mmgraph.errors import EncoderError, MMGraphError, SettingsError
from mmgraph.settings import ClusterSettings, Component, EncoderSettings, MediaSettings, convert, plain
from mmgraph.store.ahead import Decoders, ahead
from mmgraph.store.fill import Job, Results
from mmgraph.store.parts import CLIPS, Part, PartResult, encode_part

_log = logging.getLogger(__name__)


def over_ray(
    settings: EncoderSettings, jobs: Sequence[Job], parts: Sequence[Part], media: MediaSettings, at_work: Sequence[int]
) -> Results:
    """The results of every part, in order, from a Ray cluster; ``at_work``: numbers of the jobs that lack something.

    Raises SettingsError where Ray is not installed or the cluster does not answer, and EncoderError where an actor cannot
    build an encoder, or builds another one than this machine.
    """
    plan = _plan(settings, jobs, media, at_work)
    with _cluster(settings.cluster) as ray:
        rows = ray.data.from_items([{"part": _packed(part)} for part in parts], override_num_blocks=len(parts))
        made = rows.map_batches(
            Worker,
            fn_constructor_args=(plan,),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(**_pool(settings.cluster, len(parts))),
            num_cpus=settings.cluster.cpus,
            num_gpus=settings.cluster.gpus or None,
        )
        for part, row in zip(parts, made.iter_rows(), strict=True):
            yield part, _unpacked_results(row["result"])


def _pool(cluster: ClusterSettings, parts: int) -> dict[str, int]:
    return {"size": min(cluster.actors, parts)} if cluster.actors else {"min_size": 1, "max_size": max(parts, 1)}


@contextlib.contextmanager
def _cluster(settings: ClusterSettings) -> Iterator[Any]:
    """Ray, connected; a cluster that was started here ends with the block, one that runs elsewhere goes on."""
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        ray = importlib.import_module("ray")
        importlib.import_module("ray.data")
    except ImportError as error:
        raise SettingsError(
            "encoders.engine: ray needs Ray", given=str(error), todo="pip install 'mmgraph[cluster]'"
        ) from error
    begun = not ray.is_initialized()
    if begun:
        try:
            ray.init(address=settings.address, include_dashboard=False, log_to_driver=False, logging_level="error")
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            given = f"{settings.address or 'a cluster on this machine'}: {str(error).splitlines()[0]}"
            todo = "start one with `ray start --head`, or leave the address out"
            raise SettingsError("encoders.cluster.address: no Ray cluster answers", given=given, todo=todo) from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield ray
    finally:
        if begun:
            ray.shutdown()


def _plan(settings: EncoderSettings, jobs: Sequence[Job], media: MediaSettings, at_work: Sequence[int]) -> bytes:
    told = [
        {
            "job": number,
            "component": plain(jobs[number].chosen.component),
            "card": msgspec.to_builtins(jobs[number].chosen.card),
        }
        for number in at_work
    ]
    batch = None if settings.batch == "auto" else settings.batch
    threads = settings.cluster.cpus
    device = "cuda" if settings.cluster.gpus else "cpu" if settings.device == "auto" else settings.device
    plan = {"encoders": told, "media": plain(media), "batch": batch, "device": device, "threads": threads}
    return msgspec.msgpack.encode({**plan, "offline": settings.offline})


class Worker:
    """One actor: the encoders, loaded once, and decoder processes of its own for every part."""

    def __init__(self, plan: bytes) -> None:
        told = msgspec.msgpack.decode(plan)
        self._media = convert(told["media"], MediaSettings)
        self._failed = ""
        try:
            self._batches = _built(told)
        except MMGraphError as error:
            self._failed = str(error)

    def __call__(self, rows: dict[str, Any]) -> dict[str, Any]:
        """Rows of packed parts -> rows of packed results, one each."""
        return {"result": self._answers(rows["part"].tolist())}

    def _answers(self, packed: Sequence[bytes]) -> list[bytes]:
        if self._failed:
            return [msgspec.msgpack.encode({"failed": self._failed})] * len(packed)
        return [_packed_results(self._results(_unpacked(part))) for part in packed]

    def _results(self, part: Part) -> dict[int, PartResult]:
        prepare = {number: some.encoder.prepare for number, some in self._batches.items()}
        with (
            Decoders(self._media, prepare) as decoders,
            contextlib.closing(ahead(part.places, decoders, max(self._media.workers, 1), 2 * CLIPS)) as decoded,
        ):
            return encode_part(part, {number: some.encode for number, some in self._batches.items()}, decoded)


def _built(plan: dict[str, Any]) -> dict[int, Any]:
    """Job number -> its encoder in batches; raises EncoderError where one is not the one that the other machine has."""
    import torch

    from mmgraph import registry
    from mmgraph.encode.batches import Batches
    from mmgraph.encode.hub import stay_offline

    if plan["offline"]:
        stay_offline()
    torch.set_num_threads(plan["threads"])
    found = {}
    for told in plan["encoders"]:
        component, card = convert(told["component"], Component), EncoderCard(**told["card"])
        encoder = registry.create("encoder", component)
        reason = encoder.available()
        if reason is not None:
            raise EncoderError(f"encoders.{card.modality}: {component.class_path} cannot be had on a node: {reason}")
        encoder.load(plan["device"])
        if encoder.card != card:
            todo = "bring the same weights and the same release of mmgraph to every node"
            raise EncoderError(f"{component.class_path} of a node differs from this machine's", given=encoder.card, todo=todo)
        found[told["job"]] = Batches(encoder, plan["batch"], plan["device"])
    return found


def _packed(part: Part) -> bytes:
    return msgspec.msgpack.encode(part, enc_hook=str)


def _unpacked(packed: bytes) -> Part:
    return msgspec.msgpack.decode(packed, type=Part, dec_hook=lambda wanted, value: wanted(value))


def _packed_results(results: dict[int, PartResult]) -> bytes:
    told = [
        {
            "job": job,
            "keys": one.keys,
            "vectors": [(vectors.shape, np.ascontiguousarray(vectors, "<f4").tobytes()) for vectors in one.vectors],
            "absent": one.absent,
            "refused": one.refused,
            "last": None if one.last_refusal is None else str(one.last_refusal),
        }
        for job, one in results.items()
    ]
    return msgspec.msgpack.encode({"results": told})


def _unpacked_results(packed: bytes) -> dict[int, PartResult]:
    told = msgspec.msgpack.decode(packed)
    if "failed" in told:
        raise EncoderError(told["failed"])
    return {one["job"]: _result(one) for one in told["results"]}


def _result(told: dict[str, Any]) -> PartResult:
    vectors = [np.frombuffer(raw, "<f4").reshape(shape).astype(np.float32) for shape, raw in told["vectors"]]
    last = None if told["last"] is None else EncoderError(told["last"])
    return PartResult(told["keys"], vectors, told["absent"], told["refused"], last)
