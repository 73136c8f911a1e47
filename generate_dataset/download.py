"""Fetch public files by name: generate_dataset/public_files.tsv -> data/downloads/NAME.

A file is fetched as NAME.part, which the next run continues, and gets its name when its checksums are right. The
checksum in the table always counts. The SHA-256 of a file that was complete once is kept in SHA256SUMS beside it and
counts from then on; a file that was placed there by hand is treated alike. What fails is set aside as NAME.rejected.

Run: bash generate_dataset/download.sh [NAME ...]; without a name it lists the files.
"""

import argparse
import csv
import difflib
import hashlib
import http.client
import logging
import re
import shutil
import sys
import tarfile
import urllib.error
import urllib.request
import zlib
from dataclasses import dataclass, fields
from pathlib import Path

from utils.progress import progress_bar
from utils.runtime import ROOT, InputError, atomic_path, file_sha256, one_at_a_time, run_script, shown, write_text

logger = logging.getLogger(__name__)

TABLE = Path(__file__).with_name("public_files.tsv")
FOLDER = ROOT / "data" / "downloads"
SUMS = "SHA256SUMS"  # as sha256sum writes and checks it
UNKNOWN = "unknown"
TIMEOUT = 60  # seconds without an answer
CHUNK = 2**20  # bytes


@dataclass(frozen=True)
class PublicFile:
    """A row of the table.

    Attributes:
        name: of the file here.
        size: for people to read; may be unknown.
        checksum: ``sha256:...`` or ``md5:...`` in hexadecimal, or unknown.
        checksum_source: who says so.
        address: a URL, or ``ARCHIVE:PATH`` for a file in a tar archive that is another row.
        purpose: what it is.
    """

    name: str
    size: str
    checksum: str
    checksum_source: str
    address: str
    purpose: str

    @property
    def archive(self) -> str:
        """The row that this file is taken out of, or an empty text."""
        return "" if "://" in self.address else self.address.partition(":")[0]


HEADER = [field.name for field in fields(PublicFile)]


