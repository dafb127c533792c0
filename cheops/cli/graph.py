"""tree, dependents, dependencies, why, missing, order: the dependency tree of a site, or of manifests (-f)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Optional

import typer

from cheops.cli.layout import Command, examples
from cheops.cli.options import (
    AsciiOption,
    Asked,
    GraphOutput,
    GraphOutputOption,
    NamespaceOption,
    OfflineOption,
    OnlyNamespaceOption,
    ResourceArgument,
    ResourcesArgument,
    RulesOption,
    ServerOption,
    SiteOption,
    resource_names,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cheops.cli.questioning import Questioned
    from cheops.cli.render.signs import Signs
    from schemas.queries import Direction, GraphAnswer

FAMILY: Final = "Dependencies"

DepthOption = Annotated[int, typer.Option("--depth", help="How many hops; 0 = all.", min=0, max=100, metavar="N")]
KindsOption = Annotated[
    Optional[str],  # noqa: UP045 – typer reads annotations of aliases in this form only
    typer.Option("--kinds", help="Only through these kinds: secret,configmap.", metavar="KINDS"),
]
PhaseOption = Annotated[
    Optional[str],  # noqa: UP045 – as above
    typer.Option(
        "--phase",
        help="Only edges of these phases: A admission, S start, L lifetime, D deletion, P policy.",
        metavar="LETTERS",
    ),
]
EndArgument = Annotated[str, typer.Argument(autocompletion=resource_names, help="The dependent.", metavar="A")]
OtherEndArgument = Annotated[str, typer.Argument(autocompletion=resource_names, help="The dependency.", metavar="B")]

_WALKS: Final[tuple[tuple[str, Direction, str, str], ...]] = (
    ("tree", "both", "What a resource needs, and what needs it.", "tree deployment/web -n shop"),
    (
        "dependents",
        "dependents",
        "What needs a resource, transitively: the blast radius.",
        "dependents secret/edge-ca -n shop",
    ),
    ("dependencies", "dependencies", "What a resource needs, transitively.", "dependencies deployment/web -n shop"),
)
AllSitesOption = Annotated[
    bool, typer.Option("--all-sites", help="Of every site that --site can hear; who does not answer is named.")
]

_LEGEND: Final = (
    "A line is a resource, how it hangs together and the field that says so. Phases: A at admission, S at each start, "
    "L all its life, D at deletion, P policy."
)


def register(app: typer.Typer) -> None:
    """Add this family to the command line."""
    for name, direction, text, shown in _WALKS:
        epilog = examples(
            f"cheops {shown} --site lyon",
            f"cheops {shown} --depth 1",
            f"cheops {shown} --all-sites",
            f"cheops {shown} -o dot",
            f"cheops {shown} -f shop/",
        )
        app.command(name, cls=Command, help=f"{text}\n\n{_LEGEND}", epilog=epilog, rich_help_panel=FAMILY)(
            _walker(direction)
        )
    app.command(cls=Command, epilog=examples("cheops why ingress/shop secret/edge-ca -n shop"), rich_help_panel=FAMILY)(
        why
    )
    app.command(
        cls=Command,
        epilog=examples("cheops missing --site lyon", "cheops missing -n shop --optional", "cheops missing -f shop/"),
        rich_help_panel=FAMILY,
    )(missing)
    app.command(
        cls=Command,
        epilog=examples(
            "cheops order -f shop/",
            "cheops order deployment/web --all -n shop --site lyon",
            "cheops order secret/edge-ca --delete --all -n shop --site lyon",
        ),
        rich_help_panel=FAMILY,
    )(order)


def _walker(direction: Direction) -> Callable[..., None]:
    """A command that looks in one direction, or in both."""

    def walk(
        resource: ResourceArgument,
        namespace: NamespaceOption = "",
        site: SiteOption = None,
        all_sites: AllSitesOption = False,
        filename: OfflineOption = None,
        rule_file: RulesOption = None,
        depth: DepthOption = 0,
        kinds: KindsOption = None,
        phase: PhaseOption = None,
        output: GraphOutputOption = GraphOutput.TEXT,
        ascii_only: AsciiOption = False,
        server: ServerOption = None,
    ) -> None:
        from cheops.cli.failures import BadInputError
        from cheops.cli.intents import joined
        from cheops.cli.render.tree import tree_lines
        from schemas.queries import GraphQuery

        names = joined(resource)
        if len(names) != 1:
            raise BadInputError(f"expected one KIND/NAME, not {len(names)}")
        query = GraphQuery(
            resource=names[0],
            namespace=namespace,
            direction=direction,
            depth=depth,
            kinds=tuple(one.strip() for one in (kinds or "").split(",") if one.strip()),
            phases=_phases(phase or ""),
        )
        asked = Asked(filename, site, server, output, ascii_only, rule_file)
        if all_sites:
            from cheops.cli.gathering import print_gathered

            raise typer.Exit(print_gathered(asked, query))
        _insist_that_it_is_there(_print(asked, lambda mesh: mesh.graph(query, site=site), tree_lines))

    return walk


def _phases(letters: str) -> tuple[str, ...]:
    from cheops.cli.failures import BadInputError

    wanted = letters.upper().replace(",", "")
    unknown = sorted(set(wanted) - set("ASLDP"))
    if unknown:
        raise BadInputError(f"--phase {letters}: {unknown[0]!r} is none (expected letters of ASLDP)")
    return tuple(wanted)


def _insist_that_it_is_there(answer: GraphAnswer) -> None:
    """A name that neither is there nor is referred to is most likely mistyped."""
    import sys

    from cheops.cli.render.steps import named

    root = next((node for node in answer.nodes if node.resource == answer.root), None)
    if root is not None and root.state == "missing" and not answer.edges:
        sys.stderr.write(f"cheops: {named(root.resource)} is not at {answer.site}, and nothing refers to it\n")
        raise typer.Exit(1)


def why(
    source: EndArgument,
    target: OtherEndArgument,
    namespace: NamespaceOption = "",
    site: SiteOption = None,
    filename: OfflineOption = None,
    rule_file: RulesOption = None,
    output: GraphOutputOption = GraphOutput.TEXT,
    ascii_only: AsciiOption = False,
    server: ServerOption = None,
) -> None:
    """The shortest path by which A depends on B, with the field of every hop.

    Exit 1 when there is none.
    """
    from cheops.cli.intents import joined
    from cheops.cli.render.references import path_lines

    for end in (source, target):
        joined([end])
    asked = Asked(filename, site, server, output, ascii_only, rule_file)
    answer = _print(asked, lambda mesh: mesh.why(source, target, namespace=namespace, site=site), path_lines)
    if not answer.edges:
        _name_missing(answer)
        raise typer.Exit(1)


def _name_missing(answer: GraphAnswer) -> None:
    """No path leads to or from a name that is not there, which may be mistyped."""
    import sys

    from cheops.cli.render.steps import named

    for node in answer.nodes:
        if node.state == "missing":
            sys.stderr.write(f"cheops: {named(node.resource)} is not at {answer.site}\n")


def missing(
    namespace: OnlyNamespaceOption = "",
    site: SiteOption = None,
    filename: OfflineOption = None,
    rule_file: RulesOption = None,
    optional: Annotated[bool, typer.Option("--optional", help="Optional references, too.")] = False,
    output: GraphOutputOption = GraphOutput.TEXT,
    ascii_only: AsciiOption = False,
    server: ServerOption = None,
) -> None:
    """References that lead nowhere, of a namespace or of the whole site."""
    from functools import partial

    from cheops.cli.render.references import missing_lines

    lines = partial(missing_lines, namespace=namespace)
    asked = Asked(filename, site, server, output, ascii_only, rule_file)
    _print(asked, lambda mesh: mesh.missing(namespace=namespace, site=site, optional=optional), lines)


def order(
    resource: ResourcesArgument = None,
    namespace: NamespaceOption = "",
    site: SiteOption = None,
    filename: OfflineOption = None,
    rule_file: RulesOption = None,
    delete: Annotated[bool, typer.Option("--delete", help="The order to delete in.")] = False,
    closure: Annotated[
        bool, typer.Option("--all", help="With all that it needs; with --delete, all that needs it.")
    ] = False,
    output: GraphOutputOption = GraphOutput.TEXT,
    ascii_only: AsciiOption = False,
    server: ServerOption = None,
) -> None:
    """A safe order to create, or to delete, a set of resources.

    With -f and no names the set is what the manifests hold. Exit 1, and the cycle, when there is no order.
    """
    from cheops.cli.ordering import print_order

    asked = Asked(filename, site, server, output, ascii_only, rule_file)
    raise typer.Exit(print_order(asked, resource or [], namespace, delete=delete, closure=closure))


def _print(
    asked: Asked,
    ask: Callable[[Questioned], Awaitable[GraphAnswer]],
    lines: Callable[[GraphAnswer, Signs], list[str]],
) -> GraphAnswer:
    """Ask, then print in the wanted form."""
    from cheops.cli.questioning import answered
    from cheops.cli.render import export
    from cheops.cli.render.output import document, say
    from cheops.cli.render.signs import signs_for

    answer = answered(asked, ask)
    if asked.output is GraphOutput.TEXT:
        say(lines(answer, signs_for(asked.ascii_only)))
    elif asked.output in (GraphOutput.JSON, GraphOutput.YAML):
        document(answer.model_dump(mode="json", by_alias=True), asked.output.value)
    else:
        say([export.FORMS[asked.output.value](answer)])
    return answer
