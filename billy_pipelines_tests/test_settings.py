"""Settings: what the environment says, whose books there are, and that no message repeats a secret (rule B25)."""

from __future__ import annotations

from pathlib import Path

import pytest

from billy_pipelines import settings as settings_module
from billy_pipelines.settings import (
    DEFAULT_API_URL,
    Organization,
    Settings,
    SettingsError,
    checked_api_url,
    is_loopback,
)

SECRET = "b1ll7-s3cr3t-t0k3n"


def _settings(folder: Path, organizations_yaml: str | bytes | None = None, **environ: str) -> Settings:
    if organizations_yaml is not None:
        content = organizations_yaml if isinstance(organizations_yaml, bytes) else organizations_yaml.encode()
        (folder / "organizations.yaml").write_bytes(content)
    return Settings(data_dir=folder, environ=environ)


# -- the environment ---------------------------------------------------------------------------------------------------


def test_an_empty_environment_gives_billys_address_the_embedded_database_and_five_requests_a_second() -> None:
    settings = Settings.from_environment({})
    assert settings.api_url == DEFAULT_API_URL
    assert settings.database_url is None
    assert settings.requests_per_second == 5.0
    assert settings.data_dir == settings_module.PROJECT_ROOT / "data"


def test_each_variable_is_used(tmp_path: Path) -> None:
    settings = Settings.from_environment(
        {
            "BILLY_DATA_DIR": str(tmp_path),
            "BILLY_API_URL": "https://billy.example/v2/",
            "BILLY_DATABASE_URL": "postgresql://db.example/billy",
            "BILLY_REQUESTS_PER_SECOND": "2.5",
        }
    )
    assert settings.data_dir == tmp_path
    assert settings.api_url == "https://billy.example/v2"
    assert settings.database_url == "postgresql://db.example/billy"
    assert settings.requests_per_second == 2.5
    folders = (settings.uploads_dir, settings.jobs_dir, settings.dagster_home, settings.run_dir, settings.postgres_dir)
    assert {folder.parent for folder in folders} == {tmp_path}
    assert len(set(folders)) == len(folders)


def test_a_variable_that_is_set_but_empty_counts_as_not_set() -> None:
    names = ("BILLY_DATA_DIR", "BILLY_API_URL", "BILLY_DATABASE_URL", "BILLY_REQUESTS_PER_SECOND")
    assert Settings.from_environment(dict.fromkeys(names, "")) == Settings.from_environment({})


def test_the_data_folder_is_absolute_and_may_begin_with_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert Settings.from_environment({"BILLY_DATA_DIR": "~/books"}).data_dir == tmp_path / "books"
    assert Settings.from_environment({"BILLY_DATA_DIR": "books"}).data_dir == tmp_path / "books"


@pytest.mark.parametrize("rate", ["0", "-1", "1001", "inf", "nan", "many", "1e9"])
def test_a_rate_that_is_none_is_refused_by_its_variables_name(rate: str) -> None:
    with pytest.raises(SettingsError, match="BILLY_REQUESTS_PER_SECOND"):
        Settings.from_environment({"BILLY_REQUESTS_PER_SECOND": rate})


def test_dotenv_fills_gaps_and_never_overrides_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text(
        f"BILLY_ACCESS_TOKEN={SECRET}\nBILLY_API_URL=https://from-file.example/v2\nBILLY_REQUESTS_PER_SECOND\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(settings_module, "PROJECT_ROOT", tmp_path)
    for name in ("BILLY_ACCESS_TOKEN", "BILLY_DATA_DIR", "BILLY_REQUESTS_PER_SECOND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BILLY_API_URL", "https://from-shell.example/v2")
    settings = Settings.from_environment()
    assert settings.api_url == "https://from-shell.example/v2"
    assert settings.token(Organization(name="default")) == SECRET
    assert settings.requests_per_second == 5.0


def test_dotenv_is_not_read_when_an_environment_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("BILLY_API_URL=https://from-file.example/v2\n", encoding="utf-8")
    monkeypatch.setattr(settings_module, "PROJECT_ROOT", tmp_path)
    assert Settings.from_environment({}).api_url == DEFAULT_API_URL


def test_settings_can_be_printed_without_showing_a_secret() -> None:
    url = f"postgresql://billy:{SECRET}@db.example/billy"
    settings = Settings.from_environment({"BILLY_ACCESS_TOKEN": SECRET, "BILLY_DATABASE_URL": url})
    assert settings.database_url == url
    assert SECRET not in f"{settings!r} {settings}"


# -- the address (rule B25) --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "used"),
    [
        ("https://api.billysbilling.com/v2", "https://api.billysbilling.com/v2"),
        ("https://billy.example:8443/v2//", "https://billy.example:8443/v2"),
        ("http://127.0.0.1:8765/v2", "http://127.0.0.1:8765/v2"),
        ("http://localhost:8765", "http://localhost:8765"),
        ("http://[::1]:8765/v2", "http://[::1]:8765/v2"),
    ],
)
def test_b25_https_and_this_machines_own_http_are_taken(url: str, used: str) -> None:
    assert checked_api_url(url) == used
    assert Settings.from_environment({"BILLY_API_URL": url}).api_url == used


