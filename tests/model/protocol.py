"""The renewal protocol as steps on frozen states: one lock, one store operation or one effect each.

A token is a number, in the order of issue; its refresh token has the same one. An entry of the
store is a pair, access and refresh token, 0 for none. A token that is stale, expired or refused by
the API is one thing here: it does not serve.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

__all__ = ["PINNED", "PROPERTIES", "SWITCHES", "Actor", "Protocol", "State", "World"]

PROPERTIES = {
    "consumed": "a refresh token that was used is never presented again",
    "lost": "a refresh token that works never gets lost from the store while somebody lives",
    "logout": "what was logged out does not come back by a renewal that had begun before",
    "once": "one token request for each expiry, unless a holder of the lock died or was too slow",
    "outage": "in an outage a process asks once in each pause, however many threads call",
    "recovers": "when the faults are over, all who live get a token that works",
    "whose": "nobody gets the token of another identity",
}

SWITCHES = {
    "single flight": "threads of one process share one renewal",
    "lock": "all who share a store renew one at a time",
    "again": "who got the lock looks into the store again",
    "claim": "a refresh token is taken out of the store before it is sent",
    "swap": "the store compares before it replaces",
    "gone": "a renewal replaces the entry that it began with, and no other one",
    "patience": "who waits for the lock goes on without it after half of the time",
    "pause": "after a failure nobody asks before a pause is over",
    "key": "the name of an entry covers whose token it is",
}

Entry: TypeAlias = tuple[int, int]
NOTHING: Entry = (0, 0)
FREE = -1
UP, DEAD, STOPPED = "up", "dead", "stopped"


class Actor(NamedTuple):
    """A thread that wants a token, or a logout."""

    at: str  # the step it does next
    older: Entry = NOTHING  # what it found in the store under the lock
    there: Entry = NOTHING  # what it found when it could not replace that
    got: int = 0  # the token it obtained or found
    undone: bool = False  # its entry was logged out meanwhile


class Server(NamedTuple):
    """What the authorization server knows."""

    session_of: tuple[int, ...] = ()  # by token
    sessions: tuple[int, ...] = ()  # the refresh token that works; 0 once the session ended
    owner: tuple[int, ...] = ()  # by session: whose identity
    down: bool = False

    def is_live(self, refresh: int) -> bool:
        """Tells whether a refresh token works."""
        return refresh > 0 and self.sessions[self.session_of[refresh - 1]] == refresh


class State(NamedTuple):
    """Everything at one moment."""

    actors: tuple[Actor, ...]
    server: Server
    store: tuple[Entry, ...]  # by identity
    hand: tuple[int, ...]  # by process: the token at hand
    life: tuple[str, ...]  # by process
    paused: tuple[bool, ...]  # by process
    asked: tuple[int, ...]  # by process: requests in vain since the last pause ended
    lock: int = FREE  # the actor that holds it
    expired: int = 0  # tokens up to this one serve no more
    faults: int = 0  # that may still come
    expiries: int = 0  # that may still come
    requests: int = 0  # that brought a token since the last expiry
    excused: bool = False  # more than one of them is right
    broken: str = ""


@dataclass(frozen=True, slots=True)
class World:
    """Who is there, and what may happen."""

    threads: tuple[int, ...]  # the process of each
    identities: tuple[int, ...]  # the identity of each process
    has_logout: bool = False
    is_cold: bool = False  # whether the store is empty at first
    faults: int = 0
    kinds: frozenset[str] = frozenset()  # of faults: die, stop, lease, slow, lose, down, store
    expiries: int = 0


PINNED: dict[str, tuple[str, ...]] = {}
"""By step of the model: the functions that it stands for."""

_Step: TypeAlias = Callable[["Protocol", State, int], Iterator[tuple[str, State, bool]]]
_STEPS: dict[str, _Step] = {}


def _step(at: str, *functions: str) -> Callable[[_Step], _Step]:
    def keep(step: _Step) -> _Step:
        _STEPS[at], PINNED[at] = step, functions
        return step

    return keep


_HAS_LOOKED = frozenset(
    {"take", "theirs", "refresh", "giveback", "ask", "replace", "there", "save", "swap"}
)
_AT_WORK = _HAS_LOOKED | {"look", "pause", "lock", "again", "unlock"}


class Protocol:
    """The steps of a world, with some mechanisms switched off."""

    def __init__(self, world: World, off: frozenset[str] = frozenset(), watch: str = "") -> None:
        self.world, self.off, self.watch = world, off, watch
        self.processes = len(world.identities)
        self.names = [
            f"process {process + 1}, thread {'ABCD'[index]}"
            for index, process in enumerate(world.threads)
        ] + ["logout"] * world.has_logout

    def on(self, switch: str) -> bool:
        """Tells whether a mechanism is at work."""
        return switch not in self.off

    def first(self) -> State:
        """Returns the state in which everybody wants a token, and the one in the store is old."""
        world, count = self.world, self.processes
        logout = (Actor("find"),) * world.has_logout
        keys = len(set(world.identities))
        return State(
            actors=(*(Actor("want") for _ in world.threads), *logout),
            server=Server() if world.is_cold else Server((0,), (1,), (0,)),
            store=((NOTHING if world.is_cold else (1, 1)), *(NOTHING,) * (keys - 1)),
            hand=(0,) * count,
            life=(UP,) * count,
            paused=(False,) * count,
            asked=(0,) * count,
            expired=0 if world.is_cold else 1,
            faults=world.faults,
            expiries=world.expiries,
        )

    def steps(self, state: State) -> Iterator[tuple[str, State, bool]]:
        """Yields every step that somebody can do: what it is, what follows, if it is a fault."""
        for index, actor in enumerate(state.actors):
            process = self.process_of(index)
            if process is not None and state.life[process] != UP:
                continue
            step = _STEPS.get(actor.at)
            if step is not None:
                for label, after, is_fault in step(self, state, index):
                    yield f"{self.names[index]} {label}", after, is_fault
        yield from self.environment(state)

    def is_good(self, state: State) -> bool:
        """Tells whether all who live have a token that works."""
        return all(
            actor.at == ("want" if self.process_of(index) is not None else "done")
            and (self.process_of(index) is None or self.serves(state, self.hand(state, index)))
            for index, actor in enumerate(state.actors)
            if self.process_of(index) is None or state.life[self.process_of(index) or 0] == UP
        )

    def process_of(self, index: int) -> int | None:
        """Returns the process of a thread; a logout has none that can die."""
        return self.world.threads[index] if index < len(self.world.threads) else None

    def hand(self, state: State, index: int) -> int:
        """Returns the token at hand in the process of a thread."""
        return state.hand[self.world.threads[index]]

    def serves(self, state: State, token: int) -> bool:
        """Tells whether a token works, by what its holder knows."""
        return token > state.expired

    def key(self, index: int) -> int:
        """Returns the entry of an actor."""
        process = self.process_of(index)
        return self.world.identities[process] if process is not None and self.on("key") else 0

    # --- the environment --------------------------------------------------------------------------

    def environment(self, state: State) -> Iterator[tuple[str, State, bool]]:
        """Yields what happens without anybody's doing."""
        issued, server = len(state.server.session_of), state.server
        if state.expiries and issued > state.expired:
            is_quiet = not any(actor.at in _AT_WORK for actor in state.actors)
            yield (
                "time passes: every token so far has expired",
                state._replace(
                    expired=issued,
                    expiries=state.expiries - 1,
                    requests=0,
                    excused=state.excused and not is_quiet,
                ),
                True,
            )
        for process in range(self.processes):
            if state.paused[process]:
                after = state._replace(
                    paused=_with(state.paused, process, False),
                    asked=_with(state.asked, process, 0),
                )
                yield f"the pause of process {process + 1} is over", after, False
        if server.down:
            yield "the server is back", state._replace(server=server._replace(down=False)), False
        yield from self.lost_locks(state)
        if state.faults:
            yield from self.faults(state)

    def lost_locks(self, state: State) -> Iterator[tuple[str, State, bool]]:
        """Yields the end of a lease: of one whose holder died, or by a fault of one that lives."""
        if state.lock == FREE:
            return
        process = self.process_of(state.lock)
        name = self.names[state.lock]
        if process is not None and state.life[process] == DEAD:
            yield f"the lock of {name}, who died, is free", state._replace(lock=FREE), False
        elif state.faults and "lease" in self.world.kinds:
            after = state._replace(lock=FREE, faults=state.faults - 1, excused=True)
            yield f"the lease of {name} runs out, who does not know it", after, True

    def faults(self, state: State) -> Iterator[tuple[str, State, bool]]:
        """Yields deaths, standstills and outages."""
        kinds, left = self.world.kinds, state.faults - 1
        for process in range(self.processes):
            if state.life[process] != UP:
                continue
            # One must live, or there is nobody of whom anything could be said.
            others = [life for index, life in enumerate(state.life) if index != process]
            holds = state.lock != FREE and self.process_of(state.lock) == process
            # A refresh token that it had taken is gone with it, and so is a token it had got.
            for kind, life, label in (("die", DEAD, "dies"), ("stop", STOPPED, "is stopped")):
                if kind in kinds and UP in others:
                    after = state._replace(
                        life=_with(state.life, process, life),
                        faults=left,
                        excused=state.excused or holds,
                    )
                    yield f"process {process + 1} {label}", after, True
        if "down" in kinds and not state.server.down:
            server = state.server._replace(down=True)
            yield "the server goes down", state._replace(server=server, faults=left), True

    # --- what steps are made of -------------------------------------------------------------------

    def go(self, state: State, index: int, at: str, **changes: object) -> State:
        """Lets an actor go on to its next step."""
        actor = state.actors[index]._replace(at=at, **changes)
        return state._replace(actors=_with(state.actors, index, actor))

    def note(self, state: State, property_: str, is_broken: bool) -> State:
        """Notes that a property is broken, if it is watched."""
        if is_broken and not state.broken and self.watch in {"", property_}:
            return state._replace(broken=property_)
        return state

    def write(self, state: State, index: int, entry: Entry, *, takes: bool = False) -> State:
        """Writes an entry, and judges it."""
        key, server = self.key(index), state.server
        there, actor = state.store[key], state.actors[index]
        state = self.note(state, "logout", entry != NOTHING and actor.undone)
        loses = server.is_live(there[1]) and not server.is_live(entry[1])
        is_own = takes and there[1] == actor.older[1]
        state = self.note(state, "lost", loses and not is_own)
        return state._replace(store=_with(state.store, key, entry))

    def swap(
        self, state: State, index: int, old: Entry, new: Entry, *, takes: bool = False
    ) -> tuple[State, bool]:
        """Replaces an entry if it is still there."""
        if self.on("swap") and state.store[self.key(index)] != old:
            return state, False
        return self.write(state, index, new, takes=takes), True

    def swaps(
        self, state: State, index: int, old: Entry, new: Entry, *, takes: bool = False
    ) -> Iterator[tuple[State, bool, str, bool]]:
        """Yields how a swap may end: what follows, what it answers, what went wrong, if it did."""
        after, done = self.swap(state, index, old, new, takes=takes)
        yield after, done, "", False
        if state.faults and "store" in self.world.kinds:
            fault = {"faults": state.faults - 1, "excused": True}
            yield state._replace(**fault), False, "; the store fails", True
            if done:
                yield after._replace(**fault), False, "; it did, but its answer is lost", True

    def issue(self, state: State, index: int, session: int | None) -> tuple[State, int]:
        """Has the server issue a token, in a session or in a new one."""
        server, token = state.server, len(state.server.session_of) + 1
        process = self.world.threads[index]
        if session is None:
            session = len(server.sessions)
            owner = self.world.identities[process]
            server = server._replace(sessions=(*server.sessions, 0), owner=(*server.owner, owner))
        server = server._replace(
            session_of=(*server.session_of, session),
            sessions=_with(server.sessions, session, token),
        )
        state = state._replace(server=server, requests=state.requests + 1)
        # Each identity has a request of its own.
        allowed = len(state.store)
        return self.note(state, "once", state.requests > allowed and not state.excused), token

    def fails(self, state: State, index: int) -> State:
        """Notes a request in vain: the process makes a pause."""
        process = self.world.threads[index]
        asked = state.asked[process] + 1
        state = state._replace(
            paused=_with(state.paused, process, True),
            asked=_with(state.asked, process, asked),
        )
        return self.note(state, "outage", asked > 1)

    def finish(self, state: State, index: int) -> State:
        """Ends a renewal: its token is at hand, and all who waited go on."""
        process, got = self.world.threads[index], state.actors[index].got
        if got:
            state = state._replace(hand=_with(state.hand, process, got))
            owner = state.server.owner[state.server.session_of[got - 1]]
            state = self.note(state, "whose", owner != self.world.identities[process])
        actors = tuple(
            Actor("want")
            if each == index or (actor.at == "waits" and self.process_of(each) == process)
            else actor
            for each, actor in enumerate(state.actors)
        )
        return state._replace(actors=actors)

    def may_pass(self, state: State, index: int) -> tuple[str, bool] | None:
        """Tells how an actor gets past the lock, and if that costs a fault; `None` if it waits."""
        if not self.on("lock"):
            return "asks for no lock", False
        if state.lock == FREE:
            return "gets the lock", False
        holder = self.process_of(state.lock)
        if not self.on("patience"):
            return None
        if holder is not None and state.life[holder] == STOPPED:
            return "waited long enough for a lock, and goes on without", False
        if state.faults and "slow" in self.world.kinds:
            return "waited too long for a holder who is slow, and goes on without the lock", True
        return None

    def passed(self, state: State, index: int, at: str) -> Iterator[tuple[str, State, bool]]:
        """Yields the way past the lock."""
        way = self.may_pass(state, index)
        if way is None:
            return
        label, is_fault = way
        after = self.go(state, index, at)
        if state.lock == FREE and self.on("lock"):
            after = after._replace(lock=index)
        elif self.on("lock"):
            after = after._replace(excused=True, faults=state.faults - is_fault)
        yield label, after, is_fault


