"""Takes one request and returns one response; records and faults come in between."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from vathos.testing.accounts import Accounts
from vathos.testing.api import ProtectedApi
from vathos.testing.assertions import Assertions
from vathos.testing.faults import Fault, WaitingFault
from vathos.testing.ledger import Ledger
from vathos.testing.messages import Request, Response
from vathos.testing.provider import Provider
from vathos.testing.records import RecordedRequest, Records
from vathos.testing.signed_tokens import SignedTokens
from vathos.testing.urls import Urls
from vathos.testing.workloads import Workloads

__all__ = ["ENDPOINTS", "Exchange", "FaultQueue", "Realm"]

ENDPOINTS = ("token", "api", "revocation", "introspection", "discovery", "workloads", "github")


class FaultQueue:
    """Faults waiting for requests, by endpoint: counted ones first, then the latest."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()  # guards _queues
        self._queues: dict[str, list[WaitingFault]] = {endpoint: [] for endpoint in ENDPOINTS}

    def put(
        self, endpoint: str, fault: Fault, *, times: int | None, seconds: float | None
    ) -> WaitingFault:
        """Queues a fault; `seconds` replaces `times`."""
        queue = self._queue(endpoint)
        until = None if seconds is None else self._now() + seconds
        waiting = WaitingFault(endpoint, fault, times if seconds is None else None, until)
        with self._lock:
            queue.append(waiting)
        return waiting

    def remove(self, waiting: WaitingFault) -> None:
        """Removes a fault as it was queued, and none that is equal to it."""
        queue = self._queue(waiting.endpoint)
        with self._lock:
            queue[:] = [each for each in queue if each is not waiting]

    def take(self, endpoint: str) -> Fault:
        """Takes the fault of the next request, one without any effect if there is none."""
        now = self._now()
        with self._lock:
            queue = self._queues.get(endpoint, [])
            queue[:] = [each for each in queue if each.until is None or now < each.until]
            for place, waiting in enumerate(queue):
                if waiting.times is not None:
                    left = waiting.times - 1
                    queue[place : place + 1] = [waiting._replace(times=left)] if left > 0 else []
                    return waiting.fault
            return queue[-1].fault if queue else Fault()

    def waiting(self) -> tuple[WaitingFault, ...]:
        """Lists the faults that wait for requests."""
        now = self._now()
        with self._lock:
            return tuple(
                each
                for queue in self._queues.values()
                for each in queue
                if each.until is None or now < each.until
            )

    def clear(self, endpoint: str | None = None) -> None:
        """Removes all faults of one endpoint, or of all."""
        queues = list(self._queues.values()) if endpoint is None else [self._queue(endpoint)]
        with self._lock:
            for queue in queues:
                queue.clear()

    def _queue(self, endpoint: str) -> list[WaitingFault]:
        if endpoint not in self._queues:
            raise ValueError(f"there is no endpoint {endpoint!r}, only {', '.join(ENDPOINTS)}")
        return self._queues[endpoint]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that arrived, its fault, and the number of its record; 0 if there is none."""

    request: Request
    endpoint: str
    fault: Fault
    record: int


class Realm:
    """Answers requests; `control` answers those below `/__vathos__/`, if it is set."""

    def __init__(
        self,
        urls: Urls,
        accounts: Accounts,
        ledger: Ledger,
        on_request: Callable[[RecordedRequest], object] | None,
    ) -> None:
        self.urls = urls
        self.control: Callable[[Request], Response] | None = None
        self._on_request = on_request
        self.now = ledger.now
        self.faults = FaultQueue(ledger.now)
        self.workloads = Workloads(urls, ledger.now)
        self.records = Records(lambda: (*accounts.secrets(), self.workloads.request_token))
        self.api = ProtectedApi(ledger, self.records, urls)
        assertions = Assertions(
            accounts,
            self.workloads,
            audience=urls.issuer,
            now=ledger.now,
            single_use=ledger.rules.single_use_workload_tokens,
        )
        self._accounts = accounts
        self.signed = SignedTokens(ledger.rules, urls, ledger.now)
        self._provider = Provider(accounts, assertions, ledger, self.signed, urls.realm)

    def arrive(self, request: Request) -> Exchange:
        """Records a request and decides what goes wrong with it."""
        if self.control is not None and self.urls.control_name(request.path) is not None:
            return Exchange(request, "control", Fault(), record=0)
        endpoint = self.urls.find(request.path)
        token = self.api.presented(request) if endpoint == "api" else None
        record = self.records.add(request, endpoint, self.now(), token)
        return Exchange(request, endpoint, self.faults.take(endpoint), record)

    def answer(self, exchange: Exchange) -> Response:
        """Answers as the client is to see it; a fault may have a response of its own."""
        fault = exchange.fault
        response = fault.answer or self._process(exchange)
        response = response.with_members(dict(fault.changed), fault.removed)
        self.records.answered(exchange.record, response.status)
        return response

    def done(self, exchange: Exchange) -> None:
        """Reports a request that is over, however it ended."""
        record = self.records.get(exchange.record)
        if record is not None and self._on_request is not None:
            self._on_request(record)

    def _process(self, exchange: Exchange) -> Response:
        request = exchange.request
        if exchange.endpoint == "control" and self.control is not None:
            return self.control(request)
        match exchange.endpoint:
            case "token":
                return self._provider.token(request)
            case "revocation":
                return self._provider.revocation(request)
            case "introspection":
                return self._provider.introspection(request)
            case "discovery":
                return self._metadata(request)
            case "workloads" | "github":
                return self.workloads.answer(request)
            case "api":
                return self.api.answer(request)
            case _:
                return Response.json({"error": self.urls.not_found(request.path)}, 404)

    def _metadata(self, request: Request) -> Response:
        if self.urls.is_of_keys(request.path):
            return self.signed.answer()
        return Response.json(self.urls.document(self._accounts.authentication_methods()))