@pytest.mark.parametrize(
    "url",
    [
        "http://api.billysbilling.com/v2",
        "http://127.0.0.1.evil.example/v2",
        "http://localhost.evil.example/v2",
        "http://0.0.0.0:80/v2",
        "http://192.168.1.2/v2",
        "HTTP://billy.example/v2",
    ],
)
def test_b25_plain_http_to_another_machine_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="https only"):
        Settings.from_environment({"BILLY_API_URL": url})


@pytest.mark.parametrize(
    "url",
    ["api.billysbilling.com/v2", "ftp://billy.example/v2", "file:///etc/hosts", "https://", "https://a:port/v2", "/v2"],
)
def test_what_is_no_address_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(SettingsError, match=f"BILLY_API_URL.*{DEFAULT_API_URL}"):
        checked_api_url(url)


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{SECRET}@billy.example/v2",
        f"https://billy.example/v2?token={SECRET}",
        f"https://billy.example/v2#{SECRET}",
        f"http://127.0.0.1:{SECRET}/v2",
    ],
)
def test_b25_an_address_that_holds_a_secret_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(SettingsError, match="BILLY_API_URL") as refused:
        checked_api_url(url)
    assert SECRET not in str(refused.value)


def test_only_this_machine_is_loopback() -> None:
    own = ["http://127.0.0.1:1/v2", "http://localhost/v2", "http://[::1]:1/v2"]
    others = ["https://billy.example/v2", "https://127.0.0.1.evil.example", "https://localhost@billy.example/v2"]
    assert [is_loopback(url) for url in own + others] == [True] * 3 + [False] * 3


# -- organizations.yaml ------------------------------------------------------------------------------------------------


def test_without_a_file_there_is_one_organization_with_the_usual_variable(tmp_path: Path) -> None:
    settings = _settings(tmp_path, BILLY_ACCESS_TOKEN=SECRET)
    assert list(settings.organizations()) == ["default"]
    assert settings.token(settings.organization("default")) == SECRET


def test_organizations_come_with_what_the_file_says_of_them(tmp_path: Path) -> None:
    settings = _settings(
        tmp_path,
        "organizations:\n- name: nord\n  token_variable: BILLY_TOKEN_NORD\n  requests_per_second: 2\n"
        "  billy_organization_id: abc\n  options: {on_existing: update}\n  policy: {max_error_rate: 0.1}\n"
        "- name: syd\n",
        BILLY_TOKEN_NORD="north-token",
        BILLY_ACCESS_TOKEN="usual-token",
    )
    nord, syd = settings.organization("nord"), settings.organization("syd")
    assert list(settings.organizations()) == ["nord", "syd"]
    assert (settings.token(nord), settings.token(syd)) == ("north-token", "usual-token")
    assert (settings.rate_ceiling(nord), settings.rate_ceiling(syd)) == (2.0, 5.0)
    assert (nord.options, nord.policy) == ({"on_existing": "update"}, {"max_error_rate": 0.1})
    assert nord.billy_organization_id == "abc"


def test_an_unknown_organization_is_answered_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no organization 'vest'. Known: nord, syd\."):
        _settings(tmp_path, "organizations: [{name: syd}, {name: nord}]").organization("vest")


