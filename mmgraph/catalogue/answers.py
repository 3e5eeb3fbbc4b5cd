"""answers.csv: labels that a person gives a finished run, as ``mmgraph ask`` has them filled in."""

from pathlib import Path

from mmgraph.catalogue.tables import Table, read_table
from mmgraph.errors import CatalogueError

ANSWER = ("id", "field", "value")
HELP = ("likeliest", "probability", "uncertainty", "path", "start_s", "end_s", "text")
"""Columns that help to answer; nobody reads them back."""


def read_answers(path: Path) -> Table:
    """The rows that have a value, with spaces around it taken off; raises CatalogueError where there is none, or one lacks id or field."""
    table = read_table(path, ANSWER, (*ANSWER, *HELP))
    frame = table.frame[list(ANSWER)].copy()
    frame["value"] = frame["value"].str.strip().replace("", None)
    rows = frame.index[frame["value"].notna()]
    if not len(rows):
        raise CatalogueError(f"{table.name} has no answer", given=f"{len(frame)} rows", todo="fill in the column value")
    for name in ("id", "field"):
        lacking = frame.loc[rows, name].isna().to_numpy()
        if lacking.any():
            place = table.place(int(rows[lacking.argmax()]))
            raise CatalogueError(f"{place}, column {name!r}: not given", todo="say which item and field the value is of")
    where = rows.to_numpy()
    return Table(frame.loc[rows].reset_index(drop=True), table.name, where=lambda index: table.place(int(where[index])))
