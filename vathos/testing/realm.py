"""The realm: one request in, one answer out, with records and faults in between."""

from __future__ import annotations

from dataclasses import dataclass

from vathos.testing.accounts import Accounts
from vathos.testing.api import ProtectedApi
from vathos.testing.effects import Effect
from vathos.testing.fault_queue import FaultQueue
from vathos.testing.ledger import Ledger
from vathos.testing.messages import Answer, Request
from vathos.testing.provider import Provider
from vathos.testing.records import Bearer, Records
from vathos.testing.urls import Urls

__all__ = ["Case", "Realm"]


@dataclass(frozen=True, slots=True)
class Case:
    """A request that arrived.

    Attributes:
        request: The request.
        endpoint: Where it arrived.
        fault: What is to go wrong with it.
        record: The number of its record.
    """

    request: Request
    endpoint: str
    fault: Effect
    record: int


class Realm:
    """Everything of a server that is not a socket.

    Args:
        urls: The URLs.
        accounts: The clients and users.
        ledger: The tokens and sessions.
    """

    def __init__(self, urls: Urls, accounts: Accounts, ledger: Ledger) -> None:
        self.urls = urls
        self.now = ledger.now
        self.faults = FaultQueue(ledger.now)
        self.records = Records(accounts.secrets)
        self.api = ProtectedApi(ledger, self.records, urls)
        self._provider = Provider(accounts, ledger, urls.realm)

    def arrive(self, request: Request) -> Case:
        """Records a request and decides what goes wrong with it.

        Args:
            request: The request.

        Returns:
            The case.
        """
        endpoint = self.urls.find(request.path)
        bearer = self.api.bearer(request) if endpoint == "api" else Bearer()
        record = self.records.add(request, endpoint, self.now(), bearer)
        return Case(request, endpoint, self.faults.take(endpoint), record)

    def answer(self, case: Case) -> Answer:
        """Answers a request, unless its fault has an answer of its own.

        Args:
            case: The case.

        Returns:
            The answer as the client is to see it.
        """
        answer = case.fault.edit(case.fault.answer or self._process(case))
        self.records.answered(case.record, answer.status)
        return answer

    def _process(self, case: Case) -> Answer:
        match case.endpoint:
            case "token":
                return self._provider.token(case.request)
            case "revocation":
                return self._provider.revocation(case.request)
            case "introspection":
                return self._provider.introspection(case.request)
            case "discovery":
                return Answer.json(self.urls.document())
            case "api":
                return self.api.answer(case.request)
            case _:
                return Answer.json({"error": self.urls.not_found(case.request.path)}, 404)