def read_table(path: Path) -> dict[str, PublicFile]:
    """Read and check the table of public files.

    Raises:
        InputError: unreadable, another header, or a row that is not valid.
    """
    if path.exists() and not path.is_file():  # a device has no end
        raise InputError(f"{shown(path)}: is no file; give a tab-separated text file")
    try:
        with open(path, encoding="utf-8", newline="") as handle:
            lines = list(csv.reader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{shown(path)}: not a readable table ({error}); give a tab-separated text file") from None
    if not lines or lines[0] != HEADER:
        raise InputError(f"{shown(path)}, line 1: the header must be, separated by tabs: {' '.join(HEADER)}")
    files: dict[str, PublicFile] = {}
    for number, cells in enumerate(lines[1:], start=2):
        where = f"{shown(path)}, line {number}"
        if len(cells) != len(HEADER) or not all(cells):
            raise InputError(f"{where}: expected {len(HEADER)} filled columns, separated by tabs")
        file = PublicFile(*cells)
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", file.name) or file.name in files:
            raise InputError(f"{where}: '{file.name}' is no plain file name or stands twice; give another one")
        if not re.fullmatch(rf"{UNKNOWN}|sha256:[0-9a-f]{{64}}|md5:[0-9a-f]{{32}}", file.checksum):
            raise InputError(f"{where}: checksum '{file.checksum}'; give sha256:HEX, md5:HEX or {UNKNOWN}")
        if file.archive and file.archive not in files:
            raise InputError(f"{where}: address '{file.address}' is no URL and names no file of an earlier line")
        files[file.name] = file
    return files


def read_sums(folder: Path) -> dict[str, str]:
    """Return the recorded SHA-256 of each file in a folder."""
    path = folder / SUMS
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def check(file: PublicFile, path: Path, folder: Path) -> str:
    """Return the SHA-256 of a complete file whose checksums are right; set it aside otherwise.

    Raises:
        InputError: a checksum is another than in the table or in SHA256SUMS.
    """
    digest = file_sha256(path)
    wanted = []
    if file.checksum != UNKNOWN:
        algorithm, _, value = file.checksum.partition(":")
        with open(path, "rb") as handle:
            found = digest if algorithm == "sha256" else hashlib.file_digest(handle, algorithm).hexdigest()
        wanted.append((algorithm, value, found, f"the table, from: {file.checksum_source}"))
    recorded = read_sums(folder).get(file.name, digest)
    wanted.append(("sha256", recorded, digest, f"{shown(folder / SUMS)}, where an earlier copy is recorded"))
    for algorithm, value, found, source in wanted:
        if value != found:
            rejected = folder / f"{file.name}.rejected"
            path.replace(rejected)
            raise InputError(
                f"{file.name}: {algorithm} is {found}, not {value} ({source}); set aside as {shown(rejected)}; "
                f"fetch it again, or if its publisher has changed it, correct that place"
            )
    return digest


def fetch(address: str, part: Path, checked: bool) -> None:
    """Fetch an address into a file, from where an earlier attempt ended if the server can.

    A file whose checksum is not known goes on only where the server says that it is still the same version (strong ETag
    or date, kept in NAME.part.version); else two halves of different versions would be taken for the file.

    Raises:
        OSError, http.client.HTTPException: no connection, an error of the server, or an end before the end.
    """
    version_file = part.with_name(f"{part.name}.version")
    version = version_file.read_text(encoding="utf-8") if version_file.is_file() else ""
    have = part.stat().st_size if part.is_file() and (checked or version) else 0
    headers = {"User-Agent": "CombMotif"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if not checked:
            headers["If-Range"] = version
    try:
        response = urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        if error.headers.get("Content-Range") == f"bytes */{have}":
            return  # it was complete
        part.unlink()
        return fetch(address, part, checked)
    with response:
        begin = have if response.status == 206 else 0
        if begin and not response.headers.get("Content-Range", "").startswith(f"bytes {begin}-"):
            raise ConnectionError("the server sent another part than was asked for")
        length = response.headers.get("Content-Length")
        total = begin + int(length) if length else None
        etag = response.headers.get("ETag", "")
        with open(part, "ab" if begin else "wb") as handle:
            if not begin:
                stamp = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
                write_text(version_file, stamp)
            with progress_bar(
                total=total, initial=begin, desc=part.stem, unit="B", unit_scale=True, leave=False
            ) as bar:
                while chunk := response.read(CHUNK):
                    handle.write(chunk)
                    bar.update(len(chunk))
    size = part.stat().st_size
    if total is not None and size != total:
        raise ConnectionError(f"the connection ended after {size} of {total} bytes")


def take_out(archive: Path, member: str, target: Path) -> None:
    """Write a member of a tar archive to a file.

    Raises:
        InputError: not an archive, or without that member.
    """
    try:
        with tarfile.open(archive) as tar, atomic_path(target) as temporary, open(temporary, "wb") as handle:
            source = tar.extractfile(member)
            if source is None:
                raise KeyError(f"'{member}' is no file")
            shutil.copyfileobj(source, handle)
    except (KeyError, tarfile.TarError, EOFError, zlib.error) as error:
        raise InputError(f"{shown(archive)}: cannot take out {member} ({str(error)[:100]})") from None


def obtain(file: PublicFile, files: dict[str, PublicFile], folder: Path) -> Path:
    """Return the path of a file that is there and right; fetch it if it is not there.

    Raises:
        InputError: not to be had, or not the right one.
    """
    path = folder / file.name
    part = folder / f"{file.name}.part"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        by_hand = f"or get it by other means and place it as {shown(path)}"
        if file.archive:
            try:
                take_out(obtain(files[file.archive], files, folder), file.address.partition(":")[2], part)
            except InputError as error:
                raise InputError(f"{file.name}: {error}; {by_hand}") from None
        else:
            try:
                fetch(file.address, part, file.checksum != UNKNOWN)
            except (OSError, http.client.HTTPException) as error:
                reason = " ".join(str(getattr(error, "reason", "") or error or type(error).__name__).split())
                message = f"{file.name}: not fetched from {file.address} ({reason}); run this again to go on"
                raise InputError(f"{message}, {by_hand}") from None
    new = not path.is_file()
    digest = check(file, part if new else path, folder)
    if new:
        part.replace(path)
        part.with_name(f"{part.name}.version").unlink(missing_ok=True)
    sums = read_sums(folder)
    if file.name not in sums:
        sums[file.name] = digest
        write_text(folder / SUMS, "".join(f"{value}  {name}\n" for name, value in sorted(sums.items())))
    known = "checksum of the table" if file.checksum != UNKNOWN else f"checksum of {SUMS}"
    logger.info("%s: %s; %s", shown(path), "fetched" if new else "there already", known)
    return path


def listing(files: dict[str, PublicFile], folder: Path) -> str:
    """Return what there is to fetch, for people to read."""
    lines = []
    for file in files.values():
        part = folder / f"{file.name}.part"
        state = f"begun, {part.stat().st_size:,} bytes" if part.is_file() else "not there"
        state = "there" if (folder / file.name).is_file() else state
        lines += [
            f"{file.name}  ({state}; size {file.size})",
            f"    {file.purpose}",
            f"    from {file.address}",
            f"    checksum {file.checksum} ({file.checksum_source})",
            f"    to {shown(folder / file.name)}",
        ]
    return "\n".join([*lines, "fetch: bash generate_dataset/download.sh NAME [NAME ...]"]) + "\n"


def run(names: list[str], table: Path, folder: Path) -> None:
    """Fetch the named files, each whatever becomes of the others; exit status 1 if one could not be had."""
    files = read_table(table)
    if not names:
        sys.stdout.write(listing(files, folder))
        return
    for name in names:
        if name not in files:
            near = difflib.get_close_matches(name, files, n=1, cutoff=0.0)
            raise InputError(f"{name}: not in {shown(table)}; the nearest name is {near[0] if near else 'none'}")
    failed = False
    for name in dict.fromkeys(names):
        try:
            with one_at_a_time(folder / ".lock", f"fetching into {shown(folder)}"):  # what was begun is gone on with
                obtain(files[name], files, folder)
        except InputError as error:
            logger.error("error: %s", error)
            failed = True
    if failed:
        raise SystemExit(1)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="bash generate_dataset/download.sh",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="files to fetch; none: list what there is")
    parser.add_argument("--table", type=Path, default=TABLE, help="table of files (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where they go (default: %(default)s)")
    arguments = parser.parse_args(argv)
    run_script(lambda: run(arguments.names, arguments.table, arguments.folder))


if __name__ == "__main__":
    main()
