"""Which sets an item is in, counted: the numbers of an UpSet plot (Lex et al. 2014, doi:10.1109/TVCG.2014.2346248)."""

from collections.abc import Hashable, Mapping, Set
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Intersection:
    """The items that are in exactly these sets and no other.

    Attributes:
        sets: for each set, in their order, whether the items are in it.
        items: sorted, at least one.
    """

    sets: tuple[bool, ...]
    items: tuple[Hashable, ...]


def memberships(sets: Mapping[str, Set[Hashable]]) -> pd.DataFrame:
    """Return bool (items, sets): which sets each item is in; items sorted, sets in the order given."""
    items = sorted(set().union(*sets.values()))
    return pd.DataFrame({name: [item in members for item in items] for name, members in sets.items()}, index=items)


def intersections(members: pd.DataFrame) -> list[Intersection]:
    """Return the combinations of sets that occur, of the rows of ``memberships``; each item is in one of them.

    The largest first, of equal ones that of fewer sets, then in the order of the sets.
    """
    groups: dict[tuple[bool, ...], list[Hashable]] = {}
    for item, row in zip(members.index, members.to_numpy().tolist(), strict=True):
        groups.setdefault(tuple(row), []).append(item)
    found = [Intersection(key, tuple(items)) for key, items in groups.items()]
    return sorted(found, key=lambda one: (-len(one.items), sum(one.sets), tuple(not here for here in one.sets)))
