"""What is in a file, as a key: equal bytes, equal key. Files are read once as long as path, size and time stay the same."""

import hashlib
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from mmgraph.catalogue.contract import MEDIA_KINDS, Catalogue
from mmgraph.catalogue.kinds import KIND_OF, ending
from mmgraph.errors import MediaError
from mmgraph.files import sha256
from mmgraph.media.cache import Remembered
from mmgraph.progress import Bar

_HASHERS = 4


def content_hashes(catalogue: Catalogue, cache: Path | None = None) -> dict[str, str]:
    """Item id -> key of its content, for every item that has any; equal content, equal key.

    The SHA-256 of the file's bytes, of these and the span for items with times, or of the text that the catalogue carries
    (for a photo or video that carries one beside its file, of the file).
    Files are read once as long as path, size and time stay the same. Raises MediaError for a file that has gone.
    """
    items = catalogue.items
    in_file = in_files(items)
    found = digests(items.loc[in_file, "path"].tolist(), cache, "hashing files")
    hashes: dict[str, str] = {}
    columns = (items[name].tolist() for name in ("id", "path", "text", "start_s", "end_s"))
    for from_file, name, path, text, start, end in zip(in_file.tolist(), *columns, strict=True):
        if text is not None and not from_file:
            hashes[name] = text_hash(text)
        elif from_file:
            digest = found[path]
            if digest is None:
                raise MediaError("the file has gone since it was examined", given=path, todo="run again")
            whole = math.isnan(start) and math.isnan(end)
            hashes[name] = digest if whole else hashlib.sha256(f"{digest} {start!r} {end!r}".encode()).hexdigest()
    return hashes


def text_hash(text: str) -> str:
    """Content key of a text that the catalogue carries."""
    return hashlib.sha256(text.encode()).hexdigest()


def in_files(items: pd.DataFrame) -> "pd.Series[bool]":
    """Items whose media lie in a file: all with a path, but texts whose words the catalogue carries."""
    in_file = items["path"].notna()
    carried = in_file & items["text"].notna() & (items["kind"].eq("text") | ~items["kind"].isin(MEDIA_KINDS))
    texts = {path for path in items.loc[carried, "path"] if KIND_OF.get(ending(path)) == "text"}
    return in_file & ~(carried & (items["kind"].eq("text") | items["path"].isin(texts)))


def digests(paths: Sequence[str], cache: Path | None, what: str) -> dict[str, str | None]:
    """Path -> SHA-256 of its bytes, None for what cannot be opened."""
    distinct = list(dict.fromkeys(paths))
    with Remembered(cache / "hashes.jsonl" if cache else None) as known, Bar(what, len(distinct), "files") as bar:
        keys = {path: _key(path) for path in distinct}
        unknown = [path for path in distinct if keys[path] and known.get(keys[path]) is None]
        bar.advance(len(distinct) - len(unknown))
        with ThreadPoolExecutor(_HASHERS) as pool:
            for path, digest in zip(unknown, pool.map(_digest, unknown), strict=True):
                if digest is not None:
                    known.put(keys[path], digest)
                bar.advance()
        return {path: known.get(keys[path]) if keys[path] else None for path in distinct}


def _key(path: str) -> str:
    try:
        status = os.stat(path)  # noqa: PTH116 - pathlib takes ten times as long, and a corpus has many
    except OSError:
        return ""
    return f"{path}|{status.st_size}|{status.st_mtime_ns}"


def _digest(path: str) -> str | None:
    try:
        return sha256(Path(path))
    except OSError:
        return None
