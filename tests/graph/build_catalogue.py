"""Small catalogues for tests."""

from mmgraph.catalogue.contract import Catalogue, items_frame, labels_frame, links_frame


def catalogue(items=(), links=(), labels=()):
    """items: (id, kind[, parent, start_s, end_s]); links: dict or (source, relation, target); labels: dict or (id, field, value)."""
    names = ("id", "kind", "parent", "start_s", "end_s")
    rows = [dict(zip(names, item, strict=False)) for item in items]
    link_rows = [link if isinstance(link, dict) else dict(zip(("source", "relation", "target"), link, strict=True)) for link in links]
    label_rows = [one if isinstance(one, dict) else dict(zip(("id", "field", "value"), one, strict=True)) for one in labels]
    return Catalogue(items_frame(rows), links_frame(link_rows), labels_frame(label_rows))
