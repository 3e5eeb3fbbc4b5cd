"""The fenced blocks of a Markdown file."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """``language`` of the fence, its text, and the heading that it stands under."""

    document: str
    heading: str
    language: str
    text: str

    @property
    def name(self) -> str:
        """Names the block in a test's id."""
        return f"{self.document}:{self.heading}:{self.language}"


def blocks(path: Path, *languages: str) -> list[Block]:
    """The blocks in these languages (all, when none is named), in order."""
    text = path.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text[: match.start()]), re.MULTILINE)
        found.append(Block(path.name, headings[-1] if headings else "", match[1], match[2]))
    return [block for block in found if not languages or block.language in languages]


def outside_blocks(path: Path) -> str:
    """The text without its fenced blocks."""
    return _FENCE.sub("", path.read_text(encoding="utf-8"))
