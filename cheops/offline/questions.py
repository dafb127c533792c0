"""The SDK's questions, put to manifests: the same graph, the same walks, no service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cheops.offline.sites import site_of
from schemas.documents import Document
from schemas.events import ResourceEvent, ResourceState
from schemas.identity import SiteName, site_name
from schemas.intents import BOUND_DEFAULT_S
from schemas.queries import GraphAnswer, GraphQuery, MissingQuery, OrderAnswer, OrderQuery, WhyQuery
from schemas.relations.ambient import is_ambient
from schemas.relations.loader import load_catalogue
from schemas.relations.rule_file import Source
from services.resolver import questions
from services.resolver.graph.store import Graph

UNNAMED: Final = SiteName("manifests")


class OfflineQuestions:
    """Answers as `Mesh` does; `site` is what the answer is called, whatever a question says."""

    def __init__(self, documents: Sequence[Document], site: str = "", rules: Sequence[Source] = ()) -> None:
        """`rules`: besides the shipped ones. Raises DocumentError and RuleError (file, line), IdentityError."""
        self._site = site_of(site_name(site) if site else UNNAMED, documents, load_catalogue(rules))
        _fill_in(self._site.graph)
        self._evidence = self._site.evidence(BOUND_DEFAULT_S)

    async def graph(self, query: GraphQuery, *, site: str | None = None) -> GraphAnswer:
        """The neighbourhood of a resource."""
        return questions.graph(self._site.graph, query, self._evidence)

    async def why(self, source: str, target: str, *, namespace: str = "", site: str | None = None) -> GraphAnswer:
        """The shortest path from a dependent to its dependency."""
        query = WhyQuery(source=source, target=target, namespace=namespace)
        return questions.why(self._site.graph, query, self._evidence)

    async def missing(self, *, namespace: str = "", site: str | None = None, optional: bool = False) -> GraphAnswer:
        """Dangling references."""
        query = MissingQuery(namespace=namespace, optional=optional)
        *_, answer = questions.missing(self._site.graph, self._site.graph, query, self._evidence)
        assert answer is not None, "an answer comes last"
        return answer

    async def order(self, query: OrderQuery, *, site: str | None = None) -> OrderAnswer:
        """A safe order; without names of everything that the manifests hold."""
        return questions.order(self._site.graph, query, self._evidence)

    @property
    def resources(self) -> tuple[str, ...]:
        """What the manifests hold."""
        return tuple(self._site.bodies)


def _fill_in(graph: Graph) -> None:
    """What every cluster has, by a pattern (`ClusterRole/system:*`), is there as soon as somebody refers to it."""
    named = {reference.target for state in graph.resources() for reference in state.references if reference.target}
    for resource in sorted(named):
        if is_ambient(resource) and graph.find(resource) is None:
            graph.apply(ResourceEvent(op="put", state=ResourceState(resource)))
