"""Files of one commit of a hub's repository, for libraries that cannot be told which."""

from pathlib import Path

from mmgraph.encode import hub
from mmgraph.encode.contract import Repository
from mmgraph.errors import EncoderError

_SMALL = ("*.json", "*.txt", "*.model")


def fetched(repository: Repository) -> Path:
    """The weight file, with the repository's small files beside it, out of the cache or, where it is not there, from the hub.

    Raises EncoderError where the repository has none of the files, and what huggingface_hub raises.
    """
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError

    found = hub.cached(repository.id, repository.files, repository.revision)
    if found is not None:
        return found
    revision = hub.pinned(repository.id, repository.revision)
    huggingface_hub.snapshot_download(repository.id, revision=revision, allow_patterns=list(_SMALL))
    for name in repository.files:
        try:
            return Path(huggingface_hub.hf_hub_download(repository.id, name, revision=revision))
        except EntryNotFoundError:
            continue
    raise EncoderError(
        f"{repository.id} has none of {', '.join(repository.files)}",
        given=f"revision {repository.revision}",
        todo="name another",
    )
