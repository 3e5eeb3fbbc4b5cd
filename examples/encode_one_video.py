"""Which segments of one video look most alike?   python examples/encode_one_video.py [VIDEO]

Cuts the video (one of a small sample corpus, when none is given) at its shots, encodes every segment without any weights, and
prints the pairs in order of cosine similarity.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmgraph.catalogue.contract import Catalogue, items_frame, labels_frame, links_frame
from mmgraph.corpus import CorpusSize, make
from mmgraph.media.decode import decode
from mmgraph.media.segments import cut
from mmgraph.media.source import sources
from mmgraph.settings import MediaSettings
from mmgraph_encoders.image_statistics import ImageStatistics


def main(arguments: Sequence[str] = ()) -> None:
    with tempfile.TemporaryDirectory() as folder:
        video = Path(arguments[0]) if arguments else _sample(Path(folder) / "sample")
        media = MediaSettings(frames_per_segment=4, workers=1)
        rows: list[dict[str, object]] = [{"id": "video", "kind": "video", "path": str(video.absolute())}]
        catalogue = cut(Catalogue(items_frame(rows), links_frame([]), labels_frame([])), media)

        segments = catalogue.items[catalogue.items["kind"] == "segment"]
        source_of, encoder = sources(catalogue), ImageStatistics()
        clips = [decode(source_of[name], "image", media) for name in segments["id"]]
        vectors = encoder.encode([clip for clip in clips if clip is not None])

    print(f"{video.name}: {len(segments)} segments, vectors of width {encoder.card.width}")
    for row in segments.itertuples():
        print(f"  {row.id}  {row.start_s:5.1f} s to {row.end_s:5.1f} s")
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second = np.triu_indices(len(unit), 1)
    cosine = (unit[first] * unit[second]).sum(1)
    print("most alike first:")
    for pair in np.argsort(-cosine)[:5]:
        print(f"  {cosine[pair]:.3f}  {segments['id'].iloc[first[pair]]}  {segments['id'].iloc[second[pair]]}")


def _sample(folder: Path) -> Path:
    make(folder, size=CorpusSize(videos=1, images=0, music=0, texts=0, users=0), workers=1)
    return next(path for path in sorted((folder / "videos").glob("*.mp4")) if path.stat().st_size > 10_000)  # one is broken


if __name__ == "__main__":
    main(sys.argv[1:])
