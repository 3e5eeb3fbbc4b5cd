"""Every relative link in the documents leads somewhere."""

import re

import pytest

from .blocks import DOCUMENTS, outside_blocks

_LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(path):
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", outside_blocks(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_relative_links(path):
    links = [link for link in _LINK.findall(outside_blocks(path)) if "://" not in link]
    assert links
    broken = []
    for link in links:
        name, _, anchor = link.partition("#")
        there = path.parent / name if name else path
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(link)
    assert broken == []
