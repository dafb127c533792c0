"""How `--help` is laid out: commands in families, arguments without types, examples as they are typed.

A command names its family by `rich_help_panel`, as typer calls it; a command without one stands under the last heading.
"""

from __future__ import annotations

import re
from typing import Any, Final

from typer.core import TyperCommand, TyperGroup

OTHERS: Final = "More"
_PLAIN_TYPE: Final = re.compile(r" <(list\[)?(str|Path)\]?>$")  # says nothing beside a metavar


def examples(*lines: str) -> str:
    """The end of a help page; the mark keeps the lines as they are."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


class Command(TyperCommand):
    """One command's page."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        rows: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                rows[parameter.param_type_name].append((_PLAIN_TYPE.sub("", record[0]), record[1]))
        for title, name in (("Arguments", "argument"), ("Options", "option")):
            if rows[name]:
                with formatter.section(title):
                    formatter.write_dl(rows[name])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Not indented again: examples bring their own indent."""
        if self.epilog:
            formatter.write_paragraph()
            formatter.write_text(self.epilog)


class Families(TyperGroup):
    """The page of `cheops --help`: a heading for each family."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        families: dict[str, list[tuple[str, Any]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                family = getattr(command, "rich_help_panel", None)
                families.setdefault(family if isinstance(family, str) else OTHERS, []).append((name, command))
        width = max(len(name) for rows in families.values() for name, _ in rows)
        for family, rows in families.items():
            with formatter.section(family):
                formatter.write_dl([(f"{name:<{width}}", _short(command)) for name, command in rows])


def _short(command: Any) -> str:
    """The first sentence, whole: a line that is cut says nothing."""
    text = command.short_help or (command.help or "").strip().split("\n\n")[0].replace("\n", " ")
    return str(re.split(r"(?<=\.)\s", text)[0])