def _with(values: tuple, index: int, value: object) -> tuple:  # type: ignore[type-arg]
    return (*values[:index], value, *values[index + 1 :])


def _rest(entry: Entry) -> Entry:
    return (entry[0], 0)


# --- a thread that wants a token ------------------------------------------------------------------


@_step(
    "want",
    "vathos.token_source:CachedSource.token",
    "vathos.token_source:CachedSource.at_once",
    "vathos.token_source:CachedSource._wait_for_token",
    "vathos.token_source:CachedSource._find_or_renew",
    "vathos.renewal.renewer:Renewer.renew",
    "vathos.renewal.renewer:Renewer._lead_or_wait",
    "vathos.system.locks:SingleFlight.run",
    "vathos.system.locks:SingleFlight._join",
)
def _want(self: Protocol, state: State, index: int) -> Iterator[tuple[str, State, bool]]:
    if self.serves(state, self.hand(state, index)):
        return
    is_led = any(
        actor.at in _AT_WORK and self.process_of(each) == self.process_of(index)
        for each, actor in enumerate(state.actors)
    )
    if is_led and self.on("single flight"):
        yield "waits for the renewal that is under way", self.go(state, index, "waits"), False
    else:
        yield "begins a renewal", self.go(state, index, "look"), False


@_step(
    "look",
    "vathos.renewal.renewer:Renewer._renew",
    "vathos.renewal.renewer:Renewer._found",
    "vathos.renewal.cache:TokenCache.look",
    "vathos.renewal.cache:TokenCache.stored",
    "vathos.renewal.cache:TokenCache.serves",
    "vathos.stores.resilient:ResilientStore.load",
)
def _look(self: Protocol, state: State, index: int) -> Iterator[tuple[str, State, bool]]:
    entry = state.store[self.key(index)]
    if self.serves(state, entry[0]):
        after = self.finish(self.go(state, index, "unlock", got=entry[0]), index)
        yield f"finds token {entry[0]} in the store", after, False
    else:
        label = f"finds no token that works in the store, only {_said(entry)}"
        yield label, self.go(state, index, "pause", older=entry), False


