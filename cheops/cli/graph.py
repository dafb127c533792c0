"""tree, dependents, dependencies, why, missing: the dependency tree of a site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional

import typer

from cheops.cli.options import AsciiOption, GraphOutput, GraphOutputOption, NamespaceOption, ServerOption, SiteOption

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cheops.cli.render.signs import Signs
    from cheops.mesh import Mesh
    from schemas.queries import Direction, GraphAnswer

ResourceArgument = Annotated[list[str], typer.Argument(help="What, as KIND/NAME.", metavar="KIND/NAME")]
DepthOption = Annotated[int, typer.Option("--depth", help="How many hops; 0 = all.", min=0, max=100)]
KindsOption = Annotated[
    Optional[str],  # noqa: UP045 – typer reads annotations of aliases in this form only
    typer.Option("--kinds", help="Only these kinds, separated by commas.", metavar="KINDS"),
]
PhaseOption = Annotated[
    Optional[str],  # noqa: UP045 – as above
    typer.Option("--phase", help="Only edges of these phases: letters of ASLDP.", metavar="LETTERS"),
]


def register(app: typer.Typer) -> None:
    """Add this family to the command line."""
    walks: tuple[tuple[str, Direction, str], ...] = (
        ("tree", "both", "What a resource needs, and what needs it."),
        ("dependents", "dependents", "What needs a resource, transitively: the blast radius."),
        ("dependencies", "dependencies", "What a resource needs, transitively."),
    )
    for name, direction, text in walks:
        app.command(name, help=text)(_walker(direction))
    app.command()(why)
    app.command()(missing)


def _walker(direction: Direction) -> Callable[..., None]:
    """A command that looks in one direction, or in both."""

    def walk(
        resource: ResourceArgument,
        namespace: NamespaceOption = "",
        site: SiteOption = None,
        depth: DepthOption = 0,
        kinds: KindsOption = None,
        phase: PhaseOption = None,
        output: GraphOutputOption = GraphOutput.TEXT,
        ascii_only: AsciiOption = False,
        server: ServerOption = None,
    ) -> None:
        from cheops.cli.failures import BadInputError
        from cheops.cli.intents import joined
        from cheops.cli.render.graph import tree_lines
        from schemas.queries import GraphQuery

        names = joined(resource)
        if len(names) != 1:
            raise BadInputError(f"expected one KIND/NAME, not {len(names)}")
        query = GraphQuery(
            resource=names[0],
            namespace=namespace,
            direction=direction,
            depth=depth,
            kinds=tuple(one for one in (kinds or "").split(",") if one),
            phases=tuple((phase or "").upper()),
        )
        _print(lambda mesh: mesh.graph(query, site=site), tree_lines, output, ascii_only, server)

    return walk


def why(
    source: Annotated[str, typer.Argument(help="The dependent, as KIND/NAME.", metavar="A")],
    target: Annotated[str, typer.Argument(help="The dependency, as KIND/NAME.", metavar="B")],
    namespace: NamespaceOption = "",
    site: SiteOption = None,
    output: GraphOutputOption = GraphOutput.TEXT,
    ascii_only: AsciiOption = False,
    server: ServerOption = None,
) -> None:
    """The shortest path by which A depends on B, with the field of every hop. Exit 1 when there is none."""
    from cheops.cli.render.graph import path_lines

    answer = _print(
        lambda mesh: mesh.why(source, target, namespace=namespace, site=site), path_lines, output, ascii_only, server
    )
    if not answer.edges:
        raise typer.Exit(1)


def missing(
    namespace: NamespaceOption = "",
    site: SiteOption = None,
    optional: Annotated[bool, typer.Option("--optional", help="Optional references, too.")] = False,
    output: GraphOutputOption = GraphOutput.TEXT,
    ascii_only: AsciiOption = False,
    server: ServerOption = None,
) -> None:
    """References that lead nowhere."""
    from cheops.cli.render.graph import missing_lines

    _print(
        lambda mesh: mesh.missing(namespace=namespace, site=site, optional=optional),
        missing_lines,
        output,
        ascii_only,
        server,
    )


def _print(
    ask: Callable[[Mesh], Awaitable[GraphAnswer]],
    lines: Callable[[GraphAnswer, Signs], list[str]],
    output: GraphOutput,
    ascii_only: bool,
    server: str | None,
) -> GraphAnswer:
    """Ask, then print in the wanted form."""
    from cheops.cli.render import export
    from cheops.cli.render.output import document, say
    from cheops.cli.render.signs import signs_for
    from cheops.cli.running import with_mesh

    answer = with_mesh(ask, server)
    if output is GraphOutput.TEXT:
        say(lines(answer, signs_for(ascii_only)))
    elif output in (GraphOutput.JSON, GraphOutput.YAML):
        document(answer.model_dump(mode="json", by_alias=True), output.value)
    else:
        say([export.FORMS[output.value](answer)])
    return answer
