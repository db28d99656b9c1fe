"""Compressed files: unpacked whole, or refused before they fill the memory."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from billy_pipelines.files.table import UnreadableFile
from billy_pipelines.files.unpacking import check_zip, unpacked_gzip
from billy_pipelines_tests.files.in_memory import gzipped


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def gzip_refusal(data: bytes, limit: int = 1_000) -> str:
    with pytest.raises(UnreadableFile) as caught:
        unpacked_gzip(data, limit)
    return caught.value.code


def zip_refusal(data: bytes, limit: int = 1_000) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as caught:
        check_zip(data, "Excel (.xlsx)", limit)
    return caught.value


@pytest.mark.parametrize("size", [0, 1, 15_999, 16_000, 16_001, 3_000_000])
def test_gzip_gives_back_what_went_in(size: int) -> None:
    content = bytes(number * number % 251 for number in range(size))
    assert unpacked_gzip(gzipped(content), 3_000_000) == content


def test_several_members_and_zeros_behind_them_are_one_file() -> None:
    data = gzipped(b"navn;by\n") + gzipped(b"") + gzipped(b"A;Ry\n") + b"\0" * 20_000
    assert unpacked_gzip(data, 100) == b"navn;by\nA;Ry\n"


def test_gzip_is_unpacked_up_to_the_limit_and_not_a_byte_further() -> None:
    assert len(unpacked_gzip(gzipped(b"x" * 1_000), 1_000)) == 1_000
    assert gzip_refusal(gzipped(b"x" * 1_001)) == "unpacks_too_large"
    assert gzip_refusal(gzipped(b"x" * 600) * 2) == "unpacks_too_large"
    assert gzip_refusal(gzipped(b"x" * 100_000_000)) == "unpacks_too_large"


@pytest.mark.parametrize(
    "data",
    [
        b"\x1f\x8b",
        gzipped(b"navn;by\n")[:-1],
        gzipped(b"navn;by\n")[:12],
        gzipped(b"navn;by\n")[:-5] + b"\xff" + gzipped(b"navn;by\n")[-4:],
        gzipped(b"navn;by\n") + b"rest",
        gzipped(b"") * 10_001,
    ],
    ids=["head alone", "a byte short", "cut", "check sum", "something behind", "members without end"],
)
def test_damaged_gzip_is_named_so(data: bytes) -> None:
    assert gzip_refusal(data, 1_000_000) == "broken_file"


def test_a_zip_is_measured_over_all_its_members() -> None:
    check_zip(zipped({"a": b"x" * 600, "b": b"x" * 400}), "", 1_000)
    assert zip_refusal(zipped({"a": b"x" * 600, "b": b"x" * 401})).code == "unpacks_too_large"


def test_a_zip_that_declares_less_than_it_holds_is_found_out() -> None:
    data = bytearray(zipped({"a": b"x" * 5_000}))
    for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.index(signature) + place, 10)
    assert zip_refusal(bytes(data)).code in ("broken_file", "unpacks_too_large")


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04",
        zipped({"a": b"x" * 500})[:-10],
        zipped({"a": b"navn;by"}, zipfile.ZIP_STORED).replace(b"navn", b"NAVN"),
        zipped({"a": b"x" * 500}, zipfile.ZIP_LZMA),
        zipped({f"{number}": b"" for number in range(10_001)}),
    ],
    ids=["head alone", "cut", "damaged", "another method", "members without end"],
)
def test_a_damaged_zip_is_named_so(data: bytes) -> None:
    error = zip_refusal(data)
    assert error.code == "broken_file"
    assert "Excel (.xlsx)" in str(error)


def test_a_member_with_a_password_is_no_crash_and_its_name_is_not_told() -> None:
    data = bytearray(zipped({"Hansens løn.xml": b"x" * 50}))
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + place] |= 1
    error = zip_refusal(bytes(data))
    assert error.code == "broken_file"
    assert "Hansen" not in str(error)
