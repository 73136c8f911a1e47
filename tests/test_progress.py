"""Progress: a bar where there is a terminal, lines in a log."""

import io
import os
import re
import sys
import time

import utils.progress
from utils.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_log_has_a_line_now_and_then_and_no_carriage_returns(monkeypatch, capsys):
    monkeypatch.setattr(utils.progress, "IN_LOG", 0.1)
    began = time.monotonic()
    for _ in progress_bar(range(20), desc="conv5: neurons"):
        list(progress_bar(range(2), desc="inside", leave=False))
        time.sleep(0.03)
    with progress_bar(desc="sampling, step", leave=False) as bar:
        for _ in range(10):
            time.sleep(0.03)
            bar.update()
    said = capsys.readouterr().err
    assert "\r" not in said
    assert "\x1b" not in said
    lines = said.splitlines()
    assert 3 <= len(lines) <= 4 + (time.monotonic() - began) / 0.1  # however slow the machine is
    assert re.fullmatch(r"conv5: neurons: \d+ of 20 \(\d+ %\) after \d\d:\d\d, \d\d:\d\d to go", lines[1]), lines
    assert lines[-1].startswith("sampling, step: ")
    assert len(set(lines)) == len(lines)


def test_of_short_work_a_log_has_begin_and_end_and_of_its_steps_nothing(capsys):
    assert list(progress_bar([1, 2, 3], desc="short")) == [1, 2, 3]
    assert list(progress_bar([1, 2], desc="steps", leave=False)) == [1, 2]
    assert list(progress_bar([], desc="nothing")) == []
    assert list(progress_bar([1, 2], desc="for a terminal", disable=None)) == [1, 2]
    said = capsys.readouterr().err.splitlines()
    said = [re.sub(r"after 00:\d\d", "after 00:00", line) for line in said]
    assert said == ["short: 0 of 3 (0 %) after 00:00, ? to go", "short: 3 of 3 (100 %) after 00:00, 00:00 to go"]


def test_a_terminal_has_a_bar(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    list(progress_bar([1, 2, 3], desc="short"))
    said = sys.stderr.getvalue()
    assert "\rshort: 100%" in said
    assert os.linesep in said
