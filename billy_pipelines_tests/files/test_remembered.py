"""What a person said once about a kind of file is known the next time, for that organization and that resource."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from billy_pipelines.files.remembered import MAX_BYTES, MappingsDamaged, recall, remember

HEADER = ["Kunde nr.", "Hvem", "Koldnavn"]
MAPPING = {"Hvem": "name", "Koldnavn": ""}


def test_what_was_said_is_recalled(tmp_path: Path) -> None:
    folder = tmp_path / "mappings"
    assert recall(folder, "demo", "customers", HEADER) == {}
    remember(folder, "demo", "customers", HEADER, MAPPING)
    assert recall(folder, "demo", "customers", HEADER) == MAPPING


def test_order_and_spelling_of_the_columns_make_no_difference(tmp_path: Path) -> None:
    remember(tmp_path, "demo", "customers", HEADER, MAPPING)
    assert recall(tmp_path, "demo", "customers", ["koldnavn", "HVEM", "Kunde-nr"]) == MAPPING


@pytest.mark.parametrize(
    ("organization", "resource", "header"),
    [
        ("other", "customers", HEADER),
        ("demo", "products", HEADER),
        ("demo", "customers", [*HEADER, "By"]),
        ("demo", "customers", HEADER[:2]),
    ],
)
def test_another_kind_of_file_is_not_meant(tmp_path: Path, organization: str, resource: str, header: list[str]) -> None:
    remember(tmp_path, "demo", "customers", HEADER, MAPPING)
    assert recall(tmp_path, organization, resource, header) == {}


def test_what_is_said_again_counts_and_nothing_said_forgets(tmp_path: Path) -> None:
    remember(tmp_path, "demo", "customers", HEADER, MAPPING)
    remember(tmp_path, "demo", "products", HEADER, {"Hvem": "name"})
    remember(tmp_path, "demo", "customers", HEADER, {"Koldnavn": "name"})
    assert recall(tmp_path, "demo", "customers", HEADER) == {"Koldnavn": "name"}
    remember(tmp_path, "demo", "customers", HEADER, {})
    assert recall(tmp_path, "demo", "customers", HEADER) == {}
    assert recall(tmp_path, "demo", "products", HEADER) == {"Hvem": "name"}


def test_the_file_can_be_read_by_people_and_by_its_owner_only(tmp_path: Path) -> None:
    remember(tmp_path / "mappings", "demo", "customers", ["Købsnavn"], {"Købsnavn": "name"})
    path = tmp_path / "mappings" / "demo.yaml"
    assert "Købsnavn: name" in path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@given(
    header=st.lists(st.text(max_size=30) | st.text("\x85\u2028\xa0\r\n ø:#'", max_size=4), min_size=1, unique=True),
    fields=st.lists(st.sampled_from(["", "name", "zipcode+city"]), min_size=5),
)
def test_any_column_name_comes_back(
    tmp_path_factory: pytest.TempPathFactory, header: list[str], fields: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("mappings")
    mapping = dict(zip(header, fields, strict=False))
    remember(folder, "demo", "customers", header, mapping)
    assert recall(folder, "demo", "customers", header) == mapping


@pytest.mark.parametrize(
    "name",
    ["!!python/object/apply:os.system [id]", "&a", "*a", "- x", "a: b", "\ud800", "\x00", "x\ny", "# no", "yes", "1"],
)
def test_a_hostile_column_name_is_a_name(tmp_path: Path, name: str) -> None:
    remember(tmp_path, "demo", "customers", [name, "By"], {name: "name"})
    assert recall(tmp_path, "demo", "customers", [name, "By"]) == {name: "name"}


@pytest.mark.parametrize("organization", ["../demo", "a/b", "", ".", "/etc/passwd", "demo\n"])
def test_an_organization_is_no_path(tmp_path: Path, organization: str) -> None:
    for call in (recall, lambda *where: remember(*where, MAPPING)):
        with pytest.raises(ValueError, match="no name of an organization"):
            call(tmp_path / "mappings", organization, "customers", HEADER)
    assert list(tmp_path.rglob("*.yaml")) == []


@pytest.mark.parametrize(
    "content",
    [
        b"customers: [",
        b"just text",
        b"- a\n- b\n",
        b"k: {Hvem: 1}",
        b"k: {Hvem: [name]}",
        b"1: {Hvem: name}",
        b"k: name",
        b"a: &x {Hvem: name}\nb: *x\n",
        b"a: !!python/name:os.system x\n",
        b"a: !!bool maybe\n",
        b"a: !!timestamp 2026-02-31\n",
        b"\xff\xfe\x00",
        b"[" * 3_000,
        b"k: {Hvem: name}\n" + b"#" * MAX_BYTES,
    ],
)
def test_a_damaged_file_is_named_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "demo.yaml"
    path.write_bytes(content)
    for call in (recall, lambda *where: remember(*where, MAPPING)):
        with pytest.raises(MappingsDamaged) as caught:
            call(tmp_path, "demo", "customers", HEADER)
        assert str(path) in str(caught.value)
        assert len(str(caught.value)) < 1000
    assert path.read_bytes() == content


def test_an_empty_file_remembers_nothing(tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text("# emptied by hand\n")
    assert recall(tmp_path, "demo", "customers", HEADER) == {}


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text("{}")
    (tmp_path / "demo.yaml").symlink_to(elsewhere)
    with pytest.raises(MappingsDamaged):
        recall(tmp_path, "demo", "customers", HEADER)


def test_the_oldest_are_forgotten_before_the_file_grows_too_large(tmp_path: Path) -> None:
    kept = {f"customers-{number}": {"x" * 1000: "name"} for number in range(MAX_BYTES // 1040)}
    (tmp_path / "demo.yaml").write_text(yaml.safe_dump(kept, sort_keys=False))
    remember(tmp_path, "demo", "customers", HEADER, {"y" * 20_000: "name"})
    path = tmp_path / "demo.yaml"
    left = yaml.safe_load(path.read_text())
    assert recall(tmp_path, "demo", "customers", HEADER) == {"y" * 20_000: "name"}
    assert "customers-0" not in left
    assert f"customers-{len(kept) - 1}" in left
    assert path.stat().st_size <= MAX_BYTES


def test_a_mapping_too_large_to_keep_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    remember(tmp_path, "demo", "customers", HEADER, MAPPING)
    with pytest.raises(ValueError, match="larger than"):
        remember(tmp_path, "demo", "customers", ["x"], {"x" * MAX_BYTES: "name"})
    assert recall(tmp_path, "demo", "customers", HEADER) == MAPPING


def test_several_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from billy_pipelines.files.remembered import remember\n"
        "for n in range(20): remember(Path(sys.argv[1]), 'demo', 'customers', [f'c{sys.argv[2]}x{n}'], {'a': 'name'})"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(number)]) for number in range(3)]
    assert [process.wait(timeout=120) for process in started] == [0, 0, 0]
    for number in range(3):
        for n in range(20):
            assert recall(tmp_path, "demo", "customers", [f"c{number}x{n}"]) == {"a": "name"}