@_step("pause", "vathos.renewal.renewer:Renewer.backoff_left")
def _pause(self: Protocol, state: State, index: int) -> Iterator[tuple[str, State, bool]]:
    if not state.paused[self.world.threads[index]] or not self.on("pause"):
        yield "need not pause", self.go(state, index, "lock"), False


@_step(
    "lock",
    "vathos.renewal.cache:TokenCache.locked",
    "vathos.stores.resilient:ResilientStore.locked",
    "vathos.stores.memory:MemoryStore.lock",
    "vathos.stores.file:FileStore.lock",
    "vathos.stores.redis:RedisStore.lock",
)
def _lock(self: Protocol, state: State, index: int) -> Iterator[tuple[str, State, bool]]:
    yield from self.passed(state, index, "again")


@_step("again", "vathos.renewal.renewer:Renewer._renew", "vathos.renewal.obtain:Attempt.obtain")
def _again(self: Protocol, state: State, index: int) -> Iterator[tuple[str, State, bool]]:
    entry = state.store[self.key(index)] if self.on("again") else state.actors[index].older
    if self.serves(state, entry[0]) and self.on("again"):
        after = self.go(state, index, "unlock", got=entry[0])
        yield f"looks again, and finds token {entry[0]}", after, False
        return
    first = "take" if self.on("claim") else "refresh"
    at = first if entry[1] else "ask"
    seen = "looks again, and finds" if self.on("again") else "does not look again, and knows"
    yield f"{seen} {_said(entry)}", self.go(state, index, at, older=entry), False


