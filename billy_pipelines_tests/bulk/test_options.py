"""Job options: their defaults, where they may come from, and what the organization allows (rules B21, B25)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billy_pipelines.bulk.options import (
    MAX_OPTIONS_BYTES,
    JobOptions,
    OptionsError,
    check_policy,
    gate_limit,
    parse_options,
    read_options_file,
)

DEFAULTS = {
    # how the file is read
    "encoding": "auto",
    "delimiter": "auto",
    "sheet": "",
    "header_line": 0,
    "profile": "auto",
    "mapping": {},
    "set": {},
    "decimal": "auto",
    "date_order": "auto",
    "inherit_blanks": "auto",
    "prices_include_vat": "unknown",
    "repair_text": False,
    "blank_means": "keep",
    "language": "en",
    # what is done with its rows
    "batch_size": 10,
    "continue_on_error": True,
    "validate_before_create": True,
    "dry_run": False,
    "on_existing": "skip",
    "on_missing": "reject",
    "on_archived": "skip",
    "match_on": [],
    "max_error_rate": 0.05,
    "contact_by_name": False,
    "own_numbers": False,
    "create_missing": False,
    "approve": False,
    "bulk_save": "off",
    "confirm_count": 0,
    "archive_if_used": True,
}


def plain(**values: Any) -> dict[str, Any]:
    """All options as plain values, as a job keeps them."""
    return parse_options(values, "test").model_dump(mode="json")


def options_file(folder: Path, content: str | bytes) -> Path:
    path = folder / "customers.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_the_defaults_are_those_of_the_design() -> None:
    assert plain() == DEFAULTS


def test_an_option_that_is_given_changes_that_option_only() -> None:
    assert plain(on_existing="update", max_error_rate=0.2) == {
        **DEFAULTS,
        "on_existing": "update",
        "max_error_rate": 0.2,
    }


def test_an_unknown_option_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(OptionsError) as refusal:
        parse_options({"on_existng": "update"}, "customers.yaml")
    assert "customers.yaml: on_existng" in str(refusal.value)
    assert f"Known options: {', '.join(DEFAULTS)}." in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("on_existing", "replace"),
        ("blank_means", "delete"),
        ("bulk_save", "perhaps"),
        ("dry_run", "maybe"),
        ("match_on", "ean"),
        ("batch_size", 0),
        ("batch_size", 1001),
        ("batch_size", True),
        ("max_error_rate", -0.01),
        ("max_error_rate", 1.01),
        ("max_error_rate", float("nan")),
        ("max_error_rate", "0.2"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(OptionsError, match=rf"^command line: {name}\b"):
        parse_options({name: value}, "command line")


def test_yes_is_no_error_rate_b21() -> None:
    """YAML reads `yes` as true; taken for the number 1 it would be a gate that is always open."""
    with pytest.raises(OptionsError, match="max_error_rate"):
        parse_options({"max_error_rate": True}, "customers.yaml")


@pytest.mark.parametrize(
    ("rate", "rows", "limit"),
    [(0.05, 20, 5), (0.05, 1000, 50), (0.05, 101, 5.05), (0.001, 100, 5), (1.0, 7, 7), (0.29, 100, 29)],
)
def test_five_wrong_rows_or_the_share_pass_the_gate_b21(rate: float, rows: int, limit: float) -> None:
    assert gate_limit(JobOptions(max_error_rate=rate), rows) == limit


@pytest.mark.parametrize("zero", [0, 0.0])
def test_an_explicit_zero_lets_no_wrong_row_pass_b21(zero: float) -> None:
    assert gate_limit(JobOptions(max_error_rate=zero), 1_000_000) == 0


@given(rows=st.integers(1, 100_000), percent=st.integers(1, 100))
def test_a_share_of_wrong_rows_that_is_allowed_passes_to_the_last_row_b21(rows: int, percent: int) -> None:
    """Counted in whole numbers: as many rows as the percentage allows pass, one more does not."""
    allowed = max(5, rows * percent // 100)
    assert allowed <= gate_limit(JobOptions(max_error_rate=percent / 100), rows) < allowed + 1


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ("on_existing: update\nmax_error_rate: 0.2\n", {"on_existing": "update", "max_error_rate": 0.2}),
        ("match_on: [ean, contactNo]", {"match_on": ["ean", "contactNo"]}),
        ("\ufeffdry_run: yes\r\n", {"dry_run": True}),
        ("# nothing chosen\n", {}),
        ("", {}),
    ],
)
def test_an_options_file_is_lines_of_name_and_value(content: str, values: dict[str, Any], tmp_path: Path) -> None:
    assert read_options_file(options_file(tmp_path, content)) == values


@pytest.mark.parametrize("content", ["- on_existing\n- update", "update", "1: 2", "42"])
def test_an_options_file_without_names_is_refused(content: str, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=r"customers\.yaml must hold lines such as 'on_existing: update'"):
        read_options_file(options_file(tmp_path, content))


@pytest.mark.parametrize(
    "content",
    [
        "on_existing: [update",
        "dry_run: true\n---\ndry_run: false",
        "dry_run: true\ndry_run: false",
        "started: 2026-02-31",
        "name: !!python/object/apply:os.getcwd []",
        "dry_run: !!bool perhaps",
        "batch_size: !!int ''",
        "started: !!timestamp soon",
        b"navn: S\xf8ren",
        "[" * 30_000,
    ],
    ids=[
        "cut",
        "two documents",
        "said twice",
        "no such day",
        "an object",
        "no bool",
        "no number",
        "no time",
        "latin-1",
        "too deep",
    ],
)
def test_an_options_file_that_is_no_plain_yaml_is_refused_b25(content: str | bytes, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=r"^customers\.yaml cannot be read as YAML: "):
        read_options_file(options_file(tmp_path, content))


def test_aliases_are_refused_b25(tmp_path: Path) -> None:
    """Nine lines of them unfold into a thousand million values."""
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    with pytest.raises(OptionsError, match="aliases"):
        read_options_file(options_file(tmp_path, "\n".join(lines)))


def test_an_options_file_of_64_kb_is_read_and_a_larger_one_is_refused_b25(tmp_path: Path) -> None:
    text = "dry_run: true\n#"
    largest = text + "x" * (MAX_OPTIONS_BYTES - len(text))
    assert read_options_file(options_file(tmp_path, largest)) == {"dry_run": True}
    with pytest.raises(OptionsError, match="larger than 64 KB"):
        read_options_file(options_file(tmp_path, largest + "x"))


def test_an_options_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=r"customers\.yaml cannot be read"):
        read_options_file(tmp_path / "customers.yaml")


WORDS = ["dry_run", ": ", "- ", "\n", "  ", "[", "]", "{", "}", "&a ", "<<: ", "? ", "!!bool ", "!!int ", "!!float "]
WORDS += ["!!timestamp ", "!!binary ", "!!set ", "!!omap ", "!!null ", "yes", "0x", "''", "1:2", "2026-13-01", "|", ">"]


@given(words=st.lists(st.sampled_from(WORDS), max_size=8))
def test_whatever_stands_in_an_options_file_it_is_read_or_refused_b25(
    words: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = options_file(tmp_path_factory.getbasetemp(), "".join(words))
    try:
        values = read_options_file(path)
    except OptionsError as refusal:
        assert str(refusal).startswith(path.name)
    else:
        assert all(isinstance(name, str) for name in values)


ALLOWED = [
    ("on_existing", ["skip", "update"], "update"),
    ("on_existing", "skip", "skip"),
    ("max_error_rate", 0.1, 0.05),
    ("max_error_rate", 0.1, 0.1),
    ("batch_size", 50, 10),
    ("dry_run", True, True),
    ("match_on", ["ean", "contactNo"], ["contactNo"]),
    ("match_on", [], []),
]
EXCEEDING = [
    ("on_existing", ["skip", "update"], "create"),
    ("on_existing", "skip", "update"),
    ("max_error_rate", 0.1, 0.11),
    ("max_error_rate", 0, 0.05),
    ("batch_size", 50, 51),
    ("dry_run", True, False),
    ("validate_before_create", True, False),
    ("match_on", ["ean", "contactNo"], ["contactNo", "name"]),
    ("match_on", [], ["name"]),
]


@pytest.mark.parametrize(("name", "limit", "value"), ALLOWED)
def test_options_within_the_organizations_policy_pass_b25(name: str, limit: Any, value: Any) -> None:
    check_policy(plain(**{name: value}), {name: limit}, "customers.yaml")


@pytest.mark.parametrize(("name", "limit", "value"), EXCEEDING)
def test_options_that_exceed_the_organizations_policy_are_refused_b25(name: str, limit: Any, value: Any) -> None:
    with pytest.raises(OptionsError, match=rf"^customers\.yaml: {name} is .*policy allows"):
        check_policy(plain(**{name: value}), {name: limit}, "customers.yaml")


@pytest.mark.parametrize(
    ("name", "limit"), [("dry_run", True), ("on_existing", "update"), ("max_error_rate", 0), ("match_on", ["ean"])]
)
def test_leaving_an_option_out_does_not_get_round_the_policy_b25(name: str, limit: Any) -> None:
    with pytest.raises(OptionsError, match=rf"^options: {name} is "):
        check_policy(plain(), {name: limit}, "options")


def test_a_policy_that_names_no_option_is_refused_b25() -> None:
    with pytest.raises(OptionsError, match="limits 'on_existng', which is no option"):
        check_policy(plain(), {"on_existng": "skip"}, "options")
