"""Of all commands, only the one that is typed is put together: typer takes a tenth of a second for all of them.

cheops sandbox up …  ─▶  the app with `sandbox` alone, and of that `up` alone
cheops --help, cheops aply …  ─▶  the whole app: what there is, or what was meant, is told
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Sequence
from typing import Any, TypeVar

import typer
from typer.main import get_command_name
from typer.models import CommandInfo, TyperInfo

AnyApp = TypeVar("AnyApp", bound=typer.Typer)


class App(typer.Typer):
    """As typer has it."""

    def __call__(self, args: Sequence[str] | None = None, **more: Any) -> Any:
        """`args`: the words after the program's name, else those of this process."""
        words = sys.argv[1:] if args is None else args
        return super(App, as_typed(self, words)).__call__(args, **more)


def as_typed(app: AnyApp, words: Sequence[str]) -> AnyApp:
    """With no more than the command that the words begin with; all of it where they name none."""
    word = words[0] if words else ""
    commands = [one for one in app.registered_commands if _name(one) == word]
    groups = [one for one in app.registered_groups if one.name == word]
    if not (commands or groups):
        return app
    narrow = copy.copy(app)
    narrow.registered_commands = commands
    narrow.registered_groups = [_within(one, words[1:]) for one in groups]
    return narrow


def _name(one: CommandInfo) -> str:
    return one.name or get_command_name(one.callback.__name__ if one.callback else "")


def _within(group: TyperInfo, words: Sequence[str]) -> TyperInfo:
    narrow = copy.copy(group)
    narrow.typer_instance = group.typer_instance and as_typed(group.typer_instance, words)
    return narrow
