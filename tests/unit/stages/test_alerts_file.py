"""The alerts file: defaults, overrides, webhooks by reference, and one line for everything that is wrong."""

from __future__ import annotations

import pytest

from voc_stream.stages.alert_rules import AlertRules, SentimentRule
from voc_stream.stages.alerts_file import AlertsFileError, parse_alerts

SECRET = "a-made-up-secret-of-length"
ENVIRONMENT = {"ACME_SECRET": SECRET, "ACME_URL": "https://hooks.example.com/T0/very-private", "SHORT": "abc", "EMPTY": ""}
DEFAULTS = """
[defaults.rules.low]
metric = "mean_sentiment"
raise_below = -0.3
clear_above = -0.1

[defaults.rules.complaints]
metric = "complaint_share"
raise_above = 0.3
clear_below = 0.2
window_minutes = 60
"""
HOOK = '[tenants.acme.webhook]\nurl = "{url}"\nsecret = "{secret}"\n'


def parse(text: str, *, https_only: bool = True) -> AlertRules:
    return parse_alerts(text, ENVIRONMENT, https_only=https_only)


def problem(text: str, *, https_only: bool = True) -> str:
    with pytest.raises(AlertsFileError) as caught:
        parse(text, https_only=https_only)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def hook(url: str = "env:ACME_URL", secret: str = "env:ACME_SECRET") -> str:  # noqa: S107 - a reference
    return HOOK.format(url=url, secret=secret)


def test_an_empty_file_has_no_rules() -> None:
    assert parse("") == AlertRules()


def test_a_tenant_that_the_file_does_not_name_has_the_defaults() -> None:
    rules = parse(DEFAULTS)
    assert set(rules.of("anybody").rules) == {"low", "complaints"}
    assert rules.windows == [15, 60]
    assert rules.smallest_count == 20


def test_a_tenant_s_rule_changes_what_it_names_and_keeps_the_rest() -> None:
    low = parse(DEFAULTS + "[tenants.acme.rules.low]\nraise_below = -0.2\n").of("acme").rules["low"]
    assert isinstance(low, SentimentRule)
    assert (low.raise_below, low.clear_above) == (-0.2, -0.1)


def test_a_tenant_switches_a_default_off() -> None:
    rules = parse(DEFAULTS + "[tenants.acme.rules.low]\nenabled = false\n")
    assert set(rules.of("acme").rules) == {"complaints"}
    assert set(rules.of("other").rules) == {"low", "complaints"}


def test_a_webhook_s_url_and_secret_come_from_the_environment_and_never_show() -> None:
    webhook = parse(hook()).of("acme").webhook
    assert webhook is not None
    assert (webhook.url, webhook.secret) == (ENVIRONMENT["ACME_URL"], SECRET.encode())
    assert SECRET not in repr(webhook)
    assert "very-private" not in repr(webhook)


def test_a_tenant_without_a_webhook_has_the_default_one_if_there_is_one() -> None:
    rules = parse(hook().replace("tenants.acme", "defaults") + "[tenants.acme]\n")
    assert rules.of("acme").webhook == rules.of("other").webhook is not None
    assert parse(hook()).of("other").webhook is None


def test_a_webhook_in_the_clear_passes_in_dev_only() -> None:
    text = hook("http://127.0.0.1:9/x")
    assert parse(text, https_only=False).of("acme").webhook is not None
    assert problem(text) == "tenants.acme.webhook.url: must be https outside dev"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[defaults", "not TOML: "),
        ("[else]", "else: Extra inputs"),
        ("[tenants.acme.rules.low]\nraise_below = -0.5", "tenants.acme.rules.low: Unable to extract tag"),
        (DEFAULTS.replace("-0.3", "-3"), "defaults.rules.low: raise_below: Input should be greater than or equal to -1"),
        (DEFAULTS.replace("-0.3", "nan"), "defaults.rules.low: raise_below: Input should be less than or equal to 1"),
        (DEFAULTS.replace("-0.1", "-0.3"), "defaults.rules.low: clear_above must be greater than raise_below"),
        (DEFAULTS.replace("0.2", "0.4"), "defaults.rules.complaints: clear_below must be less than raise_above"),
        (DEFAULTS.replace("window_minutes", "window"), "defaults.rules.complaints: window: Extra inputs"),
        (DEFAULTS.replace("= 60", "= 0"), "defaults.rules.complaints: window_minutes: Input should be greater"),
        ('[defaults.rules."Bad Name"]', "defaults.rules.Bad Name"),
        (hook(secret=SECRET), 'tenants.acme.webhook.secret: write "env:NAME"'),
        (hook(secret="env:NOWHERE"), "tenants.acme.webhook.secret: the environment has no NOWHERE"),
        (hook(secret="env:EMPTY"), "tenants.acme.webhook.secret: the environment has no EMPTY"),
        (hook(secret="env:SHORT"), "tenants.acme.webhook.secret: shorter than 16"),
        (hook("ftp://x/"), "tenants.acme.webhook.url: not a URL"),
        (hook("https://"), "tenants.acme.webhook.url: not a URL"),
        (hook("https://h:99999/"), "tenants.acme.webhook.url: not a URL"),
        (hook("https://[::1/"), "tenants.acme.webhook.url: not a URL"),
        (hook("https://h/ x"), "tenants.acme.webhook.url: not a URL"),
        (hook("https://me:very-private@h/"), "tenants.acme.webhook.url: must have neither user"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_its_place(text: str, said: str) -> None:
    found = problem(text)
    assert found.startswith(said)
    assert SECRET not in found
    assert "very-private" not in found
