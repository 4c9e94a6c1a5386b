"""A network of institutes for property tests, with a method for each event that can happen.

Nodes are real; only the wire and the clock are not. ``network_checks`` checks what nodes do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from comity.node.database.tables import PeerRow
from comity.node.policy.versions import policy_at, set_policy
from comity.node.release.run import release_to
from comity.node.trust.peers import AgreedTerms, pinned_peers
from comity.policies.facts import PeerStatus
from comity.policies.treaty import Treaty
from comity.record.bundle import Keyring
from comity.record.record import Record
from tests.support.institutes import HandClock, Institute
from tests.support.network_checks import CheckedNetwork
from tests.support.record_plans import RecordPlan, subject
from tests.support.reference_policies import POLICIES
from tests.support.reference_view import NAMES, Agreement

MAX_BACK_SECONDS: Final = 60
"""How far the clock may be behind the latest time that it has shown."""


class RandomNetwork(CheckedNetwork):
    """Institutes, the records that they publish, and the events between them."""

    def __init__(
        self, made: list[Institute], clock: HandClock, stock: Sequence[RecordPlan]
    ) -> None:
        super().__init__(made, clock)
        self._stock, self._busy = stock, set(NAMES)
        self._plans: dict[str, RecordPlan] = {}
        self._latest = clock()

    def befriend(self) -> None:
        """Let the first institute trust its peers, and have a treaty with the next."""
        holder, party, _ = NAMES
        for peer in NAMES[1:]:
            self.set_terms(holder, peer, {"joint-testing"}, {"bio"})
        self.add_treaty(holder, party, set(), set(), 0, 150)

    def publish(self, issuer: str, which: int, substance: str, count: int) -> None:
        """Publish some records by one plan of the stock, each about a model of its own."""
        first = len(self._plans)
        plan = replace(self._stock[which % len(self._stock)], substance=substance)
        numbers = range(first, first + count)
        self._publish(issuer, [replace(plan, subject=subject(number)) for number in numbers])

    def publish_again(self, issuer: str, which: int, substance: str, *, supersedes: bool) -> None:
        """Publish another record about the subject of an own record, or a new version of that."""
        record_id = self._own(issuer, which)
        if record_id is None or self._plans[record_id].kind == "withdrawal":
            return
        plan = self._plans[record_id]
        (name, digest), other = plan.subject, subject(len(self._plans))
        about = (other[0], digest) if plan.renames else (name, other[1])
        named = record_id if supersedes else None
        self._publish(issuer, [replace(plan, subject=about, substance=substance, supersedes=named)])

    def withdraw(self, issuer: str, which: int, notice: RecordPlan) -> None:
        """Publish a notice that names an own record and, without effect, the others' latest."""
        record_id = self._own(issuer, which)
        others = [self._own(name, -1) for name in NAMES if name != issuer]
        named = tuple(each for each in [record_id, *others] if each is not None)
        about = subject(len(self._plans))
        self._publish(issuer, [replace(notice, subject=about, withdraws=named)])

    def pull(self, receiver: str, sender: str, *, lose_receipts: bool = False) -> int:
        """Pull if both sides allow it; return how many batches came.

        An institute that has removed a peer pulls from none, since records of the removed peer
        would wait in quarantine for its keys. Other tests are about that.
        """
        between = (self._peers[receiver, sender], self._peers[sender, receiver])
        is_active = all(peer.status in ("member", "probation") for peer in between)
        removed = [self._peers[receiver, peer].status for peer in NAMES if peer != receiver]
        if not is_active or "removed" in removed:
            return 0
        one = self.institutes[receiver]
        self._busy.add(receiver)
        batches = one.pull(self.institutes[sender], lose_receipts=lose_receipts)
        for key in sorted(one.held()):
            self._holders[receiver].origin.setdefault(key, sender)
        return batches

    def pull_all(self) -> None:
        """Let each institute pull from each other one once."""
        for receiver, sender in self.pairs:
            self.pull(receiver, sender)
            self.work()

    def start_anew(self, receiver: str, sender: str) -> None:
        """Let a receiver forget its cursor."""
        self._started_anew.add((sender, receiver))
        with self.institutes[receiver].node.store.write() as session:
            session.get_one(PeerRow, sender).cursor = ""
            session.flush()

    def set_policy(self, holder: str, name: str) -> None:
        """Put one of POLICIES in force, and check that a preview foretold what this releases."""
        text, node = POLICIES[name].text, self.institutes[holder].node
        self._busy.add(holder)
        told = self._preview(holder, text)
        self._holders[holder].policy = name
        node.set_policy(text)
        for peer in told:
            known = len(self._peers[holder, peer].queue)
            fresh = [self._parts[key] for key in self._read_queue(holder, peer, known)]
            gained = Counter((part.record.kind, not part.section) for part in fresh)
            assert told[peer] == gained, (holder, peer, name)

    def change_policy_in_haste(self, holder: str, first: str, second: str) -> None:
        """Put a policy in force and, before the node counts what it gave by it, another one.

        Counting may come later than release, and a node may be killed in between.
        """
        node = self.institutes[holder].node
        self._busy.add(holder)
        self._holders[holder].policy = first
        with node.store.write() as session:
            set_policy(session, POLICIES[first].text, self.clock())
            policy = policy_at(session, self.clock())
            for row in pinned_peers(session):
                release_to(session, row, policy, self.clock())
        self.check_queues(holder)
        self._holders[holder].policy = second
        node.set_policy(POLICIES[second].text)

    def set_status(self, holder: str, name: str, status: PeerStatus) -> None:
        """Change a peer's status at a holder; a peer that was removed is pinned again."""
        node, peer = self.institutes[holder].node, self._peers[holder, name]
        self._busy.add(holder)
        if peer.status != PeerStatus.REMOVED:
            node.set_peer_status(name, status)
        elif status in (PeerStatus.MEMBER, PeerStatus.PROBATION):
            node.add_peer(self.institutes[name].node.bundle, status)
        else:
            return
        peer.status = str(status)

    def set_terms(self, holder: str, name: str, groups: set[str], clearances: set[str]) -> None:
        """Change the groups and clearances of a peer."""
        peer = self._peers[holder, name]
        self._busy.add(holder)
        if peer.status != PeerStatus.REMOVED:
            terms = AgreedTerms(groups=sorted(groups), clearances=sorted(clearances))
            self.institutes[holder].node.change_peer(name, None, terms)
            peer.groups, peer.clearances = frozenset(groups), frozenset(clearances)

    def add_treaty(
        self, holder: str, party: str, kinds: set[str], sections: set[str], start: int, end: int
    ) -> None:
        """Add a treaty from ``start`` to ``end``, in seconds from now; an end of 0 means none."""
        treaties = self._holders[holder].treaties
        self._busy.add(holder)
        if self._peers[holder, party].status == PeerStatus.REMOVED:
            return

        treaty_id = f"treaty-{len(treaties)}"
        value = {
            "treatyId": treaty_id,
            "party": party,
            "kinds": sorted(kinds),
            "sections": sorted(sections),
            "start": self.clock.in_seconds(start),
            "end": self.clock.in_seconds(end) if end else None,
        }

        self.institutes[holder].node.add_treaty(Treaty.parse(value))
        begins, ends = (self.clock() + seconds * 1000 for seconds in (start, end))
        treaties[treaty_id] = Agreement(
            party, frozenset(kinds), frozenset(sections), begins, ends if end else None
        )

    def end_treaty(self, holder: str, which: int) -> None:
        """End one of the treaties that are not over."""
        now = self.clock()
        self._busy.add(holder)
        treaties = self._holders[holder].treaties.items()
        left = [i for i, t in treaties if not t.ended and (t.end is None or t.end > now)]
        if left:
            treaty_id = left[which % len(left)]
            self.institutes[holder].node.end_treaty(treaty_id)
            self._holders[holder].treaties[treaty_id].ended = True

    def turn(self, seconds: int) -> None:
        """Let time pass, or set the clock back."""
        earliest = self._latest - MAX_BACK_SECONDS * 1000
        self.clock.now = max(self.clock() + seconds * 1000, earliest)
        self._latest = max(self._latest, self.clock())
        self._busy.update(NAMES)

    def work(self) -> None:
        """Let nodes do the work of each second, and check what came of it.

        A node to which nothing has happened since has no work.
        """
        while self._busy:
            name = min(self._busy)
            self._busy.remove(name)
            self.check_queues(name)
            while self.institutes[name].node.release():
                self.check_queues(name)
            self.check_settled(name)

    def come_to_rest(self) -> None:
        """Make every peer a member, let every embargo end, and pull until no batch is left."""
        for holder, peer in self.pairs:
            if self._peers[holder, peer].status != PeerStatus.MEMBER:
                self.set_status(holder, peer, PeerStatus.MEMBER)
        self.turn(1000)
        self.work()
        while sum(self.pull(receiver, sender) for receiver, sender in self.pairs):
            self.work()

    def _publish(self, issuer: str, plans: Sequence[RecordPlan]) -> None:
        one = self.institutes[issuer]
        self._busy.add(issuer)
        records = [one.sign(plan.draft(self.clock)) for plan in plans]
        for plan, record in zip(plans, records, strict=True):
            self._payloads[record.record_id] = record.envelope.payload
            self._plans[record.record_id] = plan
            for part in plan.parts(record.record_id, issuer, self.clock()):
                key = (record.record_id, part.section)
                self._parts[key] = part
                self._holders[issuer].origin[key] = issuer
        self._store(one, records)

    def _store(self, one: Institute, records: Sequence[Record]) -> None:
        """Store own records as they came before a node looked at what they say of others.

        ``publish`` refuses a notice that names others' records, and peers must not rely on that.
        """
        keyring = Keyring([one.node.bundle])
        arrivals = [one.node.examiner.examine(r, one.node.institute, keyring) for r in records]
        with one.node.store.write() as session:
            assert not one.node.intake.admit(session, arrivals).refusals
        one.node.release()

    def _own(self, issuer: str, which: int) -> str | None:
        """Return the id of one of an issuer's records; None if it has none."""
        own = [i for i in self._plans if self._parts[i, ""].record.issuer == issuer]
        return own[which % len(own)] if own else None
