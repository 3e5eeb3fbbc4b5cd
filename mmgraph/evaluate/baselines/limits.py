"""A baseline that would need too much memory is left out, and says so."""

import logging

_LOG = logging.getLogger(__name__)
LIMIT_BYTES = 4 * 2**30


def fits_in_memory(name: str, needed: int) -> bool:
    """Whether ``needed`` bytes are within LIMIT_BYTES (4 GiB); where not, a warning in the log says that ``name`` is left out."""
    if needed <= LIMIT_BYTES:
        return True
    _LOG.warning("baseline %s left out: it needs %.1f GiB, the limit is %.0f GiB", name, needed / 2**30, LIMIT_BYTES / 2**30)
    return False
