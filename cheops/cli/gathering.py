"""The tree of a resource at every site, and who did not answer."""

from __future__ import annotations

import sys

from cheops.cli.failures import BadInputError
from cheops.cli.options import Asked, GraphOutput
from cheops.cli.render.output import document, say
from cheops.cli.render.signs import signs_for
from cheops.cli.render.tree import tree_lines
from cheops.cli.running import with_mesh
from schemas.queries import GatheredAnswer, GraphAnswer, GraphQuery


def print_gathered(asked: Asked, query: GraphQuery) -> int:
    """Ask and print; exit 1 when it is at no site that answered."""
    if asked.filenames:
        raise BadInputError("--all-sites asks sites, -f reads manifests: expected one of them")
    if asked.output not in (GraphOutput.TEXT, GraphOutput.JSON, GraphOutput.YAML):
        raise BadInputError(f"-o {asked.output.value} draws one site: say --site NAME instead of --all-sites")
    found = with_mesh(lambda mesh: mesh.gather(query, site=asked.site), asked.server, asked.site)
    there = [one for one in found.answers if _has(one)]
    if asked.output is GraphOutput.TEXT:
        _say(found, there, asked)
    else:
        document(found.model_dump(mode="json", by_alias=True), asked.output.value)
    return 0 if there else 1


def _say(found: GatheredAnswer, there: list[GraphAnswer], asked: Asked) -> None:
    signs = signs_for(asked.ascii_only)
    for one in there:
        say([signs.paint(f"{one.site}:", "bold"), *tree_lines(one, signs), ""])
    absent = [one.site for one in found.answers if one not in there]
    if absent:
        say([f"not at {', '.join(absent)}"])
    for silent in found.silent:
        sys.stderr.write(f"cheops: {silent.site} did not answer: {silent.why}\n")


def _has(answer: GraphAnswer) -> bool:
    root = next((node for node in answer.nodes if node.resource == answer.root), None)
    return root is not None and (root.state != "missing" or bool(answer.edges))
