"""Options that several commands share, spelled once."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Optional

import typer


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


class Decision(StrEnum):
    """What a verdict says."""

    ALLOW = "allow"
    DENY = "deny"
    DEFER = "defer"


def site_names(incomplete: str) -> list[str]:
    """Completion: the sites of the context file (no server is asked, a Tab must not wait)."""
    from cheops.contexts import load_context
    from services.chassis.errors import SettingsError

    try:
        return [name for name in load_context().sites if name.startswith(incomplete)]
    except SettingsError:
        return []


SiteOption = Annotated[
    Optional[str],  # noqa: UP045 – typer reads annotations of aliases in this form only
    typer.Option("--site", "-s", help="The site that is meant.", autocompletion=site_names, metavar="NAME"),
]
NamespaceOption = Annotated[
    str, typer.Option("--namespace", "-n", help="For what does not name its own.", metavar="NAME")
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How to print the result.")]
GraphOutputOption = Annotated[GraphOutput, typer.Option("--output", "-o", help="How to print the result.")]
ServerOption = Annotated[
    Optional[str],  # noqa: UP045 – as above
    typer.Option("--server", help="URL of the bus (CHEOPS_NATS_URL, else the context file).", metavar="URL"),
]
AsciiOption = Annotated[bool, typer.Option("--ascii", help="No signs outside ASCII.")]
