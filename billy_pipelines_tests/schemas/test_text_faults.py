"""Damaged cells: what a spreadsheet or a wrong encoding did to them is seen, and good text is never suspected."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from billy_pipelines.schemas.cleaning import clean_text
from billy_pipelines.schemas.text_faults import find_faults, repair

WRONG_ENCODINGS = ["cp1252", "latin-1", "mac_roman", "cp850", "cp865", "cp437"]


def faults_of(cell: str) -> set[str]:
    faults = find_faults(pd.Series([cell], dtype="str"))
    return {name for name in ("excel_error", "digits_lost", "mojibake") if getattr(faults, name)[0]}


def misread(text: str, written: str, read: str) -> str:
    """Text written in one encoding and read in another; bytes the other has no sign for become control characters."""
    signs = "".join(bytes([byte]).decode(read, "ignore") or chr(byte) for byte in text.encode(written))
    return str(clean_text(pd.Series([signs], dtype="str"))[0])


# -- spreadsheets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell",
    [
        *("#I/T", "#N/A", "#n/a", "#REFERENCE!", "#REF!", "#NAVN?", "#NAME?", "#VÆRDI!", "#VALUE!", "#DIVISION/0!"),
        *(
            "#DIV/0!",
            "#NUL!",
            "#NULL!",
            "#NUM!",
            "#OVERLØB!",
            "#SPILL!",
            "###",
            "########",
            "Err:502",
            "#VÃ†RDI!",
            "#V?RDI!",
        ),
    ],
)
def test_errors_of_a_spreadsheet(cell: str) -> None:
    assert "excel_error" in faults_of(cell)


@pytest.mark.parametrize(
    "cell", ["#RYD", "#CLEAR", "#1", "#1001", "#", "##", "# 5", "#tag", "C#", "N/A", "#A!", "Error"]
)
def test_other_cells_with_that_sign_are_fine(cell: str) -> None:
    assert faults_of(cell) == set()


@pytest.mark.parametrize("cell", ["5,79E+12", "1.23457E+11", "-1,5E+10", "5.79e+12", "1E+05", "9E+99", "1E+999999999"])
def test_numbers_of_which_digits_are_lost(cell: str) -> None:
    assert faults_of(cell) == {"digits_lost"}


@pytest.mark.parametrize(
    "cell", ["1,2345E+04", "1,5E-03", "12E5", "1E3", "1E+5", "A1E+12", "5790000000005", "12,5", "E+10"]
)
def test_numbers_with_all_their_digits_and_item_numbers_are_fine(cell: str) -> None:
    assert faults_of(cell) == set()


# -- wrong encodings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ("HÃ¥ndvÃ¦rker", "Håndværker"),
        ("SÃ¸ren", "Søren"),
        ("Ã†blehaven", "Æblehaven"),
        ("Ã˜sterÃ¥", "Østerå"),
        ("Ã…rhus", "Århus"),
        ("BLÃ…BÃ†R", "BLÅBÆR"),
        ("CafÃ©", "Café"),
        ("MÃ¼ller & SÃ¶hne", "Müller & Söhne"),
        ("Ã–rebro", "Örebro"),
        ("NoÃ«l", "Noël"),
        ("SÃ£o Paulo", "São Paulo"),
        ("10Â kg", "10 kg"),
        ("kr.Â 5", "kr. 5"),
        ("20Â°", "20°"),
        ("50 â‚¬ â€“ tilbud", "50 € – tilbud"),
        ("Hansenâ€™s", "Hansen’s"),
        ("S\u00c3\u00b8ren \u00c3\u0085se", "Søren Åse"),
        ("ï»¿Navn", "Navn"),
        ("Å\u0081Ã³dÅº", "Łódź"),
        ("DvoÅ™Ã¡k", "Dvořák"),
        ("Ã¸l pÃ¥ Ærø", "øl på Ærø"),
        ("SÃƒÂ¸ren", "Søren"),
        ("HÃƒÂ¥ndvÃƒÂ¦rker", "Håndværker"),
        ("Ãƒâ€¦rhus", "Århus"),
        ("S√∏ren", "Søren"),
        ("H√•ndv√¶rker", "Håndværker"),
        ("√Ürb√¶k √Östed √òster", "Ærbæk Åsted Øster"),
        ("S├©ren", "Søren"),
        ("S├╕ren p├Ñ ├år├╕", "Søren på Ærø"),
        ("S›ren", "Søren"),
        ("g†rd", "gård"),
        ("L‘s›", "Læsø"),
        ("Sams›", "Samsø"),
        ("BL\x8fB’R", "BLÅBÆR"),
        ("\x9dsterg†rd", "Østergård"),
        ("M\x81ller", "Müller"),
        ("S¿ren", "Søren"),
        ("gŒrd", "gård"),
        ("LŒsby", "Låsby"),
        ("L¾s¿", "Læsø"),
        ("¯stergŒrd", "Østergård"),
        ("AndrŽ S¿by", "André Søby"),
        ("\x81rhus", "Århus"),
        ("\x93Kroen\x94 \x96 Hansen\x92s", "“Kroen” – Hansen’s"),
    ],
)
def test_what_damaged_text_was(cell: str, meant: str) -> None:
    assert faults_of(cell) == {"mojibake"}
    assert repair(cell) == meant


@pytest.mark.parametrize(
    "cell",
    [
        "S\ufffdren",  # the sign itself is gone
        "Sï¿½ren",
        "S›ren Ærø",  # cp865 and Windows-1252 in one cell
        "S›rens ‘Kro’",  # ‘ and ’ may be what they look like
        "j\x91vn",  # jævn, or a quotation mark
        "DÃ©jÃ vu",  # a sign lost its second half
        "\x86",
    ],
)
def test_damage_that_is_not_mended_because_nothing_is_certain(cell: str) -> None:
    assert faults_of(cell) == {"mojibake"}
    assert repair(cell) is None


@pytest.mark.parametrize(
    "cell",
    [
        *(
            "Søren Ærø Åse",
            "Å",
            "ÆØÅ",
            "Müller & Söhne",
            "Citroën",
            "São Paulo",
            "IRMÃ MARIA",
            "IRMÃ",
            "«IRMÃ»",
            "IRMÃ – 5",
        ),
        *(
            "À la carte",
            "Ângela",
            "Château",
            "È vero",
            "Łódź",
            "Škoda",
            "Dvořák",
            "Þór Ðóra",
            "Привет",
            "日本",
            "😀",
            "Ñandú",
        ),
        *(
            "»BLÅ«",
            "„BLÅ“",
            "BLÅ™",
            "5 Å²",
            "50 °C",
            "½ liter",
            "¼x¾tommer",
            "2½x¾",
            "√2",
            "±5 Å",
            "20 € – “x”",
            "naïve…",
        ),
        *(
            "rock ‘n’ roll",
            "O’Brien",
            "L’Oréal",
            "‹Kro›",
            "Forside › Sko",
            "Jens Holm †",
            "†1998",
            "¿Qué tal?",
            "Lego®",
            "©",
        ),
        *("Œuvre", "cœur", "SŒUR", "¯\\_(ツ)_/¯", "", "Aps", "50% – 5 µm²", "ÄÖÜ", "Ål", "Âge d’or"),
    ],
)
def test_good_text_is_never_suspected(cell: str) -> None:
    assert faults_of(cell) == set()
    assert repair(cell) is None


danish_words = st.text("abeknrstæøåéüö", min_size=1, max_size=7).flatmap(
    lambda word: st.sampled_from([word, word.capitalize(), word.upper()])
)
danish_text = st.lists(danish_words, min_size=1, max_size=4).map(" ".join)
plain_words = st.text("abeknrstæøå", min_size=1, max_size=7).flatmap(
    lambda word: st.sampled_from([word, word.capitalize(), word.upper()])
)
plain_text = st.lists(plain_words, min_size=1, max_size=4).map(" ".join)


@given(st.text("ABCabcæøåÆØÅéèêëüöäÖÄÜßñçãõÃÂô 0123456789.,-–’“”«»/&()'\"%€°", max_size=30).map(str.strip))
def test_no_text_of_the_signs_offices_use_is_suspected_unless_it_holds_a_known_pair(text: str) -> None:
    assume("Â" not in text and "Ã" not in text)
    assert faults_of(text) == set()


@given(danish_text, st.sampled_from(WRONG_ENCODINGS))
def test_danish_that_was_utf_8_is_mended_as_it_was(text: str, encoding: str) -> None:
    assume(not text.isascii())
    assume(not (encoding == "latin-1" and text.endswith("Å")))  # its second half counts as a blank and is trimmed away
    damaged = misread(text, "utf-8", encoding)
    assert faults_of(damaged) == {"mojibake"}
    assert repair(damaged) == text


@given(danish_text)
def test_danish_misread_twice_is_mended_as_it_was(text: str) -> None:
    assume(not text.isascii())
    damaged = misread(misread(text, "utf-8", "cp1252"), "utf-8", "cp1252")
    assert faults_of(damaged) == {"mojibake"}
    assert repair(damaged) == text


@given(plain_text, st.sampled_from(["cp865", "mac_roman"]), st.sampled_from(["cp1252", "latin-1"]))
def test_what_is_left_of_old_encodings_is_mended_as_it_was_or_not_at_all(text: str, written: str, read: str) -> None:
    damaged = misread(text, written, read)
    if "mojibake" in faults_of(damaged):
        assert repair(damaged) in (text, None)


@given(
    st.text(
        st.sampled_from(list("Ã¸â€™√∏├¸S›¿Œ\x81\x9d\ufffdæøå ")) | st.characters(exclude_categories=["Cs"]), max_size=12
    )
)
def test_mended_text_is_good_text(text: str) -> None:
    mended = repair(text)
    if mended is not None:
        assert mended != text
        assert "mojibake" in faults_of(text)
        assert "mojibake" not in faults_of(mended)


@pytest.mark.parametrize("piece", ["Ã", "â€", "a›", "¿", "├", "‹a›", "ÐÑ", " Â "])
def test_a_huge_cell_takes_no_longer_than_its_length(piece: str) -> None:
    cell = piece * (300_000 // len(piece))
    assert (repair(cell) is None) or "mojibake" in faults_of(cell)


def test_rows_keep_their_place() -> None:
    column = pd.Series(["ok", "#I/T", "5,79E+12", "SÃ¸ren", ""], index=[1, 3, 5, 7, 9], dtype="str")
    faults = find_faults(column)
    assert list(faults.excel_error[faults.excel_error].index) == [3]
    assert list(faults.digits_lost[faults.digits_lost].index) == [5]
    assert list(faults.mojibake[faults.mojibake].index) == [7]
