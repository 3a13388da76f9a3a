"""Run an authorization server and a protected API on this machine, to develop against.

When it is ready, it prints its URLs, its clients and users and their secrets, which are shown
nowhere else: lines on a terminal, else one line of JSON. It stops on Ctrl-C, on SIGTERM, or with
--until-eof at the end of its standard input. With --background the command ends, and the server
runs until vathos serve --stop.

POST /__vathos__/VERB gives it an order, GET /__vathos__/state shows what happened; both work from
this machine only. A scenario is a file with such orders, each with its time.

It keeps everything in memory, and is not made to protect real data.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import secrets
import ssl
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from vathos.commands.options import seconds
from vathos.commands.serve_background import start
from vathos.commands.serve_background import stop as stop_background
from vathos.commands.serve_process import (
    FORMATS,
    described,
    facts_of,
    log_request,
    log_step,
    until_stopped,
)
from vathos.config.secret_sources import SecretFile
from vathos.errors import ConfigurationError
from vathos.exit_codes import CommandError, Exit
from vathos.system.extras import required
from vathos.testing.accounts import Accounts, Client, User
from vathos.testing.dialects import DIALECTS
from vathos.testing.scenario import Scenario
from vathos.testing.schema import OBJECTS, checked
from vathos.testing.server import AuthorizationServer
from vathos.testing.signed_tokens import ACCESS_TOKEN_ALGORITHMS

__all__ = ["add_arguments", "run"]

Account = TypeVar("Account")

_PORT = 2884  # AUTH on the keys of a telephone
_EXAMPLE_CLIENTS = (Client("picking-robot", "robot-secret"), Client("my-client", "my-secret"))
_EXAMPLE_USERS = (User("ada", "ada-password"),)
_EVERYWHERE = "0.0.0.0"  # noqa: S104 - only with --public
_LISTEN_TO_SIGNALS = 0.5
"""Seconds of one wait: on Windows Ctrl-C gets through only between two."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = """\
examples:
  vathos serve
  eval "$(vathos serve --format env --background)"
  vathos serve --stop
  vathos serve --port 0 --client robot=secret.txt --user ada --token-ttl 60 -v
  vathos serve --scenario night.toml"""
    where = parser.add_argument_group("where it listens")
    where.add_argument("--port", type=_port, help=f"port (default: {_PORT}); 0 for any free one")
    where.add_argument("--host", type=_address, help="IPv4 address (default: 127.0.0.1)")
    where.add_argument(
        "--public",
        action="store_true",
        help="let other machines reach it, without --host on every address of this machine",
    )
    where.add_argument(
        "--tls", metavar="FILE", help="PEM file with certificate and key, to serve https with"
    )
    who = parser.add_argument_group(
        "clients and users",
        "Each can be given several times. Without a file, the secret is random.",
    )
    who.add_argument(
        "--client",
        action="append",
        metavar="ID[=FILE]",
        help="client, and the file with its secret (default: robot)",
    )
    who.add_argument(
        "--user",
        action="append",
        metavar="NAME[=FILE]",
        help="user, and the file with the password (default: ada)",
    )
    who.add_argument(
        "--example",
        action="store_true",
        help="the clients and the user of the examples in the documentation",
    )
    _add_clients_without_secret(parser)
    _add_tokens(parser)
    _add_process(parser)


def _add_process(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scenario", metavar="FILE", help="file with orders, TOML or JSON")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="what is printed: text (default on a terminal); json (default elsewhere); env: "
        "variables for a shell",
    )
    run = parser.add_mutually_exclusive_group()
    run.add_argument(
        "--background", action="store_true", help="leave it running, and end this command"
    )
    run.add_argument(
        "--stop",
        action="store_true",
        help="stop the one in the background, found by VATHOS_CONTROL_URL or --port",
    )
    run.add_argument(
        "--until-eof",
        action="store_true",
        help="stop at the end of standard input, such as when the parent ends",
    )
    parser.add_argument("-v", dest="verbose", action="count", default=0, help="log each request")


def _add_clients_without_secret(parser: argparse.ArgumentParser) -> None:
    who = parser.add_argument_group(
        "clients without a secret",
        "Each can be given several times. The first two need PyJWT and cryptography.",
    )
    who.add_argument(
        "--workload",
        action="append",
        default=[],
        metavar="ID=SUBJECT",
        help="client, and the sub of the workload tokens that prove it",
    )
    who.add_argument(
        "--keys",
        action="append",
        default=[],
        metavar="ID=FILE",
        help="client, and the file with its public keys (JWK set)",
    )
    who.add_argument(
        "--certificate",
        action="append",
        default=[],
        metavar="ID=SUBJECT",
        help="client, and the subject of its certificate, such as CN=robot,O=example",
    )
    who.add_argument(
        "--authority",
        metavar="FILE",
        help="PEM file with the authority of client certificates; needs --tls",
    )


def _add_tokens(parser: argparse.ArgumentParser) -> None:
    tokens = parser.add_argument_group("tokens")
    tokens.add_argument(
        "--token-ttl",
        type=seconds(),
        default=300.0,
        metavar="SECONDS",
        help="how long access tokens live (default: %(default)g)",
    )
    tokens.add_argument(
        "--refresh-ttl",
        type=seconds(),
        default=1800.0,
        metavar="SECONDS",
        help="how long refresh tokens live (default: %(default)g)",
    )
    tokens.add_argument(
        "--jwt",
        choices=ACCESS_TOKEN_ALGORITHMS,
        metavar="ALGORITHM",
        help="make access tokens JWTs, signed with ES256 or RS256; needs PyJWT and cryptography",
    )
    tokens.add_argument(
        "--no-rotate", action="store_true", help="let a refresh token be used more than once"
    )
    tokens.add_argument(
        "--refresh-for-client-credentials",
        action="store_true",
        help="issue refresh tokens to service accounts too",
    )
    tokens.add_argument(
        "--dialect",
        choices=DIALECTS,
        default="rfc",
        help="texts and statuses of refusals (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    if options.stop:
        stop_background(os.environ, options.port, _PORT)
        return Exit.DONE
    if options.background:
        if options.verbose:
            raise CommandError(Exit.USAGE, "--background logs nothing; leave out -v")
        print(described(start(options.arguments), options.format, sys.stdout))
        return Exit.DONE
    return _serve(options)


def _serve(options: argparse.Namespace) -> int:
    host = _host(options)
    clients = [
        *_accounts(Client, "client", options.client or ([] if options.example else ["robot"])),
        *(_EXAMPLE_CLIENTS if options.example else ()),
        *_clients_without_secret(options),
    ]
    if options.jwt:
        required("jwt", "jwt", "--jwt")
    users = [
        *_accounts(User, "user", options.user or ([] if options.example else ["ada"])),
        *(_EXAMPLE_USERS if options.example else ()),
    ]
    scenario = _scenario(options.scenario, clients, users)
    settings = {
        "clients": clients,
        "users": users,
        "access_token_lifetime": options.token_ttl,
        "refresh_token_lifetime": options.refresh_ttl,
        "rotate_refresh_tokens": not options.no_rotate,
        "refresh_for_client_credentials": options.refresh_for_client_credentials,
        "dialect": options.dialect,
        "access_token_algorithm": options.jwt,
        "tls": _tls(options.tls),
        "mtls": _mtls(options.tls, options.authority),
    }
    with (
        until_stopped(until_eof=options.until_eof) as stop,
        _listening(host, options, settings) as server,
    ):
        facts = facts_of(server, host, clients, users)
        print(described(facts, options.format, sys.stdout), flush=True)
        player = threading.Thread(
            target=scenario.play, args=(server, stop, log_step), name="vathos-scenario", daemon=True
        )
        player.start()
        while not stop.wait(_LISTEN_TO_SIGNALS):
            if server.is_to_stop:
                stop.wait(_LISTEN_TO_SIGNALS)  # the answer to the order leaves before
                stop.set()
        player.join()
    return Exit.DONE


def _accounts(
    kind: Callable[[str, str], Account], option: str, given: Sequence[str]
) -> list[Account]:
    """Makes clients or users of what an option gives: `ID`, or `ID=FILE` with the secret."""
    names = [text.partition("=")[0] for text in given]
    for name in names:
        if not name:
            raise CommandError(
                Exit.USAGE, f"--{option} takes a name first, as in --{option} NAME=FILE"
            )
        if names.count(name) > 1:
            raise CommandError(Exit.USAGE, f"--{option} {name} is given twice")
    return [kind(name, _secret(option, text)) for name, text in zip(names, given, strict=True)]


def _clients_without_secret(options: argparse.Namespace) -> list[Client]:
    """Makes the clients that prove themselves by a workload, keys or a certificate."""
    workloads = _pairs("workload", options.workload)
    keys = _pairs("keys", options.keys)
    certificates = _pairs("certificate", options.certificate)
    if workloads or keys:
        required("jwt", "jwt", "a client without a secret")
    if certificates and not options.authority:
        raise CommandError(Exit.USAGE, "--certificate needs --authority")
    return [
        *(Client(name, workload=subject) for name, subject in workloads),
        *(Client(name, jwks=_jwks(path)) for name, path in keys),
        *(Client(name, certificate=subject) for name, subject in certificates),
    ]


def _pairs(option: str, given: Sequence[str]) -> list[tuple[str, str]]:
    pairs = [text.partition("=") for text in given]
    if any(not (name and value) for name, _, value in pairs):
        raise CommandError(Exit.USAGE, f"--{option} takes a name and a value: --{option} ID=VALUE")
    return [(name, value) for name, _, value in pairs]


def _jwks(path: str) -> dict[str, Any]:
    try:
        return checked(
            json.loads(Path(path).read_bytes()), "the file", {"keys": OBJECTS}, needed=["keys"]
        )
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except ValueError as error:
        reason = f"is no JWK set: {error}"
    raise CommandError(Exit.CONFIGURATION, f"--keys {path} {reason}")


def _secret(option: str, text: str) -> str:
    name, equals, path = text.partition("=")
    if not equals:
        return secrets.token_urlsafe(16)
    try:
        return SecretFile(f"--{option} {name}=FILE", path)()
    except ConfigurationError as error:
        reason = str(error)
    # Without the path: people put the secret itself in its place.
    raise CommandError(Exit.CONFIGURATION, reason.replace(f" {path} ", " ", 1))


def _host(options: argparse.Namespace) -> str:
    """Finds the address to listen on; one that others can reach only with --public."""
    host: str = options.host or (_EVERYWHERE if options.public else "127.0.0.1")
    if ipaddress.ip_address(host).is_loopback:
        return host
    if not options.public:
        raise CommandError(
            Exit.UNSAFE,
            f"other machines could reach {host}, and get tokens and secrets; add --public if "
            "that is what you want",
        )
    print(
        f"vathos: WARNING: every machine that can reach {host} can use this server, and read what "
        f"is sent to it{'' if options.tls else ' without TLS'}; never give it real secrets",
        file=sys.stderr,
    )
    return host


def _scenario(path: str | None, clients: list[Client], users: list[User]) -> Scenario:
    if path is None:
        return Scenario(())
    known = Accounts(clients, users, lock=threading.RLock(), lockout=False).known()
    try:
        return Scenario.read(Path(path), known)
    except OSError as error:
        raise CommandError(
            Exit.CONFIGURATION, f"the scenario {path} cannot be read: {error.strerror}"
        ) from None
    except ValueError as error:
        raise CommandError(Exit.CONFIGURATION, str(error)) from None


def _tls(path: str | None) -> ssl.SSLContext | None:
    if path is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(path)
    except OSError as error:  # an SSLError is one
        reason = getattr(error, "reason", None) or error.strerror
        raise CommandError(
            Exit.CONFIGURATION, f"--tls {path} gives no certificate with its key: {reason}"
        ) from None
    return context


def _mtls(path: str | None, authority: str | None) -> ssl.SSLContext | None:
    """Makes the TLS settings of the port that asks for client certificates."""
    if authority is None:
        return None
    context = _tls(path)
    if context is None:
        raise CommandError(Exit.USAGE, "--authority needs --tls")
    context.verify_mode = ssl.CERT_OPTIONAL
    try:
        context.load_verify_locations(authority)
    except OSError as error:  # an SSLError is one
        reason = getattr(error, "reason", None) or error.strerror
        raise CommandError(
            Exit.CONFIGURATION, f"--authority {authority} gives no certificate: {reason}"
        ) from None
    return context


def _listening(
    host: str, options: argparse.Namespace, settings: dict[str, Any]
) -> AuthorizationServer:
    try:
        return AuthorizationServer(
            host=host,
            port=_PORT if options.port is None else options.port,
            control=True,
            on_request=log_request if options.verbose else None,
            **settings,
        )
    except OSError as error:
        raise CommandError(
            Exit.CONFIGURATION,
            f"cannot listen on {host}:{options.port or _PORT}: {error.strerror}; choose another "
            "--port, or --port 0 for any free one",
        ) from None


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:  # noqa: PLR2004 - the highest port
        raise argparse.ArgumentTypeError("must be a number from 0 to 65535")
    return int(text)


def _address(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address("127.0.0.1" if text == "localhost" else text))
    except ValueError:
        raise argparse.ArgumentTypeError("must be an IPv4 address such as 127.0.0.1") from None
