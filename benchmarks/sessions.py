"""The processes of a session, which a command and all that it starts share."""

import os
import signal
from pathlib import Path


def processes_of(session: int) -> dict[int, str]:
    """Return the processes of a session, by number, with their command lines."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            command = (stat.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found[int(stat.parent.name)] = command
    return found


def kill_session(session: int) -> None:
    """End all processes of a session at once, those too that they start meanwhile."""
    while there := processes_of(session):
        for process in there:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:  # it has ended
                continue
