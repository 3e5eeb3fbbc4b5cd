"""How is an encoder of one's own plugged in?   python examples/own_encoder.py

Defines one, holds it to the contract, names it by ``class_path`` as a YAML would, and fills the feature store with it, twice:
the second time nothing is computed.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmgraph.catalogue.importers.folder import Folder
from mmgraph.corpus import CorpusSize, make
from mmgraph.encode.choose import choose
from mmgraph.encode.contract import Encoder, EncoderCard
from mmgraph.media.clip import Clip, Frames
from mmgraph.media.segments import content_hashes, cut
from mmgraph.media.source import sources
from mmgraph.settings import Component, MediaSettings
from mmgraph.store.fill import Job, fill
from mmgraph.store.store import Store
from mmgraph.testing import awkward_clips, check_encoder
from mmgraph.types import Floats


class Thumbnail(Encoder):
    """The first frame as a tiny grey picture of ``side`` x ``side`` numbers in 0..1."""

    modality = "image"

    def __init__(self, *, side: int = 4) -> None:
        self.side = side

    def available(self) -> str | None:
        return None

    def load(self, device: str = "cpu") -> None:
        pass

    @property
    def card(self) -> EncoderCard:
        return EncoderCard("thumbnail", "image", "none", "1", self.side**2, f"{self.side} px", "Apache-2.0", "none")

    def _encode(self, clips: Sequence[Clip]) -> Floats:
        return np.stack([self._grey(clip) for clip in clips if isinstance(clip, Frames)])

    def _grey(self, clip: Frames) -> Floats:
        grey = clip.pixels[0].mean(axis=2) / 255
        rows = np.linspace(0, grey.shape[0] - 1, self.side).astype(int)
        columns = np.linspace(0, grey.shape[1] - 1, self.side).astype(int)
        return grey[np.ix_(rows, columns)].astype(np.float32).ravel()


def main() -> None:
    check_encoder(Thumbnail(), awkward_clips("image"))
    print("the encoder meets the contract")
    # in a YAML: image: [{class_path: own_encoder.Thumbnail, init_args: {side: 8}}]
    component = Component(class_path=f"{Path(__file__).stem}.Thumbnail", init_args={"side": 8})
    chosen = choose("image", [component], "error", "cpu")

    with tempfile.TemporaryDirectory() as folder:
        root, media = Path(folder) / "sample", MediaSettings(workers=1)
        make(root, size=CorpusSize(videos=1, images=4, music=0, texts=0, users=0), workers=1)
        catalogue = cut(Folder(root=root).read(), media)
        pictures = catalogue.items.loc[catalogue.items["kind"].isin(["image", "segment"]), "id"]
        content, source_of, store = content_hashes(catalogue), sources(catalogue), Store(Path(folder) / "store")
        wanted = [(content[name], source_of[name]) for name in pictures]
        for turn in ("first", "second"):
            (report,) = fill(store, [Job(chosen, wanted)], media)
            print(f"{turn} time: {report.encoded} encoded, {report.cached} already there")
        vectors, present = store.read(chosen.card, [key for key, _ in wanted])
    print(f"vectors {vectors.shape}, all there: {bool(present.all())}; card {chosen.card.key()}")


if __name__ == "__main__":
    main()
