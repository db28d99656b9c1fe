"""Header names: Danish and English ones, with any case, accents and signs; who decides what a column is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billy_pipelines.files.compound import COMBINED, PARTS, PERSON_PARTS
from billy_pipelines.files.headers import HeaderMap, folded, known_headers, map_headers
from billy_pipelines.files.names import says_including_vat, shown
from billy_pipelines.files.recognition import profile_for
from billy_pipelines.files.table import UnreadableFile
from billy_pipelines.schemas.codes import HIDDEN
from billy_pipelines.schemas.reading_options import ReadingOptions
from billy_pipelines.schemas.registry import SCHEMAS
from billy_pipelines.schemas.row_schema import Profile, RowSchema

CUSTOMERS, PRODUCTS, INVOICES = (SCHEMAS[name] for name in ("customers", "products", "invoices"))

PROGRAM = Profile(
    name="program",
    title="Some program",
    signature=("Konto", "Sted"),
    meaning={"Konto": "contactNo", "Sted": "city", "Telefon 1": "phone", "Telefon 2": "phone", "By": ""},
    joined={"address": ("Vejnavn", "Husnr")},
    constants={"country": "DK"},
    excluded={"Status": ("lukket",)},
)


def found_in(
    *header: str,
    schema: RowSchema = CUSTOMERS,
    profile: Profile | None = None,
    remembered: dict[str, str] | None = None,
    operation: str = "update",
    **said: Any,
) -> HeaderMap:
    options = ReadingOptions(**said)
    return map_headers(header, schema, options, profile=profile, remembered=remembered or {}, operation=operation)


def refused(*header: str, **said: Any) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as caught:
        found_in(*header, **said)
    return caught.value


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("CVR-nr.", "vatNo"),
        ("cvr nr", "vatNo"),
        ("CVR nummer", "vatNo"),
        ("SE-nr.", "vatNo"),
        ("Postnr.", "zipcode"),
        ("POSTNUMMER", "zipcode"),
        ("Tlf.", "phone"),
        ("E-Mail", "email"),
        ("Mail:", "email"),
        ("  Navn ", "name"),
        ("Firmanavn", "name"),
        ("Debitornr.", "contactNo"),
        ("Kundenr.", "contactNo"),
        ("EAN-nr.", "ean"),
        ("Bynavn", "city"),
        ("Àdresse", "address"),
        ("Adresse 1", "address"),
        ("Land*", "country"),
        ("vat_no", "vatNo"),
    ],
)
def test_names_people_write_are_known(name: str, field: str) -> None:
    assert found_in(name).fields == {field: name}


@pytest.mark.parametrize("name", ["Kostpris", "CPR", "Saldo", "Lager", "Vejl. pris", "Noter", "Stregkode"])
def test_names_that_mean_something_else_are_not_taken(name: str) -> None:
    assert found_in("navn", name).fields == {"name": "navn"}


def test_danish_letters_fold_alike_however_they_are_composed() -> None:
    assert folded("Ærø Å") == folded("AERO A") == folded("Ærø Å")


def test_an_amount_is_told_from_a_rate() -> None:
    assert folded("Moms") != folded("Moms %") == folded("moms pct.")


def test_a_near_miss_is_kept_out_with_a_hint() -> None:
    assert found_in("navn", "telfon", "Xyzzy").unknown == {"telfon": "phone", "Xyzzy": ""}


def test_a_column_that_is_never_used_says_why() -> None:
    found = found_in("navn", "Fødselsdato")
    assert (found.unknown, found.ignored) == ({}, {"Fødselsdato": "dates of birth are not sent"})


def test_two_columns_for_one_field_are_refused_by_their_names() -> None:
    error = refused("navn", "Tlf.", "Mobil")
    assert error.code == "two_columns_one_field"
    assert "'Tlf.' and 'Mobil' both mean phone" in str(error)


def test_a_missing_required_column_names_what_is_there() -> None:
    error = refused("Kunder i alt", "By", operation="import")
    assert error.code == "missing_column"
    assert "no column name. Its columns are: Kunder i alt, By." in str(error)


@pytest.mark.parametrize("operation", ["update", "delete"])
def test_only_an_import_needs_what_a_create_needs(operation: str) -> None:
    assert found_in("Kundenr.", "By", operation=operation).fields == {"contactNo": "Kundenr.", "city": "By"}


def test_a_constant_counts_as_present() -> None:
    found = found_in("Kundenr.", operation="import", set={"name": "Ukendt"})
    assert found.constants == {"name": "Ukendt"}


def test_a_name_in_two_columns_counts_as_present() -> None:
    found = found_in("Efternavn", "By", "Fornavn", operation="import")
    assert found.joined == {"name": ("Fornavn", "Efternavn")}


# Messages


def test_long_names_and_many_names_are_cut_in_the_message() -> None:
    assert len(str(refused("x" * 500, operation="import"))) < 450
    many = str(refused(*(f"kolonne {number}" for number in range(2000)), operation="import"))
    assert len(many) < 1000
    assert "kolonne 39, … (1,960 more)" in many


@pytest.mark.parametrize(
    "name",
    ["soeren@proevesen.example", "010190-1234", "0101901234", "DK 99 00 00 07", "+45 00 00 00 00", "12-34-56-78"],
)
def test_a_header_that_may_be_a_value_is_never_quoted(name: str) -> None:
    assert shown(f"Kunde {name}") == HIDDEN
    for error in (
        refused(name, operation="import"),
        refused(name, mapping={"nope": "name"}),
        refused(name, mapping={name: "name", "Navn": "city"}),
    ):
        assert name not in str(error)


def test_where_one_header_may_be_a_value_only_known_names_are_shown() -> None:
    row = ("Søren Prøvesen", "Åvej 2", "8000 Aarhus C", "soeren@proevesen.example")
    for error in (refused(*row, operation="import"), refused(*row, mapping={"Navn": "name"})):
        assert not any(cell in str(error) for cell in row)
    assert f"{HIDDEN}, By, {HIDDEN}" in str(refused("Æblehaven ApS", "By", "Sted", operation="import"))


@pytest.mark.parametrize("name", ["Omsætning 2025-2026", "Pris pr. 01-04-2026", "Adresse 1", "E-mail 1 - Value"])
def test_ordinary_headers_with_digits_are_shown(name: str) -> None:
    assert shown(name) == name


def test_a_header_with_line_breaks_stays_on_one_line() -> None:
    assert shown("Navn\non two\r\nlines") == "Navn on two lines"


def test_a_problem_names_the_column_as_in_the_file() -> None:
    found = found_in("Navn", "CVR-nr.", "Post/By", "Adresse1", "Adresse2", set={"country": "DK"})
    assert [found.column_of(field) for field in ("vatNo", "zipcode", "city", "address", "country", "email")] == [
        "CVR-nr.",
        "Post/By",
        "Post/By",
        "Adresse1 + Adresse2",
        "country",
        "email",
    ]


# Lines nested in a JSON record


def test_a_key_of_record_and_lines_belongs_to_whom_the_field_belongs() -> None:
    header = (
        "invoiceNo",
        "currency",
        "description",
        "note",
        "lines",
        "lines.description",
        "lines.currency",
        "lines.note",
    )
    found = found_in(*header, schema=INVOICES)
    assert found.fields["description"] == "lines.description"
    assert found.fields["currency"] == "currency"
    assert found.ignored["description"] == "description is taken from the column 'lines.description'"
    assert found.ignored["lines.currency"] == "currency is taken from the column 'currency'"
    assert "lines.note" in found.unknown


def test_what_the_option_says_of_a_nested_key_stands() -> None:
    header = ("invoiceNo", "description", "quantity", "lines", "lines.description")
    found = found_in(*header, schema=INVOICES, mapping={"lines.description": "", "description": "description"})
    assert found.fields["description"] == "description"


# The option `mapping`


def test_a_mapping_names_what_no_list_knows() -> None:
    found = found_in("Hvem", "By", mapping={"hvem ": "name"}, operation="import")
    assert found.fields == {"name": "Hvem", "city": "By"}


def test_a_mapping_takes_a_column_out() -> None:
    found = found_in("Navn", "Tlf.", "Mobil", mapping={"Mobil": ""})
    assert found.fields == {"name": "Navn", "phone": "Tlf."}
    assert found.ignored == {"Mobil": "the option mapping says that it is not used"}


def test_the_mapped_one_of_two_columns_wins_and_the_other_says_so() -> None:
    found = found_in("Navn", "Tlf.", "Mobil", mapping={"Mobil": "phone"})
    assert found.fields == {"name": "Navn", "phone": "Mobil"}
    assert found.ignored == {"Tlf.": "phone is taken from the column 'Mobil'"}


def test_two_columns_mapped_to_one_field_are_refused() -> None:
    assert refused("A", "B", mapping={"A": "phone", "B": "phone"}).code == "two_columns_one_field"


def test_a_mapping_of_a_column_that_is_not_there_is_refused() -> None:
    error = refused("Navn", "By", mapping={"Telefax": "phone"})
    assert error.code == "bad_mapping"
    assert "'Telefax', which is no column. Known: Navn, By." in str(error)


def test_a_mapping_to_a_field_that_does_not_exist_is_refused() -> None:
    error = refused("Navn", mapping={"Navn": "nmae"})
    assert error.code == "bad_mapping"
    assert "'nmae', which is no field. Known: name, email" in str(error)
    assert "zipcode+city" in str(error)


def test_a_mapping_overrides_what_is_never_used() -> None:
    found = found_in("Varenr.", "Vejl. pris", schema=PRODUCTS, mapping={"Vejl. pris": "unitPrice"})
    assert found.fields == {"productNo": "Varenr.", "unitPrice": "Vejl. pris"}


def test_the_exact_name_is_mapped_where_two_fold_alike() -> None:
    found = found_in("Navn", "navn.", mapping={"navn.": ""})
    assert found.fields == {"name": "Navn"}


def test_what_is_wrong_with_mapping_and_set_is_said_in_danish_too() -> None:
    def said(error: UnreadableFile) -> str:
        return error.text("da")

    assert "'Fax', som ikke er en kolonne. Kendte: Navn." in said(
        refused("Navn", mapping={"Fax": "phone"}, language="da")
    )
    assert "'fax', som ikke er et felt. Kendte: name" in said(refused("Navn", mapping={"Navn": "fax"}, language="da"))
    assert "der er intet sådant felt" in said(refused("Navn", set={"fax": "1"}, language="da"))
    assert "filen har kolonnen 'Land' til det" in said(refused("Navn", "Land", set={"country": "DK"}, language="da"))
    many = refused(*(f"kolonne {number}" for number in range(2000)), operation="import", language="da")
    assert "kolonne 39, … (1.960 flere)" in said(many)


# The option `set`


def test_a_constant_for_a_field_with_a_column_is_refused() -> None:
    for header in (["Navn", "Land"], ["Navn", "Fornavn", "Efternavn"], ["Navn", "Post/By"]):
        error = refused(*header, set={"country": "DK", "contactPerson": "A", "city": "B"})
        assert error.code == "bad_set"
    assert "'Land'" in str(refused("Navn", "Land", set={"country": "DK"}))


def test_a_constant_for_a_column_that_is_not_used_holds() -> None:
    assert found_in("Navn", "Land", set={"country": "DE"}, mapping={"Land": ""}).constants == {"country": "DE"}


def test_a_constant_for_a_field_that_does_not_exist_is_refused() -> None:
    error = refused("Navn", set={"contry": "DK"})
    assert error.code == "bad_set"
    assert "no such field" in str(error)


def test_the_option_counts_for_more_than_the_profiles_constant() -> None:
    assert found_in("Konto", profile=PROGRAM).constants == {"country": "DK"}
    assert found_in("Konto", profile=PROGRAM, set={"country": "SE"}).constants == {"country": "SE"}
    assert found_in("Konto", "Land", profile=PROGRAM).constants == {}


# Remembered mappings


def test_what_was_confirmed_before_counts_for_more_than_profile_and_names() -> None:
    found = found_in("Konto", "By", "Sted", profile=PROGRAM, remembered={"Konto": "ean", "Sted": "", "By": "city"})
    assert found.fields == {"ean": "Konto", "city": "By"}
    assert found.ignored == {"Sted": "it was said before, for files with these columns, that it is not used"}


def test_the_option_counts_for_more_than_what_was_confirmed_before() -> None:
    found = found_in("A", "B", remembered={"A": "name", "B": "phone"}, mapping={"B": "name"})
    assert found.fields == {"name": "B"}
    assert found.ignored == {"A": "name is taken from the column 'B'"}


def test_a_remembered_field_that_has_gone_says_nothing() -> None:
    assert found_in("Navn", "By", remembered={"Navn": "fax", "Gone": "phone"}).fields == {"name": "Navn", "city": "By"}


# Profiles


def test_a_profile_gives_names_another_meaning() -> None:
    found = found_in("Konto", "Sted", "By", "Husnr", "Vejnavn", "Status", profile=PROGRAM)
    assert found.fields == {"contactNo": "Konto", "city": "Sted"}
    assert found.joined == {"address": ("Vejnavn", "Husnr")}
    assert found.ignored == {
        "By": "not used in Some program",
        "Status": "tells which rows of Some program are left out",
    }
    assert (found.profile, found.title) == ("program", "Some program")


def test_what_a_profile_names_counts_for_more_than_an_alias() -> None:
    found = found_in("Konto", "Kundenr.", profile=PROGRAM)
    assert found.fields == {"contactNo": "Konto"}
    assert found.ignored == {"Kundenr.": "contactNo is taken from the column 'Konto'"}


def test_of_two_columns_a_profile_names_the_first_in_the_profile_is_used() -> None:
    assert found_in("Telefon 2", "Telefon 1", profile=PROGRAM).fields == {"phone": "Telefon 1"}
    assert found_in("Telefon 2", profile=PROGRAM).fields == {"phone": "Telefon 2"}


def test_the_same_column_twice_is_refused_in_a_profile_too() -> None:
    assert refused("Konto", "konto", profile=PROGRAM).code == "two_columns_one_field"
    assert refused("Vejnavn", "vejnavn", profile=PROGRAM).code == "two_columns_one_field"


def test_a_profile_is_found_by_its_headers_whatever_their_order_and_case() -> None:
    found = profile_for(CUSTOMERS, ["LAND", "postnummer", "Navn", "KONTONAVN", "konto"], ReadingOptions())
    assert found is not None
    assert found.name == "uniconta_debtors"


def test_of_two_profiles_the_longer_signature_is_taken() -> None:
    found = profile_for(CUSTOMERS, ["Kundenr", "Navn", "Gruppe", "Adresse1", "Momszone"], ReadingOptions())
    assert found is not None
    assert found.name == "rackbeat_customers"


def test_a_profile_can_be_named_or_refused() -> None:
    header = ["Konto", "Kontonavn", "Postnummer"]
    assert profile_for(CUSTOMERS, header, ReadingOptions(profile="none")) is None
    for name in ("shopify_customers", "Shopify customers"):
        named = profile_for(CUSTOMERS, header, ReadingOptions(profile=name))
        assert named is not None
        assert named.name == "shopify_customers"


def test_a_profile_nobody_knows_is_refused() -> None:
    with pytest.raises(
        UnreadableFile, match=r"no profile 'sap' for customers\. Known: auto, none, own_export"
    ) as caught:
        profile_for(CUSTOMERS, ["Navn"], ReadingOptions(profile="sap"))
    assert caught.value.code == "unknown_profile"


# One field in several columns, several fields in one


@pytest.mark.parametrize("name", ["Post/By", "Postnr/By", "Postnr. og by", "Postnr og by", "postnr./by"])
def test_postcode_and_town_in_one_column_are_known(name: str) -> None:
    assert found_in("Navn", name).combined == {name: "zipcode+city"}


def test_postcode_and_town_beside_a_postcode_are_two_columns_for_one_field() -> None:
    error = refused("Navn", "Postnr.", "Post/By")
    assert error.code == "two_columns_one_field"
    assert "'Postnr.' and 'Post/By' both mean zipcode + city" in str(error)


def test_any_column_can_be_mapped_to_postcode_and_town() -> None:
    found = found_in("Navn", "Hvor", "By", mapping={"Hvor": "zipcode+city"})
    assert found.combined == {"Hvor": "zipcode+city"}
    assert list(found.ignored) == ["By"]


def test_address_lines_are_joined_in_their_order() -> None:
    found = found_in("Navn", "c/o", "Adresse 2", "Adresse", "Address3")
    assert found.joined == {"address": ("Adresse", "Adresse 2", "Address3", "c/o")}


def test_two_first_address_lines_are_refused() -> None:
    assert refused("Navn", "Adresse", "Adresse 1").code == "two_columns_one_field"
    assert refused("Navn", "Adresse", "Adresse 2", "Address2").code == "two_columns_one_field"


def test_a_mapped_address_stands_alone() -> None:
    found = found_in("Navn", "Vejen", "Adresse 2", mapping={"Vejen": "address"})
    assert (found.fields["address"], found.joined, list(found.ignored)) == ("Vejen", {}, ["Adresse 2"])


def test_first_and_last_name_beside_a_name_are_the_contact_person() -> None:
    found = found_in("Firma", "First Name", "Middle name", "Last Name")
    assert found.fields == {"name": "Firma"}
    assert found.joined == {"contactPerson": ("First Name", "Middle name", "Last Name")}


def test_first_and_last_name_with_no_room_are_left_aside() -> None:
    found = found_in("Firma", "Att.", "Fornavn", "Efternavn")
    assert found.fields == {"name": "Firma", "contactPerson": "Att."}
    assert list(found.ignored) == ["Fornavn", "Efternavn"]


def test_half_a_name_is_no_name() -> None:
    assert found_in("Efternavn", "By").unknown == {"Efternavn": ""}


def test_two_first_names_are_refused() -> None:
    assert refused("Fornavn", "First Name", "Efternavn").code == "two_columns_one_field"


def test_a_product_is_no_person() -> None:
    assert set(found_in("Fornavn", "Efternavn", "Varenr.", schema=PRODUCTS).unknown) == {"Fornavn", "Efternavn"}


# Prices


@pytest.mark.parametrize(
    "name",
    ["Salgspris (inkl. moms)", "Stk.pris inkl. 25% moms", "Unit price incl. VAT", "Pris m/moms", "Pris med moms"],
)
def test_a_price_that_includes_vat_is_known_and_says_so(name: str) -> None:
    assert found_in(name, schema=INVOICES).fields == {"unitPrice": name}
    assert says_including_vat(name)


@pytest.mark.parametrize(
    "name",
    ["Enhedspris ekskl. moms", "Salgspris excl. moms", "Unit price ex VAT", "Pris u/moms", "Salgspris uden moms"],
)
def test_a_price_without_vat_is_known_and_does_not_say_so(name: str) -> None:
    assert found_in(name, schema=INVOICES).fields == {"unitPrice": name}
    assert not says_including_vat(name)


def test_only_a_price_is_the_same_field_with_vat_and_without() -> None:
    found = found_in("Beløb ekskl. moms", "Beløb inkl. moms", schema=INVOICES)
    assert found.fields == {"amountControl": "Beløb ekskl. moms", "totalControl": "Beløb inkl. moms"}
    assert found_in("Rabatbeløb inkl. moms", schema=INVOICES).fields == {}


# All resources


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=lambda schema: schema.name)
def test_no_alias_belongs_to_two_columns(schema: RowSchema) -> None:
    owners = {folded(name): column.name for column in schema.columns for name in (column.name, *column.aliases)}
    assert all(owners[folded(n)] == c.name for c in schema.columns for n in (c.name, *c.aliases))
    assert "" not in owners


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=lambda schema: schema.name)
def test_what_is_never_used_is_no_alias(schema: RowSchema) -> None:
    known = {folded(name) for column in schema.columns for name in (column.name, *column.aliases)}
    assert known.isdisjoint(map(folded, schema.ignored))


def test_every_name_a_column_may_have_tells_a_header_from_other_lines() -> None:
    known = known_headers(CUSTOMERS)
    assert known >= {"navn", "vatno", "postby", "adresse2", "efternavn", "saldo", "totalspent", "kontonavn"}
    assert "" not in known
    assert not known_headers(PRODUCTS) & {"efternavn", "postby", "adresse2"}


_NAMES = sorted(
    {name for schema in SCHEMAS.values() for column in schema.columns for name in (column.name, *column.aliases)}
    | {header for combined in COMBINED.values() for header in combined.headers}
    | {header for schema in SCHEMAS.values() for p in schema.profiles for header in (*p.signature, *p.meaning)}
    | {
        header
        for schema in SCHEMAS.values()
        for p in schema.profiles
        for parts in p.joined.values()
        for header in parts
    }
    | set(PARTS)
    | set(PERSON_PARTS)
)


@given(data=st.data())
def test_no_column_is_lost_and_no_field_has_two(data: st.DataObject) -> None:
    schema = data.draw(st.sampled_from(list(SCHEMAS.values())))
    names = st.sampled_from([*_NAMES, *schema.ignored]) | st.text(max_size=12)
    header = data.draw(st.lists(names, min_size=1, max_size=12, unique=True))
    profile = data.draw(st.sampled_from([None, *schema.profiles]))
    targets = st.sampled_from(["", *schema.fields])
    mapping = data.draw(st.dictionaries(st.sampled_from(header), targets, max_size=3))
    remembered = data.draw(st.dictionaries(st.sampled_from(header), targets, max_size=3))
    options = ReadingOptions(mapping=mapping)
    try:
        found = map_headers(header, schema, options, profile=profile, remembered=remembered, operation="update")
    except UnreadableFile as error:
        assert error.code == "two_columns_one_field"
        return
    used = [*found.fields.values(), *found.combined, *(column for parts in found.joined.values() for column in parts)]
    assert sorted([*used, *found.unknown, *found.ignored]) == sorted(header)
    filled = [*found.fields, *found.joined, *found.constants]
    filled += [field for what in found.combined.values() for field in COMBINED[what].fields]
    assert len(filled) == len(set(filled))
    assert set(filled) <= set(schema.fields)
    assert all(found.column_of(field) in mapping for field in found.fields if field in mapping.values())
