"""The alert rules: Prometheus takes them, each fires when it should, and each has its page."""

import json
import re
import subprocess
from pathlib import Path

from tests.support.prometheus.alert_cases import CASES, Case, input_series
from tests.support.prometheus.programs import ROOT, program
from tests.support.prometheus.queries import RULES, alerts

_PAGE = "docs/how-to/alerts.md"


def test_prometheus_takes_the_rules_and_the_configuration(tmp_path: Path) -> None:
    _run("check", "rules", str(RULES))
    config = (RULES.parent / "prometheus.yaml").read_text()
    (tmp_path / "token").touch()
    (tmp_path / "rules.yaml").write_text(RULES.read_text())
    (tmp_path / "prometheus.yaml").write_text(config.replace("/tmp/metrics-token", "token"))
    _run("check", "config", str(tmp_path / "prometheus.yaml"))


def test_each_alert_fires_when_it_should_and_no_other_one(tmp_path: Path) -> None:
    document = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "15s",
        "tests": [_test(number, case) for number, case in enumerate(CASES)],
    }
    file = tmp_path / "tests.yaml"
    file.write_text(json.dumps(document))  # JSON is YAML
    _run("test", "rules", str(file))


def _test(number: int, case: Case) -> dict[str, object]:
    """Return a test of promtool: it asks which alerts fire at the end."""
    firing = [{"labels": f'{{alertname="{case.alert}"}}', "value": 1}] if case.fires else []
    asked = 'count by (alertname) (count by (alertname, alertstate) (ALERTS{alertstate="firing"}))'
    return {
        "name": f"{number}: {case.alert or 'all is well'}",
        "interval": "1m",
        "input_series": input_series(case),
        "promql_expr_test": [{"expr": asked, "eval_time": case.at, "exp_samples": firing}],
    }


def test_every_alert_has_a_case() -> None:
    assert {each.alert for each in CASES if each.fires} == {rule["alert"] for rule in alerts()}


def test_every_alert_has_a_part_of_the_page_and_every_part_an_alert() -> None:
    text = (ROOT / _PAGE).read_text("utf-8")
    headings = re.findall(r"^### (\w+)$", text, re.MULTILINE)
    assert sorted(headings) == sorted(rule["alert"] for rule in alerts())
    for rule in alerts():
        assert rule["annotations"]["runbook_url"] == f"{_PAGE}#{rule['alert'].lower()}"


def _run(*arguments: str) -> None:
    done = subprocess.run(
        [program("promtool"), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
