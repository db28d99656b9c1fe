"""The `billy` command: one module per family of commands, loaded only when used (Dagster alone takes 0.85 s)."""

from __future__ import annotations

import importlib

import click

_COMMANDS = {
    "demo": ("demo", "demo"),
    "up": ("host", "up"),
    "down": ("host", "down"),
    "env": ("host", "env"),
    "import": ("bulk", "import_"),
    "update": ("bulk", "update"),
    "delete": ("bulk", "delete"),
    "apply": ("bulk", "apply"),
    "retry": ("bulk", "retry"),
    "undo": ("undo", "undo"),
    "export": ("export", "export"),
    "check": ("files", "check"),
    "template": ("template", "template"),
    "status": ("jobs", "status"),
    "watch": ("jobs", "watch"),
    "cancel": ("jobs", "cancel"),
    "doctor": ("doctor", "doctor"),
    "sandbox": ("sandbox", "sandbox"),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name]
        command = getattr(importlib.import_module(f"{__name__}.{module}"), name)
        assert isinstance(command, click.Command)  # noqa: S101 - the table above is ours
        return command


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="billy-pipelines")
def main() -> None:
    """Bulk operations for Billy: drop a file, watch it reach the books, take it back."""
