"""What every chapter of the room's demo works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cleanroom.service.proposal_bodies import ProposalBody
from simulations.partner_files import PartnerFiles
from simulations.partner_truth import PartnerTruth
from simulations.room_desk import AnalystDesk
from simulations.room_parties import OWNERS, JoinedParties
from simulations.room_questions import Question
from simulations.room_story import Exhibit

Say = Callable[[str], None]
Show = Callable[[Exhibit], None]


@dataclass(frozen=True)
class Stage:
    """The parties, the agency's desk, and who listens: `say` is told what happens, `show` every exhibit."""

    joined: JoinedParties
    desk: AnalystDesk
    files: PartnerFiles
    truth: PartnerTruth
    say: Say
    show: Show

    def shown(self, exhibit: Exhibit) -> Exhibit:
        """The exhibit, once it has been shown."""
        self.show(exhibit)
        return exhibit

    def asked(self, question: Question) -> Exhibit:
        """A question of the agency and its answer."""
        released = self.desk.ask(question)
        self.say(f"asked: {question.title}")
        return self.shown(Exhibit(question.title, released.table, sql=question.sql))

    def sign_by_all(self, proposal: ProposalBody) -> None:
        """Every owner that a proposal waits for signs it."""
        for party in OWNERS:
            if party.name in proposal.waiting_for:
                with self.joined.client(party) as owner:
                    owner.approve(proposal.id)
