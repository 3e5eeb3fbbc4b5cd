"""A bar shows what, how many, how fast and how long still; and nothing where nobody looks."""

import io
import sys
import time

from mmgraph.progress import Bar, track


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_there_is_a_rate_and_the_time_left(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Bar("image by clip", 10, "clips") as bar:
        bar.advance(2)
        time.sleep(0.02)
        bar.advance(3)
    assert "image by clip" in terminal.getvalue()
    assert "5/10" in terminal.getvalue()
    assert "clips/s" in terminal.getvalue()
    assert "left" in terminal.getvalue()


def test_elsewhere_it_is_silent(capsys):
    assert list(track(iter("abc"), "letters", 3)) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")
