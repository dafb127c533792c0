"""Options that several commands share, spelled once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Optional

import typer

FILES: Final = ("--filename", "--kustomize", "-f", "-k")  # a folder with a kustomization is built, whichever is said


class Output(StrEnum):
    """How a result is printed."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


class GraphOutput(StrEnum):
    """How a graph is printed."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"
    DOT = "dot"
    GRAPHML = "graphml"
    MERMAID = "mermaid"
    SVG = "svg"


class PlanOutput(StrEnum):
    """How a plan is printed."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"
    DOT = "dot"
    SVG = "svg"


class Decision(StrEnum):
    """What a verdict says."""

    ALLOW = "allow"
    DENY = "deny"
    DEFER = "defer"


def site_names(incomplete: str) -> list[str]:
    """Completion: the sites of the context file."""
    from cheops.cli.completing import sites

    return sites(incomplete)


def scope_text(incomplete: str) -> list[str]:
    """Completion: the site at the end of a scope."""
    from cheops.cli import completing

    return completing.scope_text(incomplete)


def namespaces(context: typer.Context, incomplete: str) -> list[str]:
    """Completion: the namespaces of the site that is meant."""
    from cheops.cli.completing import names

    return [one.removeprefix("namespace/") for one in names(context.params, f"namespace/{incomplete}")]


def resource_names(context: typer.Context, incomplete: str) -> list[str]:
    """Completion: kinds, and the names of one kind."""
    from cheops.cli.completing import names

    return names(context.params, incomplete)


SiteOption = Annotated[
    Optional[str],  # noqa: UP045 – typer reads annotations of aliases in this form only
    typer.Option(
        "--site", "-s", help="The site that is meant (CHEOPS_SITE).", autocompletion=site_names, metavar="NAME"
    ),
]
NamespaceOption = Annotated[
    str,
    typer.Option(
        "--namespace",
        "-n",
        help="For what does not name its own (else: default).",
        autocompletion=namespaces,
        metavar="NAME",
    ),
]
OnlyNamespaceOption = Annotated[
    str,
    typer.Option(
        "--namespace", "-n", help="Only of this one (else: everywhere).", autocompletion=namespaces, metavar="NAME"
    ),
]
ResourceArgument = Annotated[
    list[str],
    typer.Argument(help="What: secret/edge-ca, or secret edge-ca.", autocompletion=resource_names, metavar="KIND/NAME"),
]
ResourcesArgument = Annotated[
    Optional[list[str]],  # noqa: UP045 – as above
    typer.Argument(
        help="What: secret/edge-ca, or secret edge-ca; several are one question or one intent.",
        autocompletion=resource_names,
        metavar="KIND/NAME",
    ),
]
OfflineOption = Annotated[
    Optional[list[str]],  # noqa: UP045 – as above
    typer.Option(
        *FILES,
        help="Ask these manifests instead of a site; no server is needed.",
        metavar="PATH",
    ),
]
RulesOption = Annotated[
    Optional[list[Path]],  # noqa: UP045 – as above
    typer.Option(
        "--with", help="Rules besides the shipped ones: a file, or a ConfigMap that holds some.", metavar="FILE"
    ),
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How to print the result.")]
GraphOutputOption = Annotated[GraphOutput, typer.Option("--output", "-o", help="How to print the result.")]
ServerOption = Annotated[
    Optional[str],  # noqa: UP045 – as above
    typer.Option("--server", help="Where the bus is (CHEOPS_NATS_URL, else the context file).", metavar="URL"),
]
AsciiOption = Annotated[bool, typer.Option("--ascii", help="No signs outside ASCII.")]


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a question is put to, and how its answer is printed."""

    filenames: list[str] | None
    site: str | None
    server: str | None
    output: GraphOutput
    ascii_only: bool
    rule_files: list[Path] | None = None
