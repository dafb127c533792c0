"""`cheops`: the families of commands, and what an error becomes.

Exit codes: 0 allow or done · 1 error · 2 usage or bad input · 3 deny · 4 defer · 5 partly done.
"""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from cheops.cli import (
    check,
    graph,
    healing,
    intents,
    mesh,
    meshing,
    offline,
    planning,
    policy,
    replay,
    rules,
    sandbox,
    scoping,
    serve,
    streams,
)
from cheops.cli.failures import Unread, explained, flushed, open_closed_streams
from cheops.cli.layout import Families, examples
from cheops.cli.typed import App

HELP = "Verdicts before damage: can this create, update, delete or read be satisfied, and if not, why not?"
EPILOG = f"""{
    examples(
        "cheops sandbox up --sites lyon,oslo       a whole mesh on this machine",
        "cheops apply -f shop.yaml --site lyon     ask, and do it if allowed",
        "cheops tree deployment/web -n shop        what it needs, and what needs it",
        "cheops delete secret/edge-ca -n shop --preview",
    )
}

Exit codes: 0 allow or done, 1 error, 2 usage or bad input, 3 deny, 4 defer, 5 partly done.

Every command: cheops COMMAND --help
"""

app = App(
    name="cheops",
    cls=Families,
    help=HELP,
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
for family in (intents, healing, planning, streams, replay, graph, offline, check, mesh):
    family.register(app)
app.add_typer(
    serve.app,
    name="serve",
    rich_help_panel="The mesh",
    help="Run a service, or the three of a site, in the foreground.",
)
app.add_typer(
    sandbox.app,
    name="sandbox",
    rich_help_panel="The mesh",
    help="A whole mesh on this machine: bus, clusters, services.",
)
app.add_typer(
    meshing.app,
    name="mesh",
    rich_help_panel="The mesh",
    help="Files for your own nats-servers: one per site, routers between them, users and keys.",
)
app.add_typer(
    policy.app,
    name="policy",
    rich_help_panel="Offline",
    help="Policy files: how strict a number is, and who may override.",
)
app.add_typer(
    scoping.app, name="scope", rich_help_panel="Offline", help="Scopes: whether one is good, and what it means."
)
app.add_typer(rules.app, name="rules", rich_help_panel="Offline", help="Files of relationship rules: check, test.")


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version as installed

        from schemas import compiled

        typer.echo(f"cheops {installed('cheops')} ({compiled.found()})")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,  # answered while it is read: no command has to follow
) -> None:
    """Options before the command."""


def main() -> None:
    """Entry point; never shows a traceback for something that has an explanation."""
    open_closed_streams()
    if sys.stderr is sys.__stderr__ and sys.stderr is not None:
        sys.stderr = Unread(sys.stderr.buffer, sys.stderr.encoding, "backslashreplace", line_buffering=True)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without our signs shows ? instead of nothing at all
    sys.exit(flushed(explained(_run)))


def _run() -> object:
    if "_CHEOPS_COMPLETE" not in os.environ:
        return app(standalone_mode=False, prog_name="cheops")
    from cheops.cli.completing import behind_equals, whole_words

    behind_equals(os.environ)
    with whole_words(os.environ):
        return app(standalone_mode=False, prog_name="cheops")
