"""benchmarks/newcomers.py: whom it takes out of the tables, and its page."""

import importlib.util
from pathlib import Path

import numpy as np
from runs_made import read_csv, write_csv

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "newcomers.py"


def script():
    spec = importlib.util.spec_from_file_location("newcomers", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_users_leave_the_tables_with_all_of_their_links(tmp_path):
    newcomers = script()
    write_csv(
        tmp_path / "items.csv",
        ("id", "kind"),
        [*((f"u{i}", "user") for i in range(6)), *((f"a{i}", "artist") for i in range(9))],
    )
    rows = [(f"u{u}", "listens", f"a{a}", "train" if a < 3 + u else "test") for u in range(6) for a in range(7)]
    rows += [("u5", "listens", "a8", "train"), ("u2", "friend_of", "u4", ""), ("u0", "friend_of", "u1", "")]
    write_csv(tmp_path / "links.csv", ("source", "relation", "target", "split"), rows)
    assert newcomers.drawn(tmp_path, 9) == ["u2", "u3"], "who has five train links, and something to be asked"
    assert newcomers.drawn(tmp_path, 1) == newcomers.drawn(tmp_path, 1)
    newcomers.without(tmp_path, tmp_path / "less", {"u2", "u3"})
    assert [row["id"] for row in read_csv(tmp_path / "less" / "items.csv")] == [
        row["id"] for row in read_csv(tmp_path / "items.csv") if row["id"] not in ("u2", "u3")
    ]
    left = read_csv(tmp_path / "less" / "links.csv")
    assert len(left) == len(rows) - 15 and not {"u2", "u3"} & {row[end] for row in left for end in ("source", "target")}


def test_the_page_compares_user_by_user():
    newcomers = script()
    own = {metric: np.array([0.2, 0.4, 0.6]) for metric in newcomers.METRICS}
    new = {metric: values - 0.1 for metric, values in own.items()}
    page = newcomers.page({"gnn": own}, {"gnn": new}, ["a", "b", "c"], 15)
    assert page.count("| -0.100 (-0.100 to -0.100) | 0.75 |") == 2 and "3 users of lastfm; 15 epochs at most" in page
