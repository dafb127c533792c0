"""sandbox up|status|cut|heal|down: a whole mesh on this machine."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

from cheops.cli.cutting import OneWay
from cheops.cli.layout import Command, Families, examples
from cheops.cli.options import AsciiOption, Output, OutputOption

app = typer.Typer(cls=Families, no_args_is_help=True, rich_markup_mode=None)


class Engine(StrEnum):
    """What the clusters of the sandbox are."""

    EMBEDDED = "embedded"
    KUBE = "kube"


DirectoryOption = Annotated[
    Path, typer.Option("--dir", help="Where the sandbox keeps its data and logs.", metavar="FOLDER")
]
UP_EXAMPLES = examples(
    "cheops sandbox up --sites lyon,oslo",
    "cheops sandbox up --engine kube --sites lyon          (after make controlplane)",
    "cheops sandbox up --gate                              (what would break is refused to kubectl, too)",
    "cheops sandbox up --dir /tmp/second --sites paris     (a second one beside it)",
)


@app.command(cls=Command, epilog=UP_EXAMPLES)
def up(
    sites: Annotated[
        str, typer.Option("--sites", help="Names, separated by commas.", metavar="NAMES")
    ] = "lyon,oslo,nice",
    engine: Annotated[
        Engine, typer.Option("--engine", help="embedded, or kube: real control planes (make controlplane).")
    ] = Engine.EMBEDDED,
    routers: Annotated[
        int, typer.Option("--routers", min=0, max=16, help="Between the sites' servers; 0: sites dial each other.")
    ] = 2,
    shared_bus: Annotated[
        bool, typer.Option("--shared-bus", help="One nats-server for all sites: the smallest deployment.")
    ] = False,
    gate: Annotated[
        bool, typer.Option("--gate", help="Clusters ask their site before they write: plain kubectl is refused, too.")
    ] = False,
    directory: DirectoryOption = Path(".cheops"),
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay attached; Ctrl-C ends it.")] = False,
) -> None:
    """Start for each site a nats-server, a cluster and its services; and routers between.

    Returns when all sites are fresh. Where the same sandbox runs already, what has ended of it is started again.
    """
    from cheops.sandbox import background

    names = [name.strip() for name in sites.split(",") if name.strip()]
    wanted = background.Wanted(engine.value, "shared" if shared_bus else "sites", routers, gate)
    raise typer.Exit(background.up(directory, names, wanted, foreground))


@app.command(cls=Command, epilog=examples("cheops sandbox status", "cheops sandbox status -o json"))
def status(
    directory: DirectoryOption = Path(".cheops"),
    output: OutputOption = Output.TEXT,
    ascii_only: AsciiOption = False,
) -> None:
    """What runs, and where. Exit 1 when nothing does."""
    import sys

    from cheops.cli.render.output import document, say
    from cheops.cli.render.signs import signs_for
    from cheops.cli.render.sites import table
    from cheops.cli.running import with_mesh
    from cheops.contexts import read_context
    from cheops.sandbox.standing import running, where

    state = running(directory)
    if state is None or state["state"] != "running":
        text = f"no sandbox runs in {directory} (cheops sandbox up)" if state is None else "still starting"
        sys.stderr.write(f"{text}\n")
        raise typer.Exit(1)
    if output is Output.TEXT:
        say([where(state).rstrip()])
    found = with_mesh(lambda mesh: mesh.sites(), read_context(Path(state["context"])))
    if output is Output.TEXT:
        silent = sorted(set(state["sites"]) - {one.site for one in found})
        hint = [f"{name}: nobody answers (cheops sandbox up starts again what has ended)" for name in silent]
        say(["", *table(found, silent, signs_for(ascii_only)), *hint])
    else:
        rows = [one.model_dump(mode="json", by_alias=True) for one in found]
        state.pop("whole", None)  # between `up` and who supervises
        document({"schema": "sandbox/v1", **state, "status": rows}, output)


CUT_EXAMPLES = examples(
    "cheops sandbox cut nice                            connections end, new ones too",
    "cheops sandbox cut nice --black-hole               they stand, and nothing arrives",
    "cheops sandbox cut nice --one-way out              nobody hears it, it hears the others",
    "cheops sandbox cut nice --latency 300ms --jitter 50ms",
)
SitesArgument = Annotated[
    Optional[list[str]],  # noqa: UP045 – typer reads annotations of aliases in this form only
    typer.Argument(help="Names of sites.", metavar="SITE"),
]


@app.command(cls=Command, epilog=CUT_EXAMPLES)
def cut(
    sites: Annotated[list[str], typer.Argument(help="Names of sites.", metavar="SITE")],
    one_way: Annotated[
        Optional[OneWay],  # noqa: UP045 – as above
        typer.Option("--one-way", help="Only what it says (out) or hears (in) is lost."),
    ] = None,
    black_hole: Annotated[bool, typer.Option("--black-hole", help="Nothing ends, nothing arrives.")] = False,
    latency: Annotated[str, typer.Option("--latency", help="So late, each way.", metavar="TIME")] = "",
    jitter: Annotated[str, typer.Option("--jitter", help="More or less late by up to this.", metavar="TIME")] = "",
    rate: Annotated[str, typer.Option("--rate", help="Bytes a second, each way.", metavar="RATE")] = "",
    directory: DirectoryOption = Path(".cheops"),
) -> None:
    """Cut a site's links to all others, or only make them bad. The site itself goes on."""
    from cheops.cli.cutting import apply, fault_of, lines
    from cheops.cli.render.output import say

    say(lines(apply(directory, sites, fault_of(one_way, black_hole, latency, jitter, rate))))


@app.command(cls=Command, epilog=examples("cheops sandbox heal nice", "cheops sandbox heal          (all of them)"))
def heal(sites: SitesArgument = None, directory: DirectoryOption = Path(".cheops")) -> None:
    """Undo what `cut` has done; a link is back within about a second."""
    from cheops.cli.cutting import apply, lines
    from cheops.cli.render.output import say
    from cheops.sandbox.faults import NO_FAULT

    say(lines(apply(directory, sites or [], NO_FAULT)))


@app.command(cls=Command, epilog=examples("cheops sandbox down", "cheops sandbox down --keep"))
def down(
    directory: DirectoryOption = Path(".cheops"),
    keep: Annotated[bool, typer.Option("--keep", help="Keep data and logs.")] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Only say what would be stopped and removed.")] = False,
) -> None:
    """Stop everything and remove the sandbox's folder."""
    from cheops.sandbox.down import down as ended

    raise typer.Exit(ended(directory, keep=keep, preview=preview))
