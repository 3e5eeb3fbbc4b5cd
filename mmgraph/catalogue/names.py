"""Names of kinds and relations, made of whatever other formats allow as one."""

import logging
import re
from collections.abc import Iterable

_log = logging.getLogger(__name__)
_NAME = re.compile(r"[\w.\-]+")


def plain_names(given: Iterable[str], what: str) -> dict[str, str]:
    """Each name as written -> a name that a kind or relation can have, no two the same. ``what`` they name, for the log.

    >>> plain_names(["_hypernym", "/people/person", "people_person"], "relations")
    {'_hypernym': '_hypernym', '/people/person': 'people_person_2', 'people_person': 'people_person'}
    """
    written = list(dict.fromkeys(given))
    names = {one: one for one in written if _NAME.fullmatch(one)}
    taken = set(names)
    changed = [one for one in written if one not in names]
    for one in changed:
        plain = re.sub(r"[^\w.\-]", "_", one).strip("_") or what.removesuffix("s")
        name, number = plain, 2
        while name in taken:
            name, number = f"{plain}_{number}", number + 1
        names[one] = name
        taken.add(name)
    if changed:
        _log.info("%d %s get other names, e.g. %s for %s", len(changed), what, names[changed[0]], changed[0])
    return {one: names[one] for one in written}
