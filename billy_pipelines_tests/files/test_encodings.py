"""Encodings: Danish names come out right whichever program saved them, or the file is refused with the line."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billy_pipelines.files.encodings import utf8_of
from billy_pipelines.files.table import UnreadableFile

OLD = ("cp1252", "cp865", "mac_roman")
NAMES = ["Søren", "Gård", "Læsø", "Åse", "Æble", "Ørsted", "Rø", "Ærø", "Blå", "SØREN", "GÅRD", "ÆRØ", "Å", "ø"]
NAMES += ["Håndværker & Søn", "Café", "André", "René", "Müller", "Jönsson", "Pär", "Hernández"]


def read(data: bytes, wanted: str = "auto") -> tuple[str, str]:
    text, encoding = utf8_of(data, wanted)
    return text.decode(), encoding


def refusal(data: bytes, wanted: str = "auto") -> UnreadableFile:
    with pytest.raises(UnreadableFile) as caught:
        utf8_of(data, wanted)
    return caught.value


@pytest.mark.parametrize("encoding", OLD)
@pytest.mark.parametrize("name", NAMES)
def test_one_name_in_a_short_file_is_enough(name: str, encoding: str) -> None:
    text = f"navn;by\r\n{name};Ry\r\n"
    assert read(text.encode(encoding))[0] == text


@pytest.mark.parametrize("encoding", [*OLD, "cp850"])
@pytest.mark.parametrize("name", ["Søren", "Gård", "Læsø", "Åse", "Æble", "Ørsted", "Jönsson"])
def test_the_encoding_is_named(name: str, encoding: str) -> None:
    assert read(f"navn\n{name}\n".encode(encoding))[1] == {"cp850": "cp865"}.get(encoding, encoding)


@pytest.mark.parametrize("encoding", OLD)
def test_a_line_of_danish_letters_alone_is_danish(encoding: str) -> None:
    assert read("æøåÆØÅ\n".encode(encoding)) == ("æøåÆØÅ\n", encoding)


def test_the_two_dos_code_pages_are_told_apart_where_they_differ() -> None:
    text = "Søren\nÁrni í Dali\nÐorvaldur\n"
    assert read(text.encode("cp850")) == (text, "cp850")


@pytest.mark.parametrize(
    "text",
    [
        "LEGO®",
        "VELCRO™",
        "Velcro™",
        "kunde’s",
        "KUNDE’S",
        "CD’er",
        "O’Neill",
        "“hygge”",
        "»hygge«",
        "2020–2025",
        "salg – køb",
        "osv…",
        "5 €",
        "€ 5",
        "½ kg",
        '1¾"',
        "5 m²",
        "20 °C",
        "10 µm",
        "§ 5",
        "5×10 cm",
        "2 stk. á 5 kr.",
        "1\u00a0250,00",
        "kr.\u00a05",
        "© 2026",
        "Dušan",
        "Žižka",
        "Þór Guðmundsdóttir",
    ],
)
def test_signs_of_windows_are_not_taken_for_letters_of_dos_or_mac(text: str) -> None:
    assert read(f"navn;pris\n{text};1\n".encode("cp1252")) == (f"navn;pris\n{text};1\n", "cp1252")


@pytest.mark.parametrize("encoding", OLD)
def test_letters_far_down_in_a_large_file_decide_it(encoding: str) -> None:
    text = "navn;by\n" + "Hansen;Ry\n" * 500_000 + "Søren;Ærø\n" * 3
    assert read(text.encode(encoding)) == (text, encoding)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Москва;Иван Петров", "cp1251"),
        ("Αθήνα;Γιώργος Παπαδόπουλος", "cp1253"),
        ("東京都;山田太郎", "cp932"),
    ],
)
def test_other_scripts_are_left_to_the_detector(text: str, encoding: str) -> None:
    lines = f"navn;by\n{text}\n" * 5
    assert read(lines.encode(encoding)) == (lines, encoding)


def test_what_looks_right_in_no_encoding_is_refused_rather_than_guessed() -> None:
    assert refusal(b"navn;by\n" + bytes(range(128, 256))).code == "encoding_wrong"


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
@pytest.mark.parametrize("wanted", ["auto", "itself", "family"])
def test_a_mark_at_the_start_says_it_and_is_no_text(mark: bytes, encoding: str, wanted: str) -> None:
    said = {"auto": "auto", "itself": encoding, "family": encoding[:6].rstrip("-")}[wanted]
    assert read(mark + "navn\nÅse 😀\n".encode(encoding), said) == ("navn\nÅse 😀\n", encoding)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["navn\nÅse\n", "navn;by\n" + "Æblehaven – ø;Ærø\n" * 1000, "a"])
def test_utf16_without_a_mark_is_known_by_its_zeros(text: str, encoding: str) -> None:
    assert read(text.encode(encoding)) == (text, encoding)
    assert read(text.encode(encoding), "utf-16") == (text, encoding)


@pytest.mark.parametrize("text", ["navn\nÅse\n", "navn\nAse\n", "Søren – “x” €\n", "HÃ¥nd\n", "東京\n", "😀\n"])
def test_utf8_is_utf8(text: str) -> None:
    assert read(text.encode()) == (text, "utf-8")


def test_utf8_with_a_wrong_byte_is_never_read_as_something_else() -> None:
    good = "navn;by\r\nSøren;Ærø\r\n\r"
    error = refusal(good.encode() + b"G\xe5rd;Ry\r\n" + good.encode())
    assert (error.code, "not utf-8" in str(error), "line 4 " in str(error)) == ("encoding_wrong", True, True)
    assert refusal(good.encode() + "Åse".encode()[:1]).code == "encoding_wrong"


def test_windows_with_a_byte_it_does_not_have_is_never_read_as_dos() -> None:
    data = "navn;by\nSøren;Ærø\nGård;Ry\nÅse;Læsø\n".encode("cp1252") + b"x\x81y;Ry\n"
    error = refusal(data)
    assert (error.code, "not cp1252" in str(error), "line 5 " in str(error)) == ("encoding_wrong", True, True)


@pytest.mark.parametrize(
    ("wanted", "encoding"),
    [
        ("cp1252", "cp1252"),
        ("Windows-1252", "cp1252"),
        ("ISO-8859-1", "cp1252"),
        ("latin1", "cp1252"),
        ("cp865", "cp865"),
        ("CP850", "cp850"),
        ("mac_roman", "mac_roman"),
        ("MacRoman", "mac_roman"),
        ("utf8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        (" UTF-16 ", "utf-16-le"),
        ("cp1250", "cp1250"),
    ],
)
def test_the_encoding_can_be_said_in_the_ways_people_say_it(wanted: str, encoding: str) -> None:
    text = "navn\nÄrger\n"
    assert read(text.encode(encoding), wanted) == (text, encoding)


def test_an_encoding_that_is_said_is_taken_at_its_word() -> None:
    assert read("Søren".encode("mac_roman"), "cp1252") == ("S¿ren", "cp1252")


@pytest.mark.parametrize(
    "wanted", ["", "dansk", "zlib", "rot13", "idna", "unicode_escape", "utf-7", "undefined", "a\0b"]
)
def test_what_is_no_encoding_of_files_is_refused(wanted: str) -> None:
    assert refusal(b"navn\n", wanted).code == "encoding_unknown"


@pytest.mark.parametrize(
    ("wanted", "data"),
    [
        ("utf-8", "navn\r\nAnna\r\nÅse\r\n".encode("cp1252")),
        ("cp1252", b"navn\rAnna\r\x81se\r"),
        ("ascii", "navn\nAnna\nÅse".encode("cp1252")),
        ("utf-16", "navn\nAnna\nÅse".encode("utf-16")[:-1]),
        ("utf-16", b"\xff\xfe" + "navn\nAnna\n".encode("utf-16-le") + b"\x00\xd8a\x00"),
        ("gb18030", b"navn\nAnna\n\xff\xff"),
    ],
)
def test_a_file_that_is_not_what_was_said_is_told_with_the_line(wanted: str, data: bytes) -> None:
    error = refusal(data, wanted)
    assert error.code == "encoding_wrong"
    assert "line 3 " in str(error)


def test_the_line_is_right_in_a_file_of_many_pieces() -> None:
    assert "line 3000001 " in str(refusal(b"ab\r\n" * 3_000_000 + b"\x81\r\n", "cp1252"))


@pytest.mark.parametrize("wanted", ["auto", "cp1252", "utf-16"])
def test_a_nul_is_told_with_its_line(wanted: str) -> None:
    encoding = "utf-8" if wanted == "auto" else wanted
    error = refusal("navn\r\nA\r\nB\0\r\n".encode(encoding), wanted)
    assert (error.code, "Line 3 " in str(error)) == ("nul_byte", True)


WORDS = st.text(st.sampled_from("abdefghiklmnoprstuvyæøåé"), min_size=1, max_size=12)


@given(st.lists(WORDS.map(str.capitalize), min_size=3, max_size=30), st.sampled_from(OLD))
def test_any_danish_words_come_out_right(words: list[str], encoding: str) -> None:
    text = "navn\nSøren Gård\nLæsø\n" + "\n".join(words)
    assert read(text.encode(encoding))[0] == text
