"""``recommend`` and ``similar``."""

from mmgraph.commands.words import number, one_run, taken


def recommend(words: list[str]) -> int:
    """Write lists for users."""
    from mmgraph.recommend import RECOMMEND, recommend

    values = dict.fromkeys(("--top-k", "--kind", "--relation", "--format", "--to"), 1) | {"--user": 0, "--liked": 0}
    runs, given = taken(words, values, ("--exclude-known", "--explain"), RECOMMEND)
    print(*recommend(one_run(runs, "recommend"), given, number(given, "--top-k", int, 20)), sep="\n")
    return 0


def similar(words: list[str]) -> int:
    """Write what is like an item."""
    from mmgraph.recommend import SIMILAR, similar

    values = dict.fromkeys(("--top-k", "--kind", "--format", "--to"), 1) | {"--item": 0}
    runs, given = taken(words, values, (), SIMILAR)
    print(*similar(one_run(runs, "similar"), given, number(given, "--top-k", int, 20)), sep="\n")
    return 0
