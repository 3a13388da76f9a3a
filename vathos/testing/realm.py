"""The realm: one request in, one answer out, with records and faults in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vathos.testing.accounts import Accounts
from vathos.testing.api import ProtectedApi
from vathos.testing.effects import Effect
from vathos.testing.fault_queue import FaultQueue
from vathos.testing.ledger import Ledger
from vathos.testing.messages import Answer, Request
from vathos.testing.provider import Provider
from vathos.testing.records import Bearer, RecordedRequest, Records
from vathos.testing.urls import Urls

__all__ = ["Case", "Realm"]


@dataclass(frozen=True, slots=True)
class Case:
    """A request that arrived.

    Attributes:
        request: The request.
        endpoint: Where it arrived.
        fault: What is to go wrong with it.
        record: The number of its record; 0 if there is none.
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
        on_request: Is told of each request when it is over, however it ended.

    Attributes:
        control: Answers what comes below `/__vathos__/`, if anything does.
    """

    def __init__(
        self,
        urls: Urls,
        accounts: Accounts,
        ledger: Ledger,
        on_request: Callable[[RecordedRequest], object] | None = None,
    ) -> None:
        self.urls = urls
        self.control: Callable[[Request], Answer] | None = None
        self._on_request = on_request
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
        if self.control is not None and self.urls.control_name(request.path) is not None:
            return Case(request, "control", Effect(), record=0)
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

    def done(self, case: Case) -> None:
        """Tells of a request that is over.

        Args:
            case: The case.
        """
        record = self.records.get(case.record)
        if record is not None and self._on_request is not None:
            self._on_request(record)

    def _process(self, case: Case) -> Answer:
        if case.endpoint == "control" and self.control is not None:
            return self.control(case.request)
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
