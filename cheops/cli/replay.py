"""replay: a stored decision, run again on the evidence that it names."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from cheops.cli.layout import Command, examples
from cheops.cli.options import AsciiOption, Output, OutputOption, ServerOption, SiteOption


def register(app: typer.Typer) -> None:
    """Add this family to the command line."""
    app.command(cls=Command, epilog=examples("cheops replay i-5d0e12ab90"), rich_help_panel="Verdicts")(replay)


def replay(
    intent_id: Annotated[str, typer.Argument(help="The intent's id, as in i-5d0e…", metavar="ID")],
    revision: Annotated[int, typer.Option("--revision", help="Which decision; the last one by default.", min=0)] = 0,
    policy: Annotated[
        Optional[str],  # noqa: UP045 – typer reads annotations in this form only
        typer.Option("--policy", help="The policy file that was in force.", metavar="FILE"),
    ] = None,
    site: SiteOption = None,
    output: OutputOption = Output.TEXT,
    ascii_only: AsciiOption = False,
    server: ServerOption = None,
) -> None:
    """Run a decision again on the state at its cursor. Exits 0 when the bytes are the same, else 1."""
    from pathlib import Path

    from cheops.cli.render.output import document, say
    from cheops.cli.render.signs import signs_for
    from cheops.cli.running import with_mesh
    from cheops.mesh import Mesh
    from cheops.replaying import differing
    from schemas.policy import load_policy
    from services.resolver.judge.policy import Policy

    in_force = Policy(load_policy(Path(policy))) if policy else Policy()

    async def run(mesh: Mesh) -> int:
        found = await mesh.replay(intent_id, policy=in_force, site=site, revision=revision)
        stored = found.stored
        if output is not Output.TEXT:
            body = {
                "schema": "replay/v1",
                "intent": stored.intent,
                "revision": stored.revision,
                "same": found.same,
                "aged": list(found.aged),
                "verdict": found.again.model_dump(mode="json", by_alias=True),
            }
            document(body, output)
            return 0 if found.same else 1
        signs = signs_for(ascii_only)
        cursor = f"{stored.evidence[0].epoch}:{stored.evidence[0].seq}" if stored.evidence else "nothing"
        head = f"{stored.intent} revision {stored.revision}, {stored.site} at {cursor} ({found.events} events read)"
        if found.same:
            say([f"{signs.allow} SAME  {head}: {stored.decision}, the same {len(stored.to_json())} bytes"])
            return 0
        say([f"{signs.deny} DIFFERENT  {head}"])
        say(f"  {line}" for line in differing(stored, found.again))
        if found.aged:
            say([f"  aged out of the stream: the listing of {', '.join(found.aged)}"])
        return 1

    raise typer.Exit(with_mesh(run, server, site))
