"""Job options as flags, derived from the one model so that command line, YAML and launchpad never differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
from pydantic.fields import FieldInfo

F = TypeVar("F", bound=Callable[..., Any])


class _Pair(click.ParamType[tuple[str, str]]):
    """`NAME=VALUE`. A column's name may hold an equals sign, a field's never does."""

    name = "NAME=VALUE"

    def __init__(self, *, field_last: bool) -> None:
        self._field_last = field_last

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        left, sign, right = value.rpartition("=") if self._field_last else value.partition("=")
        if not sign or not left:
            self.fail(f"{value!r} is not NAME=VALUE", param, ctx)
        return left, right


def option_flags(fields: Mapping[str, FieldInfo]) -> Callable[[F], F]:
    """One flag per option, named as in YAML; a flag that is not given leaves the organization's own value."""

    def decorate(function: F) -> F:
        for name, field in reversed(list(fields.items())):
            function = _flag(name, field)(function)
        return function

    return decorate


def _flag(name: str, field: FieldInfo) -> Callable[[F], F]:
    flag = name.replace("_", "-")
    default = field.get_default(call_default_factory=True)
    shown = "none" if default == {} else "the resource’s own" if default == [] else default
    help_text = f"{field.description}" + (f"  [default: {shown}]" if shown != "" else "")
    if field.annotation is bool:
        return click.option(f"--{flag}/--no-{flag}", name, default=None, help=help_text)
    if isinstance(default, dict):
        pair = _Pair(field_last=name == "mapping")
        return click.option(f"--{flag}", name, type=pair, multiple=True, help=help_text)
    if isinstance(default, list):
        return click.option(f"--{flag}", name, multiple=True, help=help_text)
    kind = click.Choice([str(v) for v in type(default)]) if hasattr(type(default), "__members__") else None
    return click.option(f"--{flag}", name, default=None, type=kind or field.annotation, help=help_text)


def given(flags: Mapping[str, Any], fields: Mapping[str, FieldInfo]) -> dict[str, Any]:
    """The options that were given, as plain values."""
    values: dict[str, Any] = {}
    for name, value in flags.items():
        if value is None or value == ():
            continue
        is_pairs = isinstance(fields[name].get_default(call_default_factory=True), dict)
        values[name] = dict(value) if is_pairs else list(value) if isinstance(value, tuple) else value
    return values
