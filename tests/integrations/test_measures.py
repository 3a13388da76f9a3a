"""Measures of token sources, for Prometheus and for OpenTelemetry, and the pages about them."""

from __future__ import annotations

import json
import re
from typing import Any

import prometheus_client
import pytest

import vathos
from tests.house.examples import ROOT
from vathos.errors import VathosError
from vathos.integrations.measures import COUNTERS, GAUGES
from vathos.integrations.prometheus import SourceCollector
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Fault

DASHBOARD = ROOT / "docs" / "guide" / "grafana.json"
ALERTS = ROOT / "docs" / "guide" / "alerts.json"
PAGE = ROOT / "docs" / "guide" / "integrations.md"
NAMES = {
    *(f"vathos_{measure.name}_total" for measure in COUNTERS.values()),
    *(f"vathos_{measure.name}" for measure in GAUGES.values()),
}


@pytest.fixture
def robot(vathos_server: AuthorizationServer) -> Any:
    """A source to which something has happened: two renewals, a replay, a failure."""
    robot = vathos.source(**vathos_server.service_account, store=MemoryStore())
    with vathos.VathosSession(source=robot) as session:
        session.get("x")
        vathos_server.revoke_access_tokens()
        session.get("x")
    vathos_server.fail("token", Fault.status(503), times=None)
    with pytest.raises(VathosError):
        robot.token(rejected=robot.token(), timeout=0.3)
    return robot


def expected(robot: Any) -> dict[str, float]:
    """What must be reported of it."""
    stats = robot.stats()
    return {
        "token_renewals": 2,
        "request_replays": 1,
        "credentials_refusals": 0,
        "token_requests": stats.token_requests,
        "token_renewal_failures": stats.renewal_failures,
        "token_served_stale": stats.served_stale,
        "token_longest_wait_seconds": stats.longest_wait,
        "token_expiry_timestamp_seconds": robot.token().expires_at,
    }


def test_prometheus_gets_counters_and_expiry(robot: Any) -> None:
    """A scrape reads what is counted, by the hash that names the identity, and no secret."""
    registry = prometheus_client.CollectorRegistry()
    SourceCollector(robot, registry=registry)
    text = prometheus_client.generate_latest(registry).decode()
    values = {
        name: float(value)
        for name, value in re.findall(rf'(?m)^(\w+){{identity="{robot.name}"}} (\S+)$', text)
    }
    wanted = expected(robot)
    for name, value in wanted.items():
        full = f"vathos_{name}"
        assert values.pop(full if full in values else f"{full}_total") == value, name
    assert not values
    assert robot.token().access_token not in text
    assert "robot-secret" not in text


def test_prometheus_says_that_there_is_no_token(vathos_server: AuthorizationServer) -> None:
    """Before the first token the expiry is 0, and a scrape asks no server."""
    registry = prometheus_client.CollectorRegistry()
    robot = vathos.source(**vathos_server.service_account, store=MemoryStore())
    SourceCollector(robot, registry=registry)
    labels = {"identity": robot.name}
    assert registry.get_sample_value("vathos_token_expiry_timestamp_seconds", labels) == 0
    assert registry.get_sample_value("vathos_token_requests_total", labels) == 0
    assert vathos_server.count() == 0


@pytest.mark.integrations
def test_opentelemetry_gets_counters_and_expiry(robot: Any) -> None:
    """The same measures as observable instruments, with the identity as an attribute."""
    sdk = pytest.importorskip("opentelemetry.sdk.metrics", reason=".[integrations]")
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: PLC0415 - as above

    from vathos.integrations.opentelemetry import measure_sources  # noqa: PLC0415 - as above

    reader = InMemoryMetricReader()
    provider = sdk.MeterProvider(metric_readers=[reader])
    measure_sources(robot, meter_provider=provider)
    data = reader.get_metrics_data()
    [scope] = data.resource_metrics[0].scope_metrics
    seen = {}
    for metric in scope.metrics:
        [point] = metric.data.data_points
        assert point.attributes == {"vathos.identity": robot.name}
        seen[metric.name] = point.value
    wanted = {f"vathos.{name.removesuffix('_seconds')}": v for name, v in expected(robot).items()}
    assert seen == wanted
    provider.shutdown()


def test_dashboard_shows_measures_that_exist() -> None:
    """The dashboard is JSON that Grafana takes, and each of its queries is about our measures."""
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    assert {"title", "uid", "schemaVersion", "panels"} <= dashboard.keys()
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids) >= 6
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert {name for expr in asked for name in re.findall(r"vathos_\w+", expr)} == NAMES


def test_alert_rules_are_three_and_about_measures_that_exist() -> None:
    """Prometheus reads JSON as YAML; each rule has what it needs, and is shown on the page."""
    [group] = json.loads(ALERTS.read_text(encoding="utf-8"))["groups"]
    assert len(group["rules"]) == 3
    page = PAGE.read_text(encoding="utf-8")
    for rule in group["rules"]:
        assert {"alert", "expr", "for", "labels", "annotations"} == rule.keys()
        names = set(re.findall(r"vathos_\w+", rule["expr"]))
        assert names
        assert names <= NAMES
        assert f"`{rule['alert']}`" in page
    assert "](alerts.json)" in page
    assert "](grafana.json)" in page
