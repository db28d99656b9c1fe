"""The records of a JSON text, each with the line it begins on; numbers stay as they were written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from json import JSONDecodeError
from typing import Any, NoReturn

from billy_pipelines.files.names import folded
from billy_pipelines.files.table import Hints, UnreadableFile

_SPACE = re.compile(r"[ \t\n\r]*")
_UNSENDABLE = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")
"""Escapes of half a sign (a surrogate), which may stand alone, and of NUL."""
_LARGEST_EXPONENT = 300
"""1e300 written out has 301 digits; 1e999999999 would fill the memory."""


class Number(str):
    """A number as it is written, told apart from a text of digits."""

    __slots__ = ()


@dataclass(frozen=True)
class Record:
    """One object."""

    line: int
    members: dict[str, Any]
    children: list[Record] = field(default_factory=list)
    """Elements of the list that become rows of their own; that list is then not among the members."""


class _Wrong(ValueError):
    """What is wrong with the record that is being read."""

    def __init__(self, code: str, **details: object) -> None:
        super().__init__(code)
        self.code = code
        self.details = details


def records_of(text: str, kind: str, hints: Hints) -> Iterator[Record]:
    """Every record of a text, one after the other.

    Args:
        text: with `\\n` as line ends.
        kind: `json` (an array of objects, an object that holds one, a single object) or `ndjson` (an object a line).

    Raises:
        UnreadableFile: broken_json, json_shape, duplicate_key, nul_byte.
    """
    if kind != "ndjson":
        yield from _Walk(text, hints).document()
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield from _Walk(line, hints, number).only_record()


class _Walk:
    """A place in a JSON text that moves on as values are taken.

    json alone does not say where an object begins; and what this adds to it costs a step per record, not per value.
    """

    def __init__(self, text: str, hints: Hints, line: int = 1) -> None:
        self._text = text
        self._hints = hints
        self._at = 0
        self._first_line = line
        self._counted = (0, line)
        self._unsendable = _UNSENDABLE.search(text) is not None

    def document(self) -> Iterator[Record]:
        """The records of a whole text."""
        yield from self._guarded(self._document())

    def only_record(self) -> Iterator[Record]:
        """The one record of a text, all on one line."""
        yield from self._guarded(self._only_record())

    def _guarded(self, found: Iterator[Record]) -> Iterator[Record]:
        try:
            yield from found
        except JSONDecodeError as error:
            line = self._first_line + self._text.count("\n", 0, error.pos)
            raise UnreadableFile("broken_json", line=line, reason=error.msg) from error
        except _Wrong as wrong:
            raise UnreadableFile(wrong.code, **wrong.details) from wrong
        except RecursionError as error:
            raise UnreadableFile("broken_json", line=self._counted[1], reason="nested too deeply") from error

    def _document(self) -> Iterator[Record]:
        self._skip_space()
        if self._sees("["):
            for place, _ in enumerate(self._elements()):
                if not place and not self._sees("{"):
                    self._value()  # what is no JSON at all is said first
                    raise self._no_list()
                yield self._record()
        elif self._sees("{"):
            yield from self._root()
        else:
            self._value()
            raise self._no_list()
        self._end()

    def _only_record(self) -> Iterator[Record]:
        self._skip_space()
        yield self._record()
        self._end()

    def _record(self) -> Record:
        line = self._line()
        if not self._sees("{"):
            self._value()
            raise _Wrong("broken_json", line=line, reason="an object {…} belongs here")
        if not self._hints.children:
            return Record(line, self._object())
        members: dict[str, Any] = {}
        children: list[Record] = []
        for key in self._keys():
            if key == self._hints.children:
                children = self._children()
            else:
                members[key] = self._value()
        return Record(line, members, children)

    def _children(self) -> list[Record]:
        children: list[Record] = []
        wrong = _Wrong("broken_json", line=self._line(), reason=f"{self._hints.children} must be a list of objects")
        if not self._sees("["):
            if self._value() is not None:
                raise wrong
            return children
        for _ in self._elements():
            line = self._line()
            if not self._sees("{"):
                raise wrong
            children.append(Record(line, self._object()))
        return children

    def _root(self) -> Iterator[Record]:
        """The records of an object that holds them in a list, or that object as the only one."""
        line = self._line()
        members: dict[str, Any] = {}
        for key in self._keys():
            if key == self._hints.children:
                members[key] = self._children()
            elif not self._sees("["):
                members[key] = self._value()
            else:
                members[key] = [self._record() if self._sees("{") else self._value() for _ in self._elements()]
        listed = self._listed(members)
        if listed:
            for element in members[listed]:
                if not isinstance(element, Record):
                    raise self._no_list()
                yield element
        elif members:
            children = members.pop(self._hints.children, [])
            yield Record(line, {key: _plain(value) for key, value in members.items()}, children)

    def _listed(self, members: dict[str, Any]) -> str:
        """The key under which the records are; '' when the object is a record itself."""
        for key, value in members.items():
            if key.casefold() == self._hints.resource and isinstance(value, list):
                return key
        is_record = self._hints.children in members or any(folded(key) in self._hints.headers for key in members)
        lists = [key for key, value in members.items() if isinstance(value, list) and any(map(_is_record, value))]
        if is_record or not lists:
            return ""
        if len(lists) > 1:  # one of them would be left out in silence
            raise self._no_list()
        return lists[0]

    def _no_list(self) -> _Wrong:
        return _Wrong("json_shape", resource=self._hints.resource)

    def _elements(self) -> Iterator[None]:
        """Stops before each element of an array, which is to be taken before the next is asked for."""
        yield from self._parts("[", "]")

    def _keys(self) -> Iterator[str]:
        """Stops before each value of an object, which is to be taken before the next is asked for."""
        seen = set()
        for _ in self._parts("{", "}"):
            if not self._sees('"'):
                raise JSONDecodeError("Expecting property name enclosed in double quotes", self._text, self._at)
            key: str = self._value()
            if key in seen:
                raise _Wrong("duplicate_key", line=self._line(), key=key)
            seen.add(key)
            self._take(":")
            yield key

    def _parts(self, opening: str, closing: str) -> Iterator[None]:
        self._take(opening)
        more = not self._sees(closing)
        while more:
            yield
            more = not self._sees(closing)
            if more:
                self._take(",")
        self._take(closing)

    def _object(self) -> dict[str, Any]:
        members: dict[str, Any] = self._value()
        return members

    def _value(self) -> Any:
        try:
            value, self._at = _DECODER.raw_decode(self._text, self._at)
        except _Wrong as wrong:
            wrong.details.setdefault("line", self._line())
            raise
        if self._unsendable:
            self._check_signs(value)
        self._skip_space()
        return value

    def _check_signs(self, value: Any) -> None:
        said = json.dumps(value, ensure_ascii=False).replace("\\\\", "")
        if "\\u0000" in said:
            raise _Wrong("nul_byte", line=self._line())
        try:
            said.encode()
        except UnicodeEncodeError as error:
            raise _Wrong("broken_json", line=self._line(), reason="half of a surrogate pair") from error

    def _take(self, sign: str) -> None:
        if not self._sees(sign):
            raise JSONDecodeError(f"Expecting {sign!r}", self._text, self._at)
        self._at += 1
        self._skip_space()

    def _sees(self, sign: str) -> bool:
        return self._text.startswith(sign, self._at)

    def _skip_space(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _line(self) -> int:
        """The line of the present place; places only move on, so every line end is counted once."""
        counted, line = self._counted
        if self._at > counted:
            self._counted = (self._at, line + self._text.count("\n", counted, self._at))
        return self._counted[1]

    def _end(self) -> None:
        if self._at != len(self._text):
            raise JSONDecodeError("Extra data", self._text, self._at)


def _is_record(value: object) -> bool:
    return isinstance(value, Record)


def _plain(value: Any) -> Any:
    """A list of a lone record as json alone would have given it."""
    if not isinstance(value, list):
        return value
    return [element.members if isinstance(element, Record) else element for element in value]


def _number(text: str) -> Number:
    if "e" not in text and "E" not in text:
        return Number(text)
    number = Decimal(text)
    if abs(number.adjusted()) > _LARGEST_EXPONENT:
        raise _Wrong("broken_json", reason="a number out of range")
    return Number(f"{number:f}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _Wrong("duplicate_key", key=next(key for place, key in enumerate(keys) if key in keys[:place]))
    return members


def _no_number(name: str) -> NoReturn:
    raise _Wrong("broken_json", reason=f"{name} is no number")


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_float=_number, parse_int=Number, parse_constant=_no_number)
