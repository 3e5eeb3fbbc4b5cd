"""What a fit would take, as tables for a terminal."""

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from mmgraph.graph.contract import Graph
from mmgraph.model.choose import size_of
from mmgraph.model.estimate import Need
from mmgraph.outputs.terminal import table_of


def graph_table(graph: Graph) -> Table:
    """Items by kind with the widths of their features, and visible edges by relation."""
    table = table_of("visible graph", ("what", "count", "features"), ("what", "features"))
    for kind in graph.ids:
        widths = (f"{modality} {f.vectors.shape[1]}" for modality, f in graph.features_of(kind).items() if f.present.any())
        table.add_row(Text(kind), f"{graph.count(kind):,}", ", ".join(widths))
    for relation, edges in graph.edges.items():
        table.add_row(Text(str(relation)), f"{len(edges):,}", "")
    return table


def memory_table(needs: Sequence[Need], chosen: str, grown: int | None) -> Table:
    """Parts by mode, of those that could be estimated. Those that pass follow one another, so that the largest counts (*). grown: bytes
    that the process grew by in the rehearsal of the chosen mode.
    """
    modes = [need.mode for need in needs] or [chosen]
    table = table_of("memory", ("part", *(f"{mode} (chosen)" if mode == chosen else mode for mode in modes)), ("part",))
    for title, group in (("there before training", "held"), ("while it lasts", "lasting"), ("one after the other", "passing")):
        if needs:
            table.add_section()
            table.add_row(f"[dim]{title}[/dim]")
        for part in dict.fromkeys(name for need in needs for name in getattr(need, group)):
            table.add_row(f"  {part}", *(_cell(getattr(need, group), part, group == "passing") for need in needs))
    if needs:
        table.add_section()
        table.add_row("highest in all", *(size_of(need.total) for need in needs), style="bold")
    if grown is not None:  # more than what training adds where the C library keeps small blocks that were freed
        table.add_row("process grew in rehearsal", *(size_of(grown) if mode == chosen else "" for mode in modes))
    return table


def _cell(parts: Mapping[str, int], part: str, starred: bool) -> str:
    if part not in parts:
        return "–"
    return size_of(parts[part]) + ("*" if starred and parts[part] == max(parts.values()) else "")


def time_table(rows: Sequence[tuple[str, float]]) -> Table:
    """Seconds by part."""
    table = table_of("time", ("part", ""), ("part",))
    for part, seconds in rows:
        table.add_row(part, spoken(seconds))
    return table


def spoken(seconds: float) -> str:
    """Seconds as a person reads them.

    >>> [spoken(0.0123), spoken(75.0), spoken(7300.0)]
    ['12 ms', '1 min 15 s', '2 h 01 min']
    """
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