@_step(
    "take",
    "vathos.renewal.cache:TokenCache.take_refresh_token",
    "vathos.stores.resilient:ResilientStore.swap",
    "vathos.stores.memory:MemoryStore.swap",
    "vathos.stores.file:FileStore.swap",
    "vathos.stores.redis:RedisStore.swap",
)
def _take(self: Protocol, state: State, index: int) -> Iterator[tuple[str, State, bool]]:
    older = state.actors[index].older
    for then, taken, why, is_fault in self.swaps(state, index, older, _rest(older), takes=True):
        label = "takes" if taken else "cannot take"
        after = self.go(then, index, "refresh" if taken else "theirs")
        yield f"{label} refresh token {older[1]} out of the store{why}", after, is_fault


@_step("theirs", "vathos.renewal.obtain:Attempt._refresh", "vathos.renewal.cache:TokenCache.look")
def _theirs(self: Protocol, state: State, index: int) -> Iterator[tuple[str, State, bool]]:
    entry, older = state.store[self.key(index)], state.actors[index].older
    if self.serves(state, entry[0]):
        after = self.go(state, index, "unlock", got=entry[0])
        yield f"finds token {entry[0]}, which another one stored", after, False
    else:
        label = f"finds {_said(entry)}, and goes on to the original grant"
        yield label, self.go(state, index, "ask", older=_rest(older)), False


