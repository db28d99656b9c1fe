"""The page of all columns, derived from the descriptions of the resources (`make docs`)."""

from __future__ import annotations

from collections.abc import Iterable

from billy_pipelines.schemas.registry import SCHEMAS
from billy_pipelines.schemas.row_schema import Column, RowSchema

_HEAD = """# Columns

What the files of each resource may hold. This page is made from the code (`make docs`); do not edit it by hand.

Names match without regard to capitals, spaces, signs and accents. A column of another name is kept in the file, named
once in the report and never used; `mapping` says what it is, `set` gives a constant for one that is missing
([files.md](files.md)).
"""


def page(schemas: Iterable[RowSchema]) -> str:
    """The whole page, in Markdown."""
    return _HEAD + "".join(_section(schema) for schema in schemas)


def _section(schema: RowSchema) -> str:
    lines = ["", f"## {schema.name}", ""]
    if schema.grouping:
        lines += [
            f"One row per line; rows with the same `{schema.grouping.keys[0]}` make one {schema.singular} "
            f"(without that column: {', '.join(f'`{key}`' for key in schema.grouping.keys[1:])}).",
            "",
        ]
    lines += ["| column | in Danish | kind | what | also called |", "|---|---|---|---|---|"]
    lines += [_row(column) for column in schema.columns]
    if schema.ignored:
        lines += ["", f"Never used: {', '.join(f'{name} ({why})' for name, why in sorted(schema.ignored.items()))}."]
    if schema.profiles:
        lines += ["", f"Recognised by their headers: {', '.join(profile.title for profile in schema.profiles)}."]
    return "\n".join([*lines, ""])


def _row(column: Column) -> str:
    kind = ", ".join(column.choices) if column.choices else column.kind.value
    name = f"**`{column.name}`**" if column.required else f"`{column.name}`"
    cells = (name, column.danish, kind, column.description, ", ".join(column.aliases))
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


if __name__ == "__main__":
    print(page(SCHEMAS.values()), end="")  # noqa: T201 - a page for a file
