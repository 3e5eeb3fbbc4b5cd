"""Small catalogues."""

import pytest

from mmgraph.catalogue.contract import Catalogue, items_frame, labels_frame, links_frame

ITEM = ("id", "kind", "parent", "start_s", "end_s")


def _rows(names, rows):
    return [row if isinstance(row, dict) else dict(zip(names, row, strict=False)) for row in rows]


@pytest.fixture(scope="session")
def catalogue():
    """Function of items (id, kind, parent, start_s, end_s), links (source, relation, target), labels (id, field, value)."""

    def make(items=(), links=(), labels=()):
        return Catalogue(
            items_frame(_rows(ITEM, items)),
            links_frame(_rows(("source", "relation", "target"), links)),
            labels_frame(_rows(("id", "field", "value"), labels)),
        )

    return make