@_step(
    "refresh",
    "vathos.renewal.obtain:Attempt._refresh",
    "vathos.renewal.obtain:Attempt._request",
    "vathos.renewal.retry:retry_in",
    "vathos.renewal.retry:answer_is_lost",
)
def _refresh(self: Protocol, state: State, index: int) -> Iterator[tuple[str, State, bool]]:
    server, older = state.server, state.actors[index].older
    token = older[1]
    # What it expects in the store when it replaces that.
    left = _rest(older) if self.on("claim") else older
    if server.down:
        after = self.fails(state, index)
        at = "giveback" if self.on("claim") else "unlock"
        yield f"presents refresh token {token} in vain", self.go(after, index, at), False
        return
    session = server.session_of[token - 1]
    if server.sessions[session] == token:
        after, new = self.issue(state, index, session)
        got = self.go(after, index, "replace", older=left, got=new)
        yield f"presents refresh token {token}, and gets token {new}", got, False
        if state.faults and "lose" in self.world.kinds:
            lost = self.go(after, index, "ask", older=left)
            lost = lost._replace(faults=state.faults - 1, excused=True)
            yield f"presents refresh token {token}, and the answer is lost", lost, True
        return
    is_reuse = server.sessions[session] != 0
    after = self.note(state, "consumed", is_reuse)
    sessions = _with(server.sessions, session, 0)
    after = after._replace(server=server._replace(sessions=sessions), excused=True)
    why = ", which was used: the server ends the session" if is_reuse else " of an ended session"
    yield f"presents refresh token {token}{why}", self.go(after, index, "theirs"), False


