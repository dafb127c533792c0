"""`cheops`: the families of commands, and what an error becomes.

Exit codes: 0 allow or done · 1 error · 2 usage or bad input · 3 deny · 4 defer · 5 partly done.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cheops.cli import check, graph, intents, mesh, offline, policy, replay, sandbox, serve, streams
from cheops.cli.failures import explained

HELP = """Verdicts before damage: can this create, update, delete or read be satisfied, and if not, why not?

First steps: cheops sandbox up, then cheops apply -f FILE, cheops tree KIND/NAME, cheops delete KIND/NAME --preview.
"""

app = typer.Typer(
    name="cheops",
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
for family in (intents, streams, replay, graph, offline, check, mesh):
    family.register(app)
app.add_typer(serve.app, name="serve", help="Run a service, or the three of a site, in the foreground.")
app.add_typer(policy.app, name="policy", help="Policy files: how strict a number is, and who may override.")
app.add_typer(sandbox.app, name="sandbox", help="A whole mesh on this machine: bus, clusters, services.")


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """Options before the command."""
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"cheops {installed('cheops')}")
        raise typer.Exit


def main() -> None:
    """Entry point; never shows a traceback for something that has an explanation."""
    sys.exit(explained(lambda: app(standalone_mode=False)))
