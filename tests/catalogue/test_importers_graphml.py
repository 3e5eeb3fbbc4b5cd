"""GraphML as networkx writes it, and what is said of bad files."""

import logging

import networkx
import numpy as np
import pytest

from mmgraph.catalogue.importers.graphml import GraphML
from mmgraph.errors import CatalogueError

HEAD = '<?xml version="1.0"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'


def read(root, text, **arguments):
    (root / "a.graphml").write_text(text, encoding="utf-8")
    return GraphML(root=root, **arguments).read()


def links(catalogue):
    return catalogue.links[["source", "relation", "target"]].values.tolist()


def test_one_node(tmp_path):
    catalogue = read(tmp_path, HEAD + '<graph><node id="n"/></graph></graphml>')
    assert catalogue.items[["id", "kind"]].values.tolist() == [["n", "node"]]
    assert len(catalogue.links) == len(catalogue.labels) == 0


def test_what_networkx_writes(tmp_path, caplog):
    graph = networkx.MultiDiGraph()
    graph.add_node("ann & <b>", kind="user", age=3)
    graph.add_node("note", kind="text", text="line 1\nline 2 \u00e9", topic="sea")
    graph.add_node("plain", topic="wood")
    graph.add_edge("ann & <b>", "note", relation="wrote it", weight=0.25, time=17.5, split="train")
    graph.add_edge("note", "plain", weight=2, colour="red")
    graph.add_edge("ann & <b>", "note", relation="likes")
    networkx.write_graphml(graph, tmp_path / "nx.graphml")
    with caplog.at_level(logging.INFO):
        catalogue = GraphML(root=tmp_path, labels=("topic",), kind="thing", relation="with").read()
    assert catalogue.items[["id", "kind", "text"]].values.tolist() == [
        ["ann & <b>", "user", None], ["note", "text", "line 1\nline 2 \u00e9"], ["plain", "thing", None],
    ]  # fmt: skip
    assert sorted(links(catalogue)) == [
        ["ann & <b>", "likes", "note"], ["ann & <b>", "wrote_it", "note"], ["note", "with", "plain"],
    ]  # fmt: skip
    rows = catalogue.links.set_index("relation")
    assert rows["weight"].to_dict() == {"wrote_it": 0.25, "likes": 1.0, "with": 2.0}
    assert rows["time"]["wrote_it"] == 17.5
    assert rows["split"]["wrote_it"] == "train"
    assert catalogue.labels.values.tolist() == [["note", "topic", "sea", None], ["plain", "topic", "wood", None]]
    assert "attributes of nodes are left out: age" in caplog.text
    assert "attributes of edges are left out: colour" in caplog.text


@pytest.mark.parametrize("directed", [True, False])
def test_random_graphs_of_networkx(tmp_path, caplog, directed):
    graph = networkx.gnp_random_graph(40, 0.1, seed=3, directed=directed)
    rng = np.random.default_rng(0)
    for edge in graph.edges:
        graph.edges[edge]["weight"] = float(rng.random())
    networkx.write_graphml(graph, tmp_path / "nx.xml")
    with caplog.at_level(logging.INFO):
        catalogue = GraphML(root=tmp_path).read()
    assert catalogue.items["id"].tolist() == [str(node) for node in graph.nodes]
    weights = {(link["source"], link["target"]): link["weight"] for link in catalogue.links.to_dict("records")}
    assert weights == {(str(a), str(b)): data["weight"] for a, b, data in graph.edges(data=True)}
    assert ("undirected edges are read" in caplog.text) is not directed


def test_defaults_prefixes_and_keys_of_all(tmp_path):
    text = (
        '<g:graphml xmlns:g="x"><g:key id="k" for="all" attr.name="kind"><g:default>user</g:default></g:key>'
        '<g:graph><g:desc>words</g:desc><g:node id="a"/><g:node id="b"><g:data key="k">film</g:data></g:node>'
        "</g:graph></g:graphml>"
    )
    assert read(tmp_path, text).items["kind"].tolist() == ["user", "film"]


BODY = HEAD + '<key id="k" for="node" attr.name="x"/>\n<graph>\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a.graphml, line 1: no well-formed XML; given: no element found; save it as GraphML again"),
        (HEAD + "<graph>", r"a.graphml, line 3: no well-formed XML"),
        ("<gexf/>", r"a.graphml, line 1: this is no GraphML; given: <gexf>; save it with networkx"),
        ('<?xml version="1.0"?>\n<!DOCTYPE x [<!ENTITY a "b">]>\n<graphml/>', r"a.graphml, line 2: a DOCTYPE, which is not read"),
        (BODY + "<node/></graph></graphml>", r"a.graphml, line 5: <node> without id"),
        (BODY + '<edge source="a"/></graph></graphml>', r"a.graphml, line 5: <edge> without target"),
        (BODY + '<node id="a"><data key="z">1</data></node></graph></graphml>', r'line 5: <data> of an unknown key of a node; given: z'),
        (BODY + '<node id="a"><graph/></node></graph></graphml>', r"a.graphml, line 5: a second <graph>"),
        (BODY + "<hyperedge/></graph></graphml>", r"a.graphml, line 5: <hyperedge> is not read"),
        (BODY + '<node id="a"/>\n<edge source="a" target="b"/></graph></graphml>',
         r"a.graphml, line 6, column 'target': no item has this id; given: 'b'"),
        (BODY + '<node id="a"/>\n<node id="a"/></graph></graphml>', r"line 6, column 'id': it is also the id of a.graphml, line 5"),
        (HEAD + "<graph/></graphml>", r"there are no items"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_bad_file(tmp_path, text, message):
    with pytest.raises(CatalogueError, match=message):
        read(tmp_path, text)


def test_entities_are_not_unfolded(tmp_path):
    inner = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    text = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{inner}]><graphml><graph>&l9;</graph></graphml>'
    with pytest.raises(CatalogueError, match=r"a DOCTYPE, which is not read"):
        read(tmp_path, text)


def test_what_is_said_of_files_and_splits(tmp_path):
    with pytest.raises(CatalogueError, match=r"there is no GraphML file \(.graphml .xml\); .*; name one by catalogue.file"):
        GraphML(root=tmp_path).read()
    with pytest.raises(CatalogueError, match=r"b.graphml cannot be read; .*check the name"):
        GraphML(root=tmp_path, file="b.graphml").read()
    text = (
        '<graphml><key id="a" for="node" attr.name="label:t"/><key id="b" for="node" attr.name="split:t"/><graph>\n'
        '<node id="n"><data key="a">x</data><data key="a">y</data><data key="b">test</data></node></graph></graphml>'
    )
    with pytest.raises(CatalogueError, match=r"a.graphml, line 2: 2 values of 'label:t' and 1 of 'split:t'; given: n"):
        read(tmp_path, text)
    (tmp_path / "b.xml").write_text("")
    with pytest.raises(CatalogueError, match=r"several GraphML files; given: a.graphml, b.xml"):
        GraphML(root=tmp_path).read()