@_step("giveback", "vathos.renewal.cache:TokenCache.give_back_refresh_token")
def _giveback(self: Protocol, state: State, index: int) -> Iterator[tuple[str, State, bool]]:
    older = state.actors[index].older
    for then, done, why, is_fault in self.swaps(state, index, _rest(older), older):
        label = "puts" if done else "cannot put"
        yield (
            f"{label} refresh token {older[1]} back{why}",
            self.go(then, index, "unlock"),
            is_fault,
        )


@_step("ask", "vathos.renewal.obtain:Attempt.obtain", "vathos.renewal.obtain:Attempt._request")
def _ask(self: Protocol, state: State, index: int) -> Iterator[tuple[str, State, bool]]:
    if state.server.down:
        after = self.go(self.fails(state, index), index, "unlock")
        yield "asks by the original grant in vain", after, False
        return
    after, new = self.issue(state, index, None)
    at = "there" if state.actors[index].older == NOTHING else "replace"
    yield (
        f"asks by the original grant, and gets token {new}",
        self.go(after, index, at, got=new),
        False,
    )
    if state.faults and "lose" in self.world.kinds:
        lost = after._replace(faults=state.faults - 1, excused=True)
        yield "asks by the original grant, and the answer is lost", lost, True


@_step("replace", "vathos.renewal.cache:TokenCache.replace")
def _replace(self: Protocol, state: State, index: int) -> Iterator[tuple[str, State, bool]]:
    actor = state.actors[index]
    new = (actor.got, actor.got)
    for then, done, why, is_fault in self.swaps(state, index, actor.older, new):
        label = f"{'stores' if done else 'cannot store'} token {actor.got} in place of "
        after = self.go(then, index, "unlock" if done else "there")
        yield f"{label}{_said(actor.older)}{why}", after, is_fault


@_step("there", "vathos.renewal.cache:TokenCache.replace")
def _there(self: Protocol, state: State, index: int) -> Iterator[tuple[str, State, bool]]:
    entry, older = state.store[self.key(index)], state.actors[index].older
    may_write = older in {NOTHING, entry} or not self.on("gone")
    if entry == NOTHING and may_write:
        yield "finds the store empty", self.go(state, index, "save"), False
    elif not self.serves(state, entry[0]) and may_write:
        label = f"finds {_said(entry)} there, which is old"
        yield label, self.go(state, index, "swap", there=entry), False
    else:
        yield f"leaves {_said(entry)} there", self.go(state, index, "unlock"), False


@_step(
    "save", "vathos.renewal.cache:TokenCache.replace", "vathos.stores.resilient:ResilientStore.save"
)
def _save(self: Protocol, state: State, index: int) -> Iterator[tuple[str, State, bool]]:
    got = state.actors[index].got
    after = self.write(state, index, (got, got))
    yield f"stores token {got}", self.go(after, index, "unlock"), False


