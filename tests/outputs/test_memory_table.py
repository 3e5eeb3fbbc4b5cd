"""What a dry run prints of memory."""

from rich.console import Console

from mmgraph.model.estimate import Need
from mmgraph.outputs.estimate import memory_table

MIB = 2**20


def printed(*given):
    console = Console(width=100)
    with console.capture() as out:
        console.print(memory_table(*given))
    return out.get()


def test_the_growth_of_the_rehearsal_stands_under_the_chosen_mode():
    needs = [
        Need(mode, {"model": MIB}, {"edges": 2 * MIB}, {"a step": size * MIB}) for mode, size in (("full", 9), ("steps", 5))
    ]
    lines = printed(needs, "steps", 21 * MIB).splitlines()
    assert [" ".join(line.split()) for line in lines[2:4]] == ["┃ ┃ ┃ steps┃", "┃part ┃ full ┃ (chosen)┃"]
    cells = {
        line.split("│")[1].strip(): [one.strip() for one in line.split("│")[2:4]] for line in lines if line.startswith("│")
    }
    assert cells["highest in all"] == ["12 MiB", "8 MiB"]
    assert cells["process grew in rehearsal"] == ["", "21 MiB"]


def test_a_model_that_cannot_be_estimated_is_measured_all_the_same():
    out = printed([], "steps", 21 * MIB)
    assert "21 MiB" in out
    assert "highest in all" not in out
