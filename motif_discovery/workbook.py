"""Tables as one Excel workbook and as CSV files; text from files stays text and never becomes a formula."""

import math
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from utils.runtime import atomic_path, write_text

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # with which spreadsheet programs take the text of a CSV for a formula
WIDEST = 60  # characters of a column


def cell_value(value: object) -> object:
    """Return a value as a cell holds it: text without control characters, a number, or nothing where it is missing."""
    if isinstance(value, str):
        return ILLEGAL_CHARACTERS_RE.sub("", value)
    if value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value.item() if hasattr(value, "item") else value


def guarded(value: object) -> object:
    """Return text that a spreadsheet program would take for a formula with an apostrophe before it; else the value."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, whole or not at all; numbers to six digits."""
    text = table.copy()
    for column in text.columns:
        if not pd.api.types.is_numeric_dtype(text[column]):
            text[column] = [guarded(cell_value(value)) for value in text[column]]
    write_text(path, text.to_csv(index=False, float_format="%.6g"))


def write_workbook(path: Path, sheets: Mapping[str, pd.DataFrame]) -> None:
    """Write tables as the sheets of a workbook, whole or not at all; headers stay in sight and filter their columns.

    Args:
        path: .xlsx.
        sheets: name, at most 31 characters, and table of each, in order.
    """
    book = Workbook(write_only=True)
    for name, table in sheets.items():
        sheet = book.create_sheet(name)
        sheet.freeze_panes = "A2"
        columns = [[cell_value(value) for value in table[column].tolist()] for column in table.columns]
        for place, (header, values) in enumerate(zip(table.columns, columns, strict=True), start=1):
            longest = max([len(str(header)) + 4, *(len(value) + 1 for value in values if isinstance(value, str))])
            sheet.column_dimensions[get_column_letter(place)].width = min(longest, WIDEST)
        heads = [WriteOnlyCell(sheet, value=str(header)) for header in table.columns]
        for head in heads:
            head.font = Font(bold=True)
        sheet.append(heads)
        for row in zip(*columns, strict=True):
            sheet.append([_text(sheet, value) if isinstance(value, str) else value for value in row])
        sheet.auto_filter.ref = f"A1:{get_column_letter(max(1, len(columns)))}{len(table) + 1}"
    with atomic_path(path) as temporary:
        book.save(temporary)


def _text(sheet: object, value: str) -> object:
    """Return a cell of text; what looks like a formula or an error code would be taken for one otherwise."""
    if not value.startswith(("=", "#")):
        return value
    cell = WriteOnlyCell(sheet, value=value)
    cell.data_type = "s"
    return cell
