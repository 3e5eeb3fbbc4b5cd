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


def test_in_a_narrow_terminal_a_bar_stays_one_line_and_of_nothing_there_is_none(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert list(track([], "reading files", 0, "files")) == []
    assert terminal.getvalue() == ""
    with Bar("recommending user/likes/text", 9, "users") as bar:
        bar.advance(9)
    assert "9/9" in terminal.getvalue()
    assert all("left" in line for line in terminal.getvalue().replace("\r", "\n").splitlines() if "user" in line)
