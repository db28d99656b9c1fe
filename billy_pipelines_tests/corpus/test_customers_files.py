"""Customer registers from the programs Danish companies have."""

from __future__ import annotations

from pathlib import Path

import pytest

from billy_pipelines_tests.corpus.cases import Case, assert_understood

BOM = b"\xef\xbb\xbf"
EAN = "5790000000005"

CASES = [
    Case(
        "own list saved by a Danish Excel as CSV UTF-8",
        "customers",
        "kunder.csv",
        BOM
        + "Navn;Adresse;Postnr;By;Tlf.;Mail;CVR-nr.\r\n"
        "Æblehaven Prøve ApS;Prøvevej 1;800;Høje Taastrup;12 34 56 78;faktura@aeblehaven.example;DK 99 00 00 07\r\n"
        ";;;;;;\r\n"
        "Søren Prøvesen;Åvej 2;8000;Aarhus C;;soeren(at)proevesen;\r\n".encode(),
        rows={
            2: {
                "name": "Æblehaven Prøve ApS",
                "address": "Prøvevej 1",
                "zipcode": "0800",
                "city": "Høje Taastrup",
                "phone": "12 34 56 78",
                "email": "faktura@aeblehaven.example",
                "vatNo": "99000007",
            }
        },
        problems={(2, "Postnr", "zeros_lost"), (4, "Mail", "email_form")},
        source={"kind": "csv", "encoding": "utf-8", "delimiter": ";", "header_line": 1},
    ),
    Case(
        "the same in Windows-1252, with what Excel made of numbers and errors",
        "customers",
        "kunder.csv",
        f"Navn;By;EAN-nr.;Mail\r\nGrød & Øl;Århus;{EAN};a@b.example\r\nB ApS;#I/T;5,79E+12;\r\n".encode("cp1252"),
        rows={2: {"name": "Grød & Øl", "city": "Århus", "ean": EAN, "email": "a@b.example"}},
        problems={(3, "By", "excel_error"), (3, "EAN-nr.", "digits_lost")},
        source={"encoding": "cp1252"},
    ),
    Case(
        "Excel for Mac",
        "customers",
        "kunder.csv",
        "Navn;By\rSøren Gårdejer;Ærøskøbing\rJørgen;Tårnby\r".encode("mac_roman"),
        rows={2: {"name": "Søren Gårdejer", "city": "Ærøskøbing"}, 3: {"name": "Jørgen", "city": "Tårnby"}},
        source={"encoding": "mac_roman"},
    ),
    Case(
        "C5: DOS letters, postcode and town in one column",
        "customers",
        "exp00033.kom",
        "Konto;Navn;Post/By;Kundegruppe\r\n1001;Søren Gård;8000 Aarhus C;1\r\n1002;Købmand Æble;DK-0800 Høje Taastrup;1\r\n".encode(
            "cp865"
        ),
        rows={
            2: {"contactNo": "1001", "name": "Søren Gård", "zipcode": "8000", "city": "Aarhus C"},
            3: {"contactNo": "1002", "name": "Købmand Æble", "zipcode": "0800", "city": "Høje Taastrup"},
        },
        source={"encoding": "cp865", "profile": "C5 or Navision customers"},
    ),
    Case(
        "Shopify customers: two name columns, telephone numbers behind an apostrophe",
        "customers",
        "customers_export.csv",
        "First Name,Last Name,Email,Company,Address1,Address2,City,Province Code,Country Code,Zip,Phone,Tags,Total Spent\n"
        "Anna,Prøve,anna@proeve.example,,Vej 1,2. th.,Ry,,DK,'8680,'+4512345678,,100.00\n".encode(),
        rows={
            2: {
                "name": "Anna Prøve",
                "email": "anna@proeve.example",
                "address": "Vej 1 2. th.",
                "city": "Ry",
                "country": "DK",
                "zipcode": "8680",
                "phone": "+4512345678",
            }
        },
        source={"profile": "Shopify customers", "delimiter": ","},
    ),
    Case(
        "report with titles above the header and a total below",
        "customers",
        "rapport.csv",
        "Debitorliste\n\nÆblehaven Prøve ApS;;\nKundenr.;Navn;Saldo\n0017;A ApS;1.250,00\n18;B ApS;0,00\nI alt;;1.250,00\n".encode(),
        rows={5: {"contactNo": "0017", "name": "A ApS"}, 6: {"contactNo": "18", "name": "B ApS"}},
        source={
            "header_line": 4,
            "set_aside": [
                {"line": 1, "what": "title"},
                {"line": 3, "what": "title"},
                {"line": 7, "what": "total"},
            ],
        },
    ),
    Case(
        "members' list with a CPR column, and a CPR number where it does not belong",
        "customers",
        "medlemmer.csv",
        b"Medlemsnr;Navn;Mobil;CPR\nM1;Anna;12345678;010190-1234\nM2;Bo 010190-1234;;\n",
        rows={2: {"name": "Anna", "phone": "12345678"}},
        problems={(3, "Navn", "possible_cpr")},
        unknown={"Medlemsnr"},
    ),
    Case(
        "a column of another name, and a country the file does not have",
        "customers",
        "kunder.csv",
        b"Medlemsnr;Navn\nM1;Anna\n",
        rows={2: {"contactNo": "M1", "name": "Anna", "country": "SE"}},
        options={"mapping": {"Medlemsnr": "contactNo"}, "set": {"country": "Sverige"}},
    ),
    Case(
        "our own export, as JSON from an assistant",
        "customers",
        "kunder.json",
        b'{"customers": [\n  {"name": "A ApS", "zipcode": "0800", "email": null},\n  {"name": "", "zipcode": 8000}\n]}',
        rows={2: {"name": "A ApS", "zipcode": "0800"}},
        problems={(3, "name", "required")},
        source={"kind": "json"},
    ),
    Case(
        "two columns that are the name", "customers", "k.csv", b"Navn;Firmanavn\nA;B\n", refused="two_columns_one_field"
    ),
    Case("a list without names", "customers", "k.csv", b"Mail;By\na@b.example;Ry\n", refused="missing_column"),
    Case(
        "values where names should be", "customers", "k.csv", b"Anna;a@b.example\nBo;c@d.example\n", refused="no_header"
    ),
    Case("a workbook named as text", "customers", "k.csv", b"PK\x03\x04rest of a zip", refused="type_mismatch"),
    Case(
        "a web page named as a workbook",
        "customers",
        "k.xls",
        b"<html><table><tr><td>Navn</td></tr></table></html>",
        refused="html_workbook",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_register_is_read_exactly(tmp_path: Path, case: Case) -> None:
    assert_understood(tmp_path, case)
