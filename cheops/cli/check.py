"""check: the verdict on directories of manifests, without any service."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Optional

import typer

from cheops.cli.intents import BoundOption
from cheops.cli.layout import Command, examples
from cheops.cli.options import FILES, AsciiOption, NamespaceOption, RulesOption, scope_text
from cheops.cli.scoping import LatencyOption


class CheckOutput(StrEnum):
    """How the verdict is printed."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"
    GITHUB = "github"
    SARIF = "sarif"


class VerbName(StrEnum):
    """What is to be done; without one, what is there is updated and what is not there is created."""

    CREATE = "create"
    UPDATE = "update"
    APPLY = "apply"
    DELETE = "delete"
    READ = "read"


Strings = Optional[list[str]]  # noqa: UP045 – typer reads annotations of aliases in this form only


EXAMPLES = examples(
    "cheops check --site lyon=clusters/lyon -f change.yaml",
    "cheops check --site lyon=clusters/lyon --site oslo=clusters/oslo --delete secret/edge-ca -n shop",
    "cheops check --site lyon=. -f - -o github < rendered.yaml",
)


def register(app: typer.Typer) -> None:
    """Add this family to the command line."""
    app.command(cls=Command, epilog=EXAMPLES, rich_help_panel="Offline")(check)


SitesOption = Annotated[
    list[str],
    typer.Option(
        "--site", help="A site and its manifests; the first is where the intent is entered.", metavar="NAME=PATH"
    ),
]
FilesOption = Annotated[
    Strings,
    typer.Option(
        *FILES,
        help="What is to be written: a file, a folder (built where it has a kustomization), or -.",
        metavar="PATH",
    ),
]
DeleteOption = Annotated[Strings, typer.Option("--delete", help="What is to be deleted.", metavar="KIND/NAME")]
ReadOption = Annotated[Strings, typer.Option("--read", help="What is to be read.", metavar="KIND/NAME")]
VerbOption = Annotated[Optional[VerbName], typer.Option("--verb", help="What -f means.")]  # noqa: UP045 – as above
SinceOption = Annotated[
    str, typer.Option("--since", help="Judge what the working tree changes since this git revision.", metavar="REV")
]
ScopeOption = Annotated[
    str,
    typer.Option("--scope", help="Where: lyon, or lyon & oslo.", autocompletion=scope_text, metavar="SCOPE"),
]
CascadeOption = Annotated[str, typer.Option("--cascade", help="none, or dependents: delete what uses it first.")]
StaleOption = Annotated[Strings, typer.Option("--stale", help="This site's evidence is old.", metavar="SITE")]
UnreachableOption = Annotated[Strings, typer.Option("--unreachable", help="This site does not answer.", metavar="SITE")]
GoneOption = Annotated[
    Strings,
    typer.Option("--gone", envvar="CHEOPS_GONE", help="This site is gone for good: it is left out.", metavar="SITE"),
]
BlindOption = Annotated[
    Strings, typer.Option("--blind", help="These kinds are not observed there.", metavar="SITE=RESOURCES")
]
KubernetesOption = Annotated[
    Optional[str],  # noqa: UP045 – as above
    typer.Option("--kubernetes", help="The version whose built-in kinds the sites serve.", metavar="1.N"),
]
PolicyOption = Annotated[
    Optional[str],  # noqa: UP045 – as above
    typer.Option("--policy", help="A policy file (cheops policy check FILE).", metavar="FILE"),
]
FormOption = Annotated[CheckOutput, typer.Option("--output", "-o", help="How to print it.")]


def check(
    site: SitesOption,
    filename: FilesOption = None,
    delete: DeleteOption = None,
    read: ReadOption = None,
    verb: VerbOption = None,
    since: SinceOption = "",
    namespace: NamespaceOption = "",
    scope: ScopeOption = "",
    latency: LatencyOption = None,
    cascade: CascadeOption = "none",
    bound: BoundOption = 10.0,
    stale: StaleOption = None,
    unreachable: UnreachableOption = None,
    gone: GoneOption = None,
    blind: BlindOption = None,
    kubernetes: KubernetesOption = None,
    policy: PolicyOption = None,
    rule_file: RulesOption = None,
    output: FormOption = CheckOutput.TEXT,
    ascii_only: AsciiOption = False,
) -> None:
    """The verdict on directories of manifests, offline. Exits 0 allow, 3 deny, 4 defer, 2 for bad input."""
    from cheops.cli.checking import Request, run

    request = Request(
        sites=tuple(site),
        filenames=tuple(filename or ()),
        delete=tuple(delete or ()),
        read=tuple(read or ()),
        verb=verb.value if verb else None,
        namespace=namespace,
        scope=scope,
        latency=tuple(latency or ()),
        cascade=cascade,
        bound_s=bound,
        stale=tuple(stale or ()),
        unreachable=tuple(unreachable or ()),
        gone=tuple(gone or ()),
        blind=tuple(blind or ()),
        kubernetes=kubernetes,
        policy=policy,
        rules=tuple(rule_file or ()),
        since=since,
    )
    raise typer.Exit(run(request, output.value, ascii_only))
