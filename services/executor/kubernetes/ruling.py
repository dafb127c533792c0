"""The rules that a site's ConfigMaps carry, read anew before something is shaped by them.

What an API server would make of a manifest is shaped here, so its references are found here, by the rules that the
watcher and the resolver follow (services/resolver/ruling.py). One request, and one on the bus for what files said that
cannot be used any more (docs/adr/0042); only with the setting.
"""

from __future__ import annotations

from typing import Final

from schemas.identity import resource_id
from schemas.relations.carried import KIND, SELECTOR, Rulebook, fact_of
from schemas.ties import RULES_BEFORE_FACT, RULES_FACT
from schemas.untyped import mapping_of, rows_of
from services.chassis.kept_rules import KeptRules
from services.executor.kubernetes.client import KubernetesClient

PAGE_LIMIT: Final = 10  # each may have a megabyte


class Ruling:
    """Keeps a rulebook as the ConfigMaps are when somebody asks."""

    def __init__(self, client: KubernetesClient, book: Rulebook, kept: KeptRules) -> None:
        self._client, self._book, self._kept = client, book, kept

    async def renew(self) -> bool:
        """Whether other rules are in force now than before. Raises TransientError when they cannot be read."""
        namespace = self._book.namespace
        if not namespace:
            return False
        params = {"labelSelector": SELECTOR, "limit": str(PAGE_LIMIT)}
        found = {}
        while True:
            page = await self._client.get(f"/api/v1/namespaces/{namespace}/configmaps", params)
            for one in rows_of(page.get("items")):
                metadata = mapping_of(one.get("metadata"))
                name, uid = str(metadata.get("name") or ""), str(metadata.get("uid") or "")
                found[resource_id("", KIND, namespace, name)] = (uid, fact_of(one.get("data")))
            token = mapping_of(page.get("metadata")).get("continue")
            if not token:
                break
            params["continue"] = str(token)
        await self._kept.load()  # after: what cannot be used by now said what the watcher has kept before
        self._book.keep(found)  # nothing is awaited from here on: others shape meanwhile
        for resource, (uid, fact) in found.items():
            self._book.note(resource, {RULES_FACT: fact, RULES_BEFORE_FACT: self._kept.before(resource, uid)})
        return self._book.renew() is not None
