"""Rules that ConfigMaps carry → the catalogue by which a site's intents are heard, and what must be told again. Pure.

    ConfigMap changes ─▶ other catalogue ─▶ kinds that read otherwise now ─▶ once all else is known: doubt
      ─▶ the watcher is asked for everything of these kinds ─▶ their references are as the rules say

The watcher reads by the new rules before it tells of the ConfigMap, so what it lists when it is asked is right. What it
told before is not, whether it has been there all the time or not: therefore it is always asked (docs/adr/0031).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from schemas.alerts import Alert
from schemas.events import Scalar
from schemas.identity import KindId, ResourceId, SiteName
from schemas.relations.carried import KIND, Rulebook, differing
from services.resolver.evidence import SiteEvidence
from services.resolver.hearing import Hearing
from services.resolver.signals import Moment

CODE = "A505"
REASON = "the rules of relationships have changed"
OTHER_WATCHER = "the watcher reads by another version or other rules than before"


class Ruling:
    """The rulebook of one site's resolver, and what was raised of it.

    read_by   the edition (carried.Rulebook) by which the watcher has read what is known; "" when none has told
    """

    def __init__(self, site: SiteName, book: Rulebook | None = None) -> None:
        self.book = book or Rulebook()
        self.read_by = ""
        self._reason = REASON
        self._site = site
        self._read_otherwise: set[KindId] = set()
        self._asked_for: set[KindId] = set()
        self._raised: dict[ResourceId, Alert] = {}

    def note(self, resource: ResourceId, facts: Mapping[str, Scalar] | None) -> None:
        """A resource that may carry rules has these facts now; None: it is gone."""
        self.book.note(resource, facts)

    def begin(self, hearing: Hearing) -> None:
        """All that the graph holds was noted, and was read by just these rules (a snapshot)."""
        if self.book.renew() is not None:
            hearing.rule_by(self.book.catalogue)

    def hear(self, read_by: str, known: Iterable[KindId]) -> None:
        """Who tells from now on reads by this edition; all of these kinds was told by who read by the one before."""
        if read_by != self.read_by:
            self.read_by, self._reason = read_by, OTHER_WATCHER
            self._read_otherwise.update(known)

    @property
    def reads_otherwise(self) -> bool:
        """The watcher reads by another version of Cheops, or by other files of rules, than this resolver."""
        return self.read_by not in ("", self.book.edition)

    def settle(self, evidence: SiteEvidence, hearing: Hearing) -> None:
        """After news: hear by what is known now; doubt what was read otherwise, once nothing else is doubted."""
        before = self.book.renew()
        if before is not None:
            hearing.rule_by(self.book.catalogue)
            self._reason = REASON
            self._read_otherwise |= differing(before, self.book.catalogue, evidence.surface)
        if not evidence.synced:
            return
        self._asked_for &= evidence.blind.keys()  # what is seen again is still asked for
        if self._read_otherwise:
            self._asked_for |= self._read_otherwise
            self._read_otherwise.clear()
            evidence.distrust(self._reason)

    @property
    def is_settled(self) -> bool:
        """All that is known was read by the rules that are known."""
        return not self._read_otherwise and not self._asked_for

    def vouched(self, digests: Mapping[KindId, str]) -> dict[KindId, str]:
        """The digests by which the watcher may leave out what is known already.

        Of ConfigMaps never: one that was told by a watcher without this setting lacks its rules.
        """
        left_out = {*self._asked_for, *([KIND] if self.book.namespace else ())}
        return {kind: digest for kind, digest in digests.items() if kind not in left_out}

    # ── alerts ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def recover(self, alerts: Iterable[Alert]) -> None:
        """What was raised before a restart and has not healed."""
        for alert in (one for one in alerts if one.code == CODE and one.resource is not None):
            assert alert.resource is not None, "see above"
            if alert.state == "raised":
                self._raised[alert.resource] = alert
            else:
                self._raised.pop(alert.resource, None)

    def due(self, evidence: SiteEvidence, moment: Moment) -> Iterator[Alert]:
        """Alerts that are due now, raised and healed."""
        refused = self.book.refused
        for resource, errors in refused.items():
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            message = f"rules are not in force @ {self._site}: {errors[0]}{more}"
            known = self._raised.get(resource)
            if known is not None and known.message == message:
                continue
            alert = Alert(
                id=f"{self._site}:{CODE}:{resource}",
                code=CODE,
                state="raised",
                site=self._site,
                message=message,
                resource=resource,
                at=moment.wall,
            )
            self._raised[resource] = alert
            yield alert
        if not evidence.synced:
            return
        for resource in [one for one in self._raised if one not in refused]:
            alert, name = self._raised.pop(resource), resource.partition("/")[2]
            message = f"no rule of ConfigMap {name} @ {self._site} is refused any more"
            yield alert.model_copy(update={"state": "healed", "message": message, "at": moment.wall})