@_step("swap", "vathos.renewal.cache:TokenCache.replace")
def _swap(self: Protocol, state: State, index: int) -> Iterator[tuple[str, State, bool]]:
    actor = state.actors[index]
    for then, done, why, is_fault in self.swaps(state, index, actor.there, (actor.got, actor.got)):
        label = "stores" if done else "cannot store"
        yield f"{label} token {actor.got}{why}", self.go(then, index, "unlock"), is_fault


@_step("unlock", "vathos.renewal.renewer:Renewer._renew", "vathos.renewal.renewer:Renewer._obtain")
def _unlock(self: Protocol, state: State, index: int) -> Iterator[tuple[str, State, bool]]:
    if state.lock == index:
        state = state._replace(lock=FREE)
    got = state.actors[index].got
    label = f"is done, with token {got} at hand" if got else "is done, with a failure"
    yield label, self.finish(state, index), False


# --- a logout -------------------------------------------------------------------------------------


@_step("find", "vathos.commands.logout:_log_out")
def _find(self: Protocol, state: State, index: int) -> Iterator[tuple[str, State, bool]]:
    entry = state.store[0]
    at = "delete" if entry == NOTHING else "logout lock"
    yield f"finds {_said(entry)}", self.go(state, index, at), False


@_step("logout lock", "vathos.token_source:CachedSource.revoke")
def _logout_lock(self: Protocol, state: State, index: int) -> Iterator[tuple[str, State, bool]]:
    yield from self.passed(state, index, "read")


@_step("read", "vathos.token_source:CachedSource.revoke")
def _read(self: Protocol, state: State, index: int) -> Iterator[tuple[str, State, bool]]:
    entry = state.store[0]
    yield f"reads {_said(entry)}", self.go(state, index, "revoke", older=entry), False


@_step("revoke", "vathos.token_source:CachedSource.revoke", "vathos.oauth.revocation:revoke")
def _revoke(self: Protocol, state: State, index: int) -> Iterator[tuple[str, State, bool]]:
    server, refresh = state.server, state.actors[index].older[1]
    if server.down:
        yield "cannot revoke, and keeps the token", self.go(state, index, "logout unlock"), False
        return
    if server.is_live(refresh):
        sessions = _with(server.sessions, server.session_of[refresh - 1], 0)
        state = state._replace(server=server._replace(sessions=sessions))
    yield "revokes it at the server", self.go(state, index, "forget", got=1), False


@_step(
    "forget", "vathos.token_source:CachedSource.revoke", "vathos.renewal.cache:TokenCache.forget"
)
def _forget(self: Protocol, state: State, index: int) -> Iterator[tuple[str, State, bool]]:
    yield "deletes the entry", self.go(_deleted(state), index, "logout unlock"), False


@_step("logout unlock", "vathos.token_source:CachedSource.revoke")
def _logout_unlock(self: Protocol, state: State, index: int) -> Iterator[tuple[str, State, bool]]:
    if state.lock == index:
        state = state._replace(lock=FREE)
    at = "delete" if state.actors[index].got else "done"
    yield "gives the lock back", self.go(state, index, at), False


@_step("delete", "vathos.commands.logout:_log_out")
def _delete(self: Protocol, state: State, index: int) -> Iterator[tuple[str, State, bool]]:
    yield "deletes what is in the store", self.go(_deleted(state), index, "done"), False


def _deleted(state: State) -> State:
    """Empties the entry; what had begun with it is not to come back."""
    actors = tuple(
        actor._replace(undone=True) if actor.at in _HAS_LOOKED and actor.older != NOTHING else actor
        for actor in state.actors
    )
    store = (NOTHING, *state.store[1:])
    return state._replace(actors=actors, store=store, excused=True)


def _said(entry: Entry) -> str:
    if entry == NOTHING:
        return "nothing"
    return f"token {entry[0]}" if entry[1] else f"token {entry[0]} without its refresh token"
