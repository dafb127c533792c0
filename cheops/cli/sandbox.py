"""sandbox up|status|down: a whole mesh on this machine."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cheops.cli.options import AsciiOption

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


class Engine(StrEnum):
    """What the clusters of the sandbox are."""

    EMBEDDED = "embedded"
    KUBE = "kube"


DirectoryOption = Annotated[
    Path, typer.Option("--dir", help="Where the sandbox keeps its data and logs.", metavar="FOLDER")
]


@app.command()
def up(
    sites: Annotated[str, typer.Option("--sites", help="Names, separated by commas.")] = "lyon,oslo,nice",
    engine: Annotated[
        Engine, typer.Option("--engine", help="embedded, or kube: real control planes (make controlplane).")
    ] = Engine.EMBEDDED,
    directory: DirectoryOption = Path(".cheops"),
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay attached; Ctrl-C ends it.")] = False,
) -> None:
    """Start a nats-server, a cluster per site, and every site's services; returns when all sites are fresh."""
    from cheops.sandbox import background

    names = [name.strip() for name in sites.split(",") if name.strip()]
    raise typer.Exit(background.up(directory, names, engine.value, foreground))


@app.command()
def status(directory: DirectoryOption = Path(".cheops"), ascii_only: AsciiOption = False) -> None:
    """What runs, and where. Exit 1 when nothing does."""
    from cheops.sandbox import background

    raise typer.Exit(background.status(directory, ascii_only))


@app.command()
def down(
    directory: DirectoryOption = Path(".cheops"),
    keep: Annotated[bool, typer.Option("--keep", help="Keep data and logs.")] = False,
) -> None:
    """Stop everything and remove the sandbox's folder."""
    from cheops.sandbox import background

    raise typer.Exit(background.down(directory, keep))
