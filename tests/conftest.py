"""Fixtures that more than one test file uses."""

from pathlib import Path

import pytest
import torch

from utils.runtime import ROOT

SHARED = ROOT.parent / "shared" / "data"
LONGEST = ("workflow", "wrappers", "bad_inputs", "modisco", "weights", "discovery", "gradient", "report")


def pytest_collection_modifyitems(items):
    """Begin with the files that take longest, so that at the end no process waits for one of them."""
    names = [f"test_{name}.py" for name in LONGEST]
    items.sort(key=lambda item: names.index(item.path.name) if item.path.name in names else len(names))


@pytest.fixture(autouse=True)
def one_thread():
    """Compute on one thread: for toy sizes more of them only wait for each other.

    Set for every test, because numba's OpenMP layer (Tomtom) changes the number for the whole process.
    """
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of measured data; a test that needs it is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"measured data are not there ({SHARED})")
    return SHARED


@pytest.fixture
def one_line():
    """Return a function that checks that an error is one non-empty line and gives it back."""

    def check(raised) -> str:
        text = str(raised.value)
        assert text.strip()
        assert "\n" not in text, f"more than one line: {text!r}"
        return text

    return check


@pytest.fixture
def table(tmp_path):
    """Return a function that writes a table."""

    def write(text, name="table.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write
