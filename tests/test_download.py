"""Fetching public files, from a server on this machine that knows ranges."""

import hashlib
import http.server
import io
import logging
import os
import subprocess
import tarfile
import threading
from email.utils import formatdate

import pytest

from generate_dataset.download import HEADER, SUMS, TABLE, listing, main, read_sums, read_table
from utils.runtime import ROOT, InputError

CONTENT = bytes(range(256)) * 4000
OTHER = CONTENT[::-1]


class Server(http.server.ThreadingHTTPServer):
    """Serves ``files`` with strong ETags; ``cut`` ends every answer after so many bytes; ``asked`` lists what came."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.asked, self.cut, self.ranges, self.etags = {}, [], None, True, True

    def address(self, name):
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        content = self.server.files.get(self.path[1:])
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if content is None:
            self.send_error(404)
            return
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        condition = self.headers.get("If-Range", etag)
        start = 0
        if wanted and self.server.ranges and condition == etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        if self.server.etags:
            self.send_header("ETag", etag)
            self.send_header("Last-Modified", formatdate(usegmt=True))
        self.end_headers()
        self.wfile.write(content[start:][: self.server.cut])


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "down loads"


@pytest.fixture
def fetch(tmp_path, folder, caplog):
    """Return a function that writes a table of (name, checksum, address) rows, fetches names and returns the log."""

    def run(rows, *names, status=0):
        table = tmp_path / "files.tsv"
        cells = [[name, "1 MB", checksum, "the test", address, "for the test"] for name, checksum, address in rows]
        table.write_text("\n".join("\t".join(row) for row in [HEADER, *cells]) + "\n")
        caplog.clear()
        caplog.set_level(logging.INFO)
        arguments = ["--table", str(table), "--folder", str(folder), *(names or [row[0] for row in rows])]
        if status:
            with pytest.raises(SystemExit) as raised:
                main(arguments)
            assert raised.value.code == status
        else:
            main(arguments)
        return [record.getMessage() for record in caplog.records]

    return run


def sha256(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def files_in(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".version"))


# -- checksums ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("checksum", ["unknown", sha256(CONTENT), f"md5:{hashlib.md5(CONTENT).hexdigest()}"])
def test_a_file_is_fetched_once_and_its_checksum_recorded(server, fetch, folder, checksum):
    server.files["a.bin"] = CONTENT
    rows = [("a.bin", checksum, server.address("a.bin"))]
    fetch(rows)
    assert (folder / "a.bin").read_bytes() == CONTENT
    assert (folder / SUMS).read_text() == f"{sha256(CONTENT)[7:]}  a.bin\n"
    assert sorted(path.name for path in folder.iterdir()) == [SUMS, "a.bin"]
    assert "there already" in fetch(rows)[0]
    assert len(server.asked) == 1


def test_the_record_is_what_sha256sum_reads(server, fetch, folder):
    server.files |= {"a.bin": CONTENT, "b.bin": OTHER}
    fetch([(name, "unknown", server.address(name)) for name in ("b.bin", "a.bin")])
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", SUMS], cwd=folder, check=True)


def test_a_wrong_checksum_leaves_nothing_under_the_name(server, fetch, folder):
    server.files["a.bin"] = OTHER
    rows = [("a.bin", sha256(CONTENT), server.address("a.bin"))]
    (line,) = fetch(rows, status=1)
    assert "\n" not in line
    assert sha256(CONTENT)[7:] in line
    assert sha256(OTHER)[7:] in line
    assert files_in(folder) == ["a.bin.rejected"]
    server.files["a.bin"] = CONTENT
    fetch(rows)  # from the start, not on top of what was wrong
    assert (folder / "a.bin").read_bytes() == CONTENT


def test_a_file_that_changed_since_the_first_time_is_noticed(server, fetch, folder):
    server.files["a.bin"] = CONTENT
    rows = [("a.bin", "unknown", server.address("a.bin"))]
    fetch(rows)
    (folder / "a.bin").unlink()
    server.files["a.bin"] = OTHER
    (line,) = fetch(rows, status=1)
    assert SUMS in line
    assert not (folder / "a.bin").exists()
    assert read_sums(folder) == {"a.bin": sha256(CONTENT)[7:]}


def test_a_damaged_file_here_is_set_aside(server, fetch, folder):
    server.files["a.bin"] = CONTENT
    rows = [("a.bin", "unknown", server.address("a.bin"))]
    fetch(rows)
    (folder / "a.bin").write_bytes(CONTENT[:-1])
    fetch(rows, status=1)
    assert files_in(folder) == [SUMS, "a.bin.rejected"]
    fetch(rows)
    assert (folder / "a.bin").read_bytes() == CONTENT


def test_a_file_placed_by_hand_is_checked_like_a_fetched_one(fetch, folder):
    folder.mkdir()
    (folder / "a.bin").write_bytes(CONTENT)
    rows = [("a.bin", sha256(CONTENT), "http://127.0.0.1:9/a.bin")]
    assert "there already" in fetch(rows)[0]
    assert read_sums(folder) == {"a.bin": sha256(CONTENT)[7:]}
    (folder / "a.bin").write_bytes(OTHER)
    fetch(rows, status=1)
    assert not (folder / "a.bin").exists()


# -- resuming ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("checksum", ["unknown", sha256(CONTENT)])
@pytest.mark.parametrize("etags", [True, False])
def test_an_interrupted_file_goes_on(server, fetch, folder, checksum, etags):
    """Without a checksum and without a word of the server that it is the same version, it starts again."""
    server.files["a.bin"], server.cut, server.etags = CONTENT, 300_000, etags
    rows = [("a.bin", checksum, server.address("a.bin"))]
    (line,) = fetch(rows, status=1)
    assert "300000 of 1024000 bytes" in line
    assert files_in(folder) == ["a.bin.part"]
    server.cut = None
    fetch(rows)
    assert (folder / "a.bin").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-" if etags or checksum != "unknown" else None]
    assert sorted(path.name for path in folder.iterdir()) == [SUMS, "a.bin"]


def test_two_versions_are_not_joined(server, fetch, folder):
    server.files["a.bin"], server.cut = CONTENT, 300_000
    rows = [("a.bin", "unknown", server.address("a.bin"))]
    fetch(rows, status=1)
    server.files["a.bin"], server.cut = OTHER, None
    fetch(rows)
    assert (folder / "a.bin").read_bytes() == OTHER


def test_a_server_without_ranges_sends_everything(server, fetch, folder):
    server.files["a.bin"], server.cut, server.ranges = CONTENT, 300_000, False
    rows = [("a.bin", sha256(CONTENT), server.address("a.bin"))]
    fetch(rows, status=1)
    server.cut = None
    fetch(rows)
    assert (folder / "a.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("length", [len(CONTENT), len(CONTENT) + 5])
def test_a_complete_or_too_long_rest_is_no_trap(server, fetch, folder, length):
    """The server answers 416; a complete file is complete, anything else starts again."""
    server.files["a.bin"] = CONTENT
    folder.mkdir()
    (folder / "a.bin.part").write_bytes((CONTENT * 2)[:length])
    fetch([("a.bin", sha256(CONTENT), server.address("a.bin"))])
    assert (folder / "a.bin").read_bytes() == CONTENT
    assert len(server.asked) == (1 if length == len(CONTENT) else 2)


# -- without a network, and other addresses ----------------------------------------------------------------------


def test_without_network_each_file_says_what_to_place_where(server, fetch, folder):
    server.files["b.bin"] = CONTENT
    rows = [
        ("a.bin", "unknown", "http://127.0.0.1:9/a.bin"),  # nobody listens at port 9
        ("b.bin", "unknown", server.address("b.bin")),
        ("c.bin", "unknown", server.address("missing")),
    ]
    refused, fetched, missing = fetch(rows, status=1)
    assert "http://127.0.0.1:9/a.bin" in refused
    assert f"place it as {folder / 'a.bin'}" in refused
    assert "fetched" in fetched
    assert "404" in missing or "Not Found" in missing
    assert all("\n" not in line for line in (refused, missing))
    assert files_in(folder) == [SUMS, "b.bin"]


def test_a_file_address(tmp_path, fetch, folder):
    (tmp_path / "here.bin").write_bytes(CONTENT)
    fetch([("a.bin", "unknown", (tmp_path / "here.bin").as_uri())])
    assert (folder / "a.bin").read_bytes() == CONTENT
    (line,) = fetch([("b.bin", "unknown", (tmp_path / "not here.bin").as_uri())], status=1)
    assert f"place it as {folder / 'b.bin'}" in line


def test_a_file_in_an_archive(server, fetch, folder):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("databases/RNA/a.meme")
        member.size = len(CONTENT)
        tar.addfile(member, io.BytesIO(CONTENT))
    server.files["all.tgz"] = packed.getvalue()
    rows = [
        ("all.tgz", sha256(packed.getvalue()), server.address("all.tgz")),
        ("a.meme", "unknown", "all.tgz:databases/RNA/a.meme"),
        ("b.meme", "unknown", "all.tgz:databases/RNA/b.meme"),
    ]
    fetch(rows, "a.meme")
    assert (folder / "a.meme").read_bytes() == CONTENT
    assert set(read_sums(folder)) == {"all.tgz", "a.meme"}
    line = fetch(rows, "b.meme", status=1)[-1]
    assert "databases/RNA/b.meme" in line
    assert "\n" not in line
    assert files_in(folder) == [SUMS, "a.meme", "all.tgz"]
    server.files.clear()
    (folder / "all.tgz").unlink()
    assert "place it as" in fetch(rows, "b.meme", status=1)[-1]


# -- the table and the command -----------------------------------------------------------------------------------


def test_the_public_files_are_well_formed(folder):
    files = read_table(TABLE)
    assert {"GSM3130435_egfp_unmod_1.csv.gz", "Ray2013_rbp_Homo_sapiens.meme", "Homo_sapiens_hsa.meme"} <= set(files)
    for file in files.values():
        assert file.archive in files or file.address.startswith("https://")
        assert file.name in listing(files, folder)
        assert file.address in listing(files, folder)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (["a.bin", "1", "sha256:12", "x", "https://x/a", "x"], "checksum 'sha256:12'"),
        (["../a.bin", "1", "unknown", "x", "https://x/a", "x"], "'../a.bin'"),
        (["a.bin", "1", "unknown", "x", "all.tgz:a", "x"], "names no file"),
        (["a.bin", "1", "unknown", "", "https://x/a", "x"], "6 filled columns"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, one_line, row, said):
    table = tmp_path / "files.tsv"
    table.write_text("\t".join(HEADER) + "\n" + "\t".join(row) + "\n")
    with pytest.raises(InputError) as raised:
        read_table(table)
    assert said in one_line(raised)
    assert "line 2" in one_line(raised)


def test_an_unknown_name_names_the_nearest(fetch, capsys):
    fetch([("a.bin", "unknown", "http://127.0.0.1:9/a.bin")], "b.bin", status=2)
    assert "b.bin: not in" in (said := capsys.readouterr().err)
    assert "the nearest name is a.bin" in said


def bash(*arguments):
    script = ROOT / "generate_dataset" / "download.sh"
    environment = {**os.environ, "no_proxy": "127.0.0.1"}
    command = ["bash", str(script), *map(str, arguments)]
    return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, check=False)


def test_the_command(server, tmp_path, folder):
    server.files["a.bin"] = CONTENT
    table = tmp_path / "files.tsv"
    row = ["a.bin", "1 MB", sha256(CONTENT), "the test", server.address("a.bin"), "to be fetched"]
    table.write_text("\t".join(HEADER) + "\n" + "\t".join(row) + "\n")
    done = bash("--table", table, "--folder", folder, "a.bin")
    assert done.returncode == 0, done.stderr
    assert (folder / "a.bin").read_bytes() == CONTENT


def test_the_command_lists_and_fetches_nothing(folder):
    done = bash("--folder", folder)
    assert (done.returncode, "saluki_datasets.zip" in done.stdout, folder.exists()) == (0, True, False)
