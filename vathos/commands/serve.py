"""Run an authorization server and a protected API on this machine, to develop against.

When it listens, one line of JSON on standard output tells where it is and what its clients and
users are called; secrets are in that line and nowhere else. It ends with Ctrl-C, with SIGTERM, or
with --until-eof when its standard input ends.

POST /__vathos__/VERB gives orders to it, GET /__vathos__/state tells what happened; both work from
this machine only. A scenario is a file with such orders, each with its time.

It keeps everything in memory, and is nothing to protect real data with.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import ssl
import sys
import threading
from pathlib import Path
from typing import Any

from vathos.commands.accounts import accounts_of
from vathos.commands.serve_process import facts_of, tell_request, tell_step, until_stopped
from vathos.exit_codes import CommandError, Exit
from vathos.testing.accounts import Accounts, Client, User
from vathos.testing.dialects import DIALECTS
from vathos.testing.scenario import Scenario
from vathos.testing.server import AuthorizationServer

__all__ = ["add_arguments", "run"]

_PORT = 2884  # AUTH on the keys of a telephone
_EVERYWHERE = "0.0.0.0"  # noqa: S104 - only for those who say --public
_LISTEN_TO_SIGNALS = 0.5
"""Seconds after which waiting is begun anew: on Windows nothing else lets Ctrl-C through."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describes the options of the command.

    Args:
        parser: The parser of the command.
    """
    where = parser.add_argument_group("where it listens")
    where.add_argument(
        "--port",
        type=_port,
        default=_PORT,
        help="port (default: %(default)s); 0 for any free one",
    )
    where.add_argument("--host", type=_address, help="IPv4 address (default: 127.0.0.1)")
    where.add_argument(
        "--public",
        action="store_true",
        help="let other machines reach it; without --host at every address of this machine",
    )
    where.add_argument(
        "--tls", metavar="FILE", help="PEM file with certificate and key, to serve https with"
    )
    who = parser.add_argument_group(
        "clients and users",
        "Each can be given several times. Without a file for it, a secret is made up.",
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
    _add_tokens(parser)
    parser.add_argument("--scenario", metavar="FILE", help="file with orders, TOML or JSON")
    parser.add_argument(
        "--until-eof", action="store_true", help="end when standard input ends, as with its parent"
    )
    parser.add_argument(
        "-v", dest="verbose", action="count", default=0, help="tell of each request"
    )


def _add_tokens(parser: argparse.ArgumentParser) -> None:
    tokens = parser.add_argument_group("tokens")
    tokens.add_argument(
        "--token-ttl",
        type=_seconds,
        default=300.0,
        metavar="SECONDS",
        help="how long access tokens live (default: %(default)g)",
    )
    tokens.add_argument(
        "--refresh-ttl",
        type=_seconds,
        default=1800.0,
        metavar="SECONDS",
        help="how long refresh tokens live (default: %(default)g)",
    )
    tokens.add_argument(
        "--no-rotate", action="store_true", help="let a refresh token be used again and again"
    )
    tokens.add_argument(
        "--refresh-for-client-credentials",
        action="store_true",
        help="give refresh tokens to service accounts too",
    )
    tokens.add_argument(
        "--dialect",
        choices=DIALECTS,
        default="rfc",
        help="words and statuses of refusals (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Runs the command.

    Args:
        options: The options.

    Returns:
        The exit status.
    """
    host = _host(options)
    clients = accounts_of(Client, "client", options.client or ["robot"])
    users = accounts_of(User, "user", options.user or ["ada"])
    scenario = _scenario(options.scenario, clients, users)
    settings = {
        "clients": clients,
        "users": users,
        "access_token_lifetime": options.token_ttl,
        "refresh_token_lifetime": options.refresh_ttl,
        "rotate_refresh_tokens": not options.no_rotate,
        "refresh_for_client_credentials": options.refresh_for_client_credentials,
        "dialect": options.dialect,
        "tls": _tls(options.tls),
    }
    with (
        until_stopped(until_eof=options.until_eof) as stop,
        _listening(host, options, settings) as server,
    ):
        print(json.dumps(facts_of(server, host, clients, users)), flush=True)
        player = threading.Thread(
            target=scenario.play,
            args=(server, stop, tell_step),
            name="vathos-scenario",
            daemon=True,
        )
        player.start()
        while not stop.wait(_LISTEN_TO_SIGNALS):
            pass
        player.join()
    return Exit.DONE


def _host(options: argparse.Namespace) -> str:
    """Finds the address to listen on; one that others can reach only if that was said."""
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


def _listening(
    host: str, options: argparse.Namespace, settings: dict[str, Any]
) -> AuthorizationServer:
    try:
        return AuthorizationServer(
            host=host,
            port=options.port,
            control=True,
            on_request=tell_request if options.verbose else None,
            **settings,
        )
    except OSError as error:
        raise CommandError(
            Exit.CONFIGURATION,
            f"cannot listen on {host}:{options.port}: {error.strerror}; choose another --port, or "
            "--port 0 for any free one",
        ) from None


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:  # noqa: PLR2004 - the last one there is
        raise argparse.ArgumentTypeError("must be a number from 0 to 65535")
    return int(text)


def _address(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address("127.0.0.1" if text == "localhost" else text))
    except ValueError:
        raise argparse.ArgumentTypeError("must be an IPv4 address such as 127.0.0.1") from None


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("must be a number of seconds above 0")
    return value