def test_an_organization_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="twice: nord"):
        _settings(tmp_path, "organizations: [{name: nord}, {name: syd}, {name: nord}]").organizations()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("organizations: [{name: nord, tokn_variable: X}]", "organizations.0.tokn_variable: Extra inputs"),
        ("organisations: [{name: nord}]", "organizations: Field required"),
        ("", "organizations: Field required"),
        ("organizations: nord", "organizations: Input should be a valid list"),
        ("organizations: [{name: Nord ApS}]", "organizations.0.name"),
        ("organizations: [{name: ../nord}]", "organizations.0.name"),
        ("organizations: [{name: nord, requests_per_second: 0}]", "requests_per_second"),
        ("organizations:\n- name: nord\n name: syd", "line 3"),
        ("organizations: [{name: nord", "line"),
        ("- name: nord", "valid dictionary"),
        (b"organizations: [{name: \xff}]", "it is not UTF-8"),
        ("[" * 5000, "it is not YAML as expected"),
        ("organizations: !!python/object/apply:os.getcwd []", "line 1"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_fault(tmp_path: Path, content: str | bytes, fault: str) -> None:
    with pytest.raises(SettingsError) as refused:
        _settings(tmp_path, content).organizations()
    assert str(tmp_path / "organizations.yaml") in str(refused.value)
    assert fault in str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        f"organizations: [{{name: nord, token_variable: {SECRET}}}]",
        f"organizations: [{{name: nord, requests_per_second: {SECRET}}}]",
        f"organizations: [{{name: {SECRET}-{'x' * 40}}}]",
        f"organizations: {SECRET}",
        f"{SECRET}",
        f"organizations:\n- name: nord\n  token_variable: '{SECRET}\n",
        f"organizations:\n- name: nord\n token_variable: {SECRET}\n",
        f"organizations: [{{name: nord}}]\ntoken: {SECRET}\x00",
        f"organizations: [{{name: nord, token: {SECRET}}}]",
        f"organizations: [{{name: nord, token_variable: *{SECRET}}}]",
        f"organizations: [{{name: nord, token_variable: !{SECRET} x}}]",
    ],
)
def test_a_token_written_into_the_file_by_mistake_is_refused_and_not_repeated(tmp_path: Path, content: str) -> None:
    with pytest.raises(SettingsError) as refused:
        _settings(tmp_path, content).organizations()
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__, "a traceback would show the content"


# -- the token ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, "", "  \n"])
def test_a_missing_token_is_answered_with_the_variables_name(tmp_path: Path, value: str | None) -> None:
    environ = {} if value is None else {"BILLY_TOKEN_NORD": value}
    settings = _settings(tmp_path, "organizations: [{name: nord, token_variable: BILLY_TOKEN_NORD}]", **environ)
    with pytest.raises(SettingsError, match=r"'nord'.* BILLY_TOKEN_NORD "):
        settings.token(settings.organization("nord"))


def test_blanks_around_a_token_do_not_count(tmp_path: Path) -> None:
    assert _settings(tmp_path, BILLY_ACCESS_TOKEN=f" {SECRET}\r\n").token(Organization(name="default")) == SECRET


@pytest.mark.parametrize("inside", [" ", "\n", "\x00", "ø", "’"])
def test_a_token_that_no_header_can_carry_is_refused_without_repeating_it(tmp_path: Path, inside: str) -> None:
    settings = _settings(tmp_path, BILLY_ACCESS_TOKEN=f"{SECRET}{inside}{SECRET}")
    with pytest.raises(SettingsError, match="BILLY_ACCESS_TOKEN") as refused:
        settings.token(Organization(name="default"))
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("variable", ["BILLY_ACCESS_TOKEN", "BILLY_TOKEN_SYD"])
def test_two_organizations_with_one_token_are_refused_without_repeating_it(tmp_path: Path, variable: str) -> None:
    """Files of one company would go into the books of the other (rule B2)."""
    settings = _settings(
        tmp_path,
        "organizations: [{name: nord}, {name: vest, token_variable: V}, "
        f"{{name: syd, token_variable: {variable}}}]",
        BILLY_ACCESS_TOKEN=SECRET,
        BILLY_TOKEN_SYD=f"{SECRET} ",
        V="vest-token",
    )
    assert settings.token(settings.organization("vest")) == "vest-token", "others go on"
    for name, other in (("nord", "syd"), ("syd", "nord")):
        with pytest.raises(SettingsError, match="the same access token") as refused:
            settings.token(settings.organization(name))
        assert all(word in str(refused.value) for word in (f"'{name}'", f"'{other}'", variable, "organizations.yaml"))
        assert SECRET not in str(refused.value)
