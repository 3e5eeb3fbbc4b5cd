"""Arms of a benchmark, each written as soon as it is done."""

import json


def write_arms(found, bench, names, said, page, out):
    """Fill ``found`` by ``bench.arm(name)`` and ``bench.worth()``; after each print what it ``said`` and write OUT.json and OUT.md."""
    out.parent.mkdir(parents=True, exist_ok=True)
    for name in names:
        found["arms"][name] = bench.arm(name)
        found["worth"] = bench.worth()
        print(name, found["arms"][name][said], flush=True)
        out.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
        out.with_suffix(".md").write_text(page(found))
