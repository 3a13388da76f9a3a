"""Print, decoded, the client assertion that a token request would carry.

The assertion is made or read as for a token request, and not sent. Header and claims are printed as
JSON, so that they can be compared with what the server expects; the signature is left out, so that
nobody can use what is printed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from vathos.cli import Parser
from vathos.commands.options import add_settings, log_to_stderr, settings_of
from vathos.exit_codes import CommandError, Exit
from vathos.oauth.assertions import claims_of, header_of

__all__ = ["add_arguments", "run"]


def add_arguments(parser: Parser) -> None:
    parser.epilog = """\
examples:
  vathos assertion --profile robot
  vathos assertion --client-id robot --client-key-file robot.pem"""
    add_settings(parser, without=("base_url", "timeout"))


def run(options: argparse.Namespace) -> int:
    log_to_stderr(options)
    settings = settings_of(options)
    from vathos.assembly import build_endpoint  # noqa: PLC0415 - loads the HTTP library

    grant = settings.grant().settled()
    form, _ = build_endpoint(settings).authenticated(grant, {}, settings.token_timeout)
    if "client_assertion" not in form:
        raise CommandError(
            Exit.CONFIGURATION,
            "this client does not prove who it is by an assertion; set VATHOS_CLIENT_KEY_FILE or "
            "VATHOS_CLIENT_ASSERTION_FILE",
        )
    told = _decoded(form)
    if not told["claims"]:
        raise CommandError(
            Exit.CONFIGURATION, "the client assertion is no JWT, so there is nothing to decode"
        )
    print(json.dumps(told, indent=2, default=str))
    return Exit.DONE


def _decoded(form: Mapping[str, str]) -> dict[str, Any]:
    rest = {name: value for name, value in form.items() if name != "client_assertion"}
    assertion = form["client_assertion"]
    return {**rest, "header": header_of(assertion), "claims": claims_of(assertion)}
