"""Zips from strangers: what is let in, and what is refused before it does harm."""

from __future__ import annotations

import io
import stat
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.client.exports.zip_archive import (
    MAX_ARCHIVE_BYTES,
    MAX_ARCHIVE_FILES,
    read_archive,
    write_archive,
)
from comity.record.errors import BadArchive, BadConfig, ComityError, LimitExceeded

FILES = {"envelope.json": b"{}", "disclosures/00-risks.txt": b"risks" * 99}


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes], comment: bytes = b"") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
        archive.comment = comment
    return made.getvalue()


def read(tmp_path: Path, data: bytes) -> dict[str, bytes]:
    path = tmp_path / "some.zip"
    path.write_bytes(data)
    return read_archive(path)


def test_what_was_written_is_read_without_its_folder(tmp_path: Path) -> None:
    assert read(tmp_path, write_archive("record-9f86d081", FILES)) == FILES


def test_a_zip_without_a_folder_and_one_with_entries_for_folders_are_read(tmp_path: Path) -> None:
    flat = zipped(("envelope.json", b"{}"), ("disclosures/", b""), ("disclosures/00.txt", b"r"))
    assert read(tmp_path, flat) == {"envelope.json": b"{}", "disclosures/00.txt": b"r"}


@pytest.mark.parametrize(
    "name",
    [
        "../escape",
        "a/../../escape",
        "/etc/passwd",
        "a//b",
        "./a",
        "a/.",
        "..",
        "..\\escape",
        "C:escape",
        "a\nb",
        "a\x00b",
        "a\x1b[2J",
        "a\u202eb",
        "a" * 256,
    ],
)
def test_a_name_that_could_lead_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    entry = zipfile.ZipInfo("placeholder")
    entry.filename = name
    with pytest.raises(BadArchive, match="within the archive's own folder"):
        read(tmp_path, zipped(("envelope.json", b"{}"), (entry, b"x")))
    assert [path.name for path in tmp_path.iterdir()] == ["some.zip"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_link_or_device_is_refused(tmp_path: Path, kind: int) -> None:
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (kind | 0o777) << 16
    with pytest.raises(BadArchive, match="link or device"):
        read(tmp_path, zipped((entry, b"/etc/passwd")))


@pytest.mark.parametrize("second", ["envelope.json", "ENVELOPE.json"])
def test_a_name_that_comes_twice_is_refused(tmp_path: Path, second: str) -> None:
    entry = zipfile.ZipInfo("placeholder")
    data = zipped(("envelope.json", b"{}"), ("x" * len(second), b"forged"))
    entry.filename = second
    data = data.replace(b"x" * len(second), second.encode())
    with pytest.raises(BadArchive, match="twice"):
        read(tmp_path, data)


def test_two_spellings_of_one_accent_are_one_name(tmp_path: Path) -> None:
    with pytest.raises(BadArchive, match="twice"):
        read(tmp_path, zipped(("caf\u00e9", b"x"), ("cafe\u0301", b"forged")))


def test_what_unpacks_to_gigabytes_is_cut_off_in_bounded_memory(tmp_path: Path) -> None:
    bomb = zipped(*((f"{number}.txt", bytes(16 << 20)) for number in range(8)))
    assert len(bomb) < 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceeded, match="MAX_ARCHIVE_BYTES"):
            read(tmp_path, bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * MAX_ARCHIVE_BYTES


def test_a_size_that_a_header_plays_down_is_no_way_round_the_limit(tmp_path: Path) -> None:
    data = bytearray(zipped(("a.txt", bytes(40 << 20))))
    directory = data.rindex(b"PK\x01\x02")
    struct.pack_into("<L", data, directory + 24, 10)
    with pytest.raises(ComityError):
        read(tmp_path, bytes(data))


def test_entries_that_share_their_bytes_count_each(tmp_path: Path) -> None:
    """Several names for one run of deflated zeros: small, and without a large ratio of its own."""
    data = zipped(("a.txt", bytes(MAX_ARCHIVE_BYTES // 2)))
    end = data.rindex(b"PK\x05\x06")
    directory = data.rindex(b"PK\x01\x02")
    entry = data[directory:end]
    entries = b"".join(entry.replace(b"a.txt", b"%c.txt" % (97 + i)) for i in range(4))
    finish = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 4, 4, len(entries), directory, 0)
    with pytest.raises(ComityError):
        read(tmp_path, data[:directory] + entries + finish)


def test_too_many_files_are_refused_before_any_is_read(tmp_path: Path) -> None:
    names = [(f"{number}.txt", b"") for number in range(MAX_ARCHIVE_FILES + 1)]
    with pytest.raises(LimitExceeded, match="MAX_ARCHIVE_FILES"):
        read(tmp_path, zipped(*names))


def test_a_count_that_the_last_record_plays_down_is_noticed(tmp_path: Path) -> None:
    names = [(f"{number}.txt", b"") for number in range(MAX_ARCHIVE_FILES + 1)]
    data = bytearray(zipped(*names))
    struct.pack_into("<2H", data, len(data) - 14, 1, 1)
    with pytest.raises(LimitExceeded, match="MAX_ARCHIVE_FILES"):
        read(tmp_path, bytes(data))


def test_a_huge_table_of_contents_is_refused(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("a.txt")
    entry.comment = b"c" * 65000
    other = zipfile.ZipInfo("b.txt")
    other.comment = b"c" * 65000
    with pytest.raises(BadArchive, match="table of contents"):
        read(tmp_path, zipped((entry, b""), (other, b"")))


def test_an_encrypted_file_and_a_rare_compression_are_refused(tmp_path: Path) -> None:
    data = bytearray(zipped(("a.txt", b"x")))
    directory = data.rindex(b"PK\x01\x02")
    locked = bytearray(data)
    struct.pack_into("<H", locked, directory + 8, 1)
    rare = bytearray(data)
    struct.pack_into("<H", rare, directory + 10, zipfile.ZIP_LZMA)
    for spoilt in (locked, rare):
        with pytest.raises(BadArchive, match="stored or deflated"):
            read(tmp_path, bytes(spoilt))


@pytest.mark.parametrize(
    "data",
    [b"", b"PK", b"not a zip at all, but longer than its end", zipped(comment=b"hello")],
    ids=["empty", "two letters", "text", "with a comment"],
)
def test_what_is_no_zip_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BadArchive, match="expected a zip"):
        read(tmp_path, data)


def test_a_flipped_bit_in_the_contents_is_noticed(tmp_path: Path) -> None:
    data = bytearray(write_archive("r", {"a.txt": bytes(range(256))}))
    data[60] ^= 1
    with pytest.raises(BadArchive):
        read(tmp_path, bytes(data))


def test_a_file_that_is_too_large_or_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"none\.zip"):
        read_archive(tmp_path / "none.zip")
    with pytest.raises(LimitExceeded, match="MAX_ARCHIVE_BYTES"):
        read(tmp_path, bytes(MAX_ARCHIVE_BYTES + 1))


GOOD = write_archive("record", FILES)


CHANGE = st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255))


@given(changes=st.lists(CHANGE, min_size=1, max_size=6))
def test_a_spoilt_zip_gives_an_error_of_the_tree_or_bounded_files(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(GOOD)
    for position, value in changes:
        data[position] = value
    path = tmp_path_factory.getbasetemp() / "spoilt.zip"
    path.write_bytes(data)
    try:
        files = read_archive(path)
    except ComityError:
        return
    assert sum(map(len, files.values())) <= MAX_ARCHIVE_BYTES
