"""``order`` and ``gaps``."""

from pathlib import Path

from mmgraph.commands.words import number, run_and_item, taken


def order(words: list[str]) -> int:
    """Put the parts of videos in order."""
    usage = "mmgraph order RUN [VIDEO] [--held-out] [--relation SOURCE/NAME/TARGET] [--method NAME] [--to FILE]"
    words, given = taken(words, dict.fromkeys(("--relation", "--method", "--to"), 1), ("--held-out",), usage)
    path, video = run_and_item(words, "order", usage)
    from rich.console import Console

    from mmgraph.evaluate.contract import OURS
    from mmgraph.order import Temporal, ordered
    from mmgraph.outputs import order as shown

    to = [Path(one) for one in given.get("--to", ())]
    for one in to:
        shown.format_of(one)
    asked = Temporal.of(path, given.get("--relation", [None])[0])
    wanted = [asked.named(video)] if video else asked.groups
    wanted = asked.held_out(wanted) if "--held-out" in given else wanted
    method = given.get("--method", [OURS])[0]
    done, ids = ordered(asked, wanted, method), asked.ids
    console = Console()
    console.print(shown.group_table(done[0], method, ids) if video else shown.groups_table(done, method))
    settings = asked.opened.settings
    if lines := shown.rightness(done, settings.evaluate, settings.run.seed):
        console.print(shown.rightness_table(lines, asked.relation))
    console.print(shown.told_of(done), highlight=False, markup=False, soft_wrap=True)
    for one in to:
        shown.write_order(done, asked.relation, ids, one)
        print(one)
    return 0


def gaps(words: list[str]) -> int:
    """Find missing links between chains."""
    usage = "mmgraph gaps RUN [VIDEO] [--relation SOURCE/NAME/TARGET] [--method NAME] [--longer S] [--below SHARE] [--to FILE]"
    words, given = taken(words, dict.fromkeys(("--relation", "--method", "--longer", "--below", "--to"), 1), (), usage)
    path, video = run_and_item(words, "gaps", usage)
    from rich.console import Console

    from mmgraph.evaluate.contract import OURS
    from mmgraph.order import Temporal, bridged_links, gaps
    from mmgraph.outputs import gaps as shown
    from mmgraph.outputs.order import format_of

    to = [Path(one) for one in given.get("--to", ())]
    for one in to:
        format_of(one)
    longer, below = number(given, "--longer", float, 1.0), number(given, "--below", float, 0.5)
    asked = Temporal.of(path, given.get("--relation", [None])[0])
    method = given.get("--method", [OURS])[0]
    found = gaps(asked, [asked.named(video)] if video else asked.groups, method, longer, below)
    console = Console()
    console.print(shown.gaps_table(found, asked.ids, console.width) if found else "no gaps", highlight=False)
    if not video and (lines := bridged_links(asked)):
        console.print(shown.bridging_table(lines, asked.relation))
    for one in to:
        shown.write_gaps(found, asked.relation, method, asked.ids, one)
        print(one)
    return 0
