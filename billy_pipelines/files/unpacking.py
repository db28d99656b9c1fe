"""What a compressed file unpacks to, measured before any of it is held in memory: 200 KB of gzip can become 200 MB."""

from __future__ import annotations

import io
import zipfile
import zlib

from billy_pipelines.files.table import UnreadableFile

_PIECE = 1_000_000
_PACKED_PIECE = 16_000
_MOST_MEMBERS = 10_000
"""Of a zip or gzip. A workbook has some dozens; reading the list of a million takes ten seconds."""
GZIP = b"\x1f\x8b"
"""What a gzip file begins with."""
_GZIP_FORM = 31
"""zlib's sign for gzip's own head and check sum."""
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError)
"""What zipfile raises for one; the last two for members with a password or a method of another program's."""


def unpacked_gzip(data: bytes, limit: int) -> bytes:
    """The content of a gzip file, all its members one behind the other.

    Raises:
        UnreadableFile: unpacks_too_large, broken_file.
    """
    content = io.BytesIO()
    at = members = 0
    while at < len(data):
        members += 1
        if members > _MOST_MEMBERS:
            raise _damaged("gzip", f"more than {_MOST_MEMBERS} members")
        member = zlib.decompressobj(wbits=_GZIP_FORM)
        while not member.eof:
            packed = data[at : at + _PACKED_PIECE]
            try:
                piece = member.decompress(packed, _PIECE)
            except zlib.error as error:
                raise _damaged("gzip", _short(error)) from error
            if content.tell() + len(piece) > limit:
                raise UnreadableFile("unpacks_too_large", limit=limit)
            content.write(piece)
            if not packed and not piece:
                raise _damaged("gzip", "unexpected end")
            at += len(packed) - len(member.unconsumed_tail) - len(member.unused_data)
        if not data[at : at + _PACKED_PIECE].strip(b"\0"):
            break  # tapes and some servers fill the last block with zeros
    return content.getvalue()


def zip_archive(data: bytes) -> zipfile.ZipFile:
    """A zip file, opened.

    Raises:
        zipfile.BadZipFile: and whatever else zipfile makes of damage (`DAMAGE`).
    """
    if data.count(b"PK\x01\x02") > _MOST_MEMBERS:
        raise zipfile.BadZipFile(f"more than {_MOST_MEMBERS} members")
    return zipfile.ZipFile(io.BytesIO(data))


def check_zip(data: bytes, kind: str, limit: int) -> None:
    """Refuse a zip that would unpack to more than `limit` bytes, whatever it declares.

    Every member is unpacked once and thrown away: a file can declare 1 KB and hold a gigabyte.

    Raises:
        UnreadableFile: unpacks_too_large, broken_file.
    """
    size = 0
    try:
        with zip_archive(data) as archive:
            if sum(member.file_size for member in archive.infolist()) > limit:
                raise UnreadableFile("unpacks_too_large", limit=limit)
            for member in archive.infolist():
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise zipfile.BadZipFile("unknown compression")
                with archive.open(member) as content:
                    while piece := content.read(_PIECE):
                        size += len(piece)
                        if size > limit:
                            raise UnreadableFile("unpacks_too_large", limit=limit)
    except DAMAGE as error:
        raise _damaged(kind, _short(error)) from error


def _damaged(kind: str, reason: str) -> UnreadableFile:
    return UnreadableFile("broken_file", kind=kind, reason=reason)


def _short(error: Exception) -> str:
    """The reason without the names of members, which anybody can have chosen."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text.split(" for file ")[0].split("'")[0].strip(" :")[:60] or type(error).__name__
