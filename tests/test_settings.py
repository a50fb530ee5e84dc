"""What an operator can set, and how a mistake is refused."""

from __future__ import annotations

import os

import pytest

from streams.core.cascade import CascadeRule
from streams.core.context_rule import ContextRule
from streams.core.crowding_rule import CrowdingRule
from streams.settings import Settings, variables

PASSWORD = "correct horse"


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch):
    for name in [name for name in os.environ if name.upper().startswith("STREAMS_")]:
        monkeypatch.delenv(name)


def refusal(**values):
    with pytest.raises(ValueError) as refused:
        Settings(**values)
    assert type(refused.value) is ValueError
    return str(refused.value)


def login(**values):
    return {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_username": "ann",
        "sasl_password": PASSWORD,
    } | values


def test_the_defaults_are_those_of_a_broker_on_this_machine():
    settings = Settings()

    assert ("localhost:9092", "avro", None, "127.0.0.1") == (
        settings.broker,
        settings.value_format,
        settings.registry_url,
        settings.web_host,
    )


def test_every_setting_is_described():
    assert [] == [name for name, field in variables().items() if not field.description]


def test_the_environment_is_read(monkeypatch):
    monkeypatch.setenv("STREAMS_LATENESS_MS", "2500")

    assert 2500 == Settings().lateness_ms


def test_a_misspelled_variable_is_refused_by_name_with_the_nearest_setting(monkeypatch):
    monkeypatch.setenv("STREAMS_LATENES_MS", "2500")

    assert "STREAMS_LATENES_MS is not a setting; did you mean STREAMS_LATENESS_MS?" == refusal()


def test_a_misspelled_variable_in_lower_case_is_refused_too(monkeypatch):
    monkeypatch.setenv("streams_brokr", "a:1")

    assert refusal().startswith("streams_brokr is not a setting; did you mean ")


def test_a_misspelled_keyword_is_refused():
    assert "lateness is not a setting; did you mean lateness_ms?" == refusal(lateness=1)


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Settings().lateness_ms = 1


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"lateness_ms": -1}, "STREAMS_LATENESS_MS must be greater than or equal to 0, was -1"),
        ({"lateness_ms": 90_000_000}, "STREAMS_LATENESS_MS must be less than or equal to 43200000, was 90000000"),
        ({"web_port": "tcp://10.0.0.1:80"}, "STREAMS_WEB_PORT must be a valid integer, was tcp://10.0.0.1:80"),
        ({"web_port": 65_536}, "STREAMS_WEB_PORT must be less than or equal to 65535, was 65536"),
        ({"value_format": "xml"}, "STREAMS_VALUE_FORMAT must be 'avro' or 'json', was xml"),
        (
            {"security_protocol": "SASL_TLS"},
            "STREAMS_SECURITY_PROTOCOL must be 'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or 'SASL_SSL', was SASL_TLS",
        ),
        ({"broker": "a:1,b:65536"}, "STREAMS_BROKER must have ports from 1 to 65535, was 'a:1,b:65536'"),
        ({"broker": "a:0"}, "STREAMS_BROKER must have ports from 1 to 65535, was 'a:0'"),
        ({"broker": "a:²"}, "STREAMS_BROKER must be host:port, several with commas, was 'a:²'"),
        ({"broker": "localhost"}, "STREAMS_BROKER must be host:port, several with commas, was 'localhost'"),
        ({"broker": "kafka://a:1"}, "STREAMS_BROKER must be host:port, several with commas, was 'kafka://a:1'"),
        ({"registry_url": "ftp://a"}, "STREAMS_REGISTRY_URL must begin with http:// or https://, was 'ftp://a'"),
        ({"ssl_cafile": "/absent.pem"}, "STREAMS_SSL_CAFILE must name a file, was '/absent.pem'"),
        ({"registry_cafile": "/absent.pem"}, "STREAMS_REGISTRY_CAFILE must name a file, was '/absent.pem'"),
        (
            {"flush_interval_ms": 1_000, "transaction_timeout_ms": 1_000},
            "STREAMS_FLUSH_INTERVAL_MS must be below STREAMS_TRANSACTION_TIMEOUT_MS=1000, was 1000",
        ),
        (
            {"sasl_username": "ann"},
            (
                "STREAMS_SASL_MECHANISM, _USERNAME and _PASSWORD need STREAMS_SECURITY_PROTOCOL="
                "SASL_SSL or SASL_PLAINTEXT, was PLAINTEXT"
            ),
        ),
        (
            {"registry_username": "ann"},
            "STREAMS_REGISTRY_USERNAME and STREAMS_REGISTRY_PASSWORD need each other",
        ),
    ],
)
def test_a_mistake_is_one_sentence_with_the_operators_name_the_rule_and_the_value(values, sentence):
    assert sentence == refusal(**values)


def test_a_day_of_duplicates_is_allowed_and_a_millisecond_more_is_not():
    assert 86_400_000 == Settings(duplicate_horizon_ms=86_400_000).duplicate_horizon_ms
    assert refusal(duplicate_horizon_ms=86_400_001).startswith("STREAMS_DUPLICATE_HORIZON_MS must be less than")


def test_a_flush_interval_just_below_the_transaction_time_out_is_allowed():
    assert 999 == Settings(flush_interval_ms=999, transaction_timeout_ms=1_000).flush_interval_ms


def test_a_certificate_without_its_key_is_refused(tmp_path):
    certificate = tmp_path / "our.pem"
    certificate.touch()

    assert "STREAMS_SSL_CERTFILE and STREAMS_SSL_KEYFILE need each other" == refusal(ssl_certfile=certificate)


def test_symbols_are_given_with_commas(monkeypatch):
    monkeypatch.setenv("STREAMS_SYMBOLS_ALLOWED", "BTCUSDT, ETHUSDT,")

    assert {"BTCUSDT", "ETHUSDT"} == Settings().symbols_allowed


def test_several_brokers_are_given_with_commas():
    assert "a:9092,b:9093" == Settings(broker="a:9092,b:9093").broker


def test_the_slash_at_the_end_of_the_registry_does_not_matter():
    assert "http://registry:8081" == Settings(registry_url="http://registry:8081/").registry_url


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http://:8081",
        "http://my registry:8081",
        "http://registry:port",
        "http://registry:0",
        "http://registry:65536",
        "http://[::1",
        "http://a..b",
        "http://registry#a",
        "http://registry:8081\n",
    ],
)
def test_a_registry_that_can_never_be_asked_is_refused(url):
    sentence = "STREAMS_REGISTRY_URL must name a host, and a port from 1 to 65535 if any, without blanks, ? or #"

    assert f"{sentence}, was {url!r}" == refusal(registry_url=url)
    assert sentence == refusal(registry_url=f"http://registry:8081?token={PASSWORD}")


@pytest.mark.parametrize(
    "url", ["HTTPS://registry", "http://[::1]:65535/a/b", "http://127.0.0.1:1", "http://my_registry"]
)
def test_a_registry_that_can_be_asked_is_not_refused(url):
    assert url == Settings(registry_url=url).registry_url


def test_a_password_is_not_shown():
    settings = Settings(**login())

    assert PASSWORD == settings.sasl_password.get_secret_value()
    assert PASSWORD not in repr(settings) + str(settings)


@pytest.mark.parametrize("lacking", ["sasl_mechanism", "sasl_username", "sasl_password"])
def test_a_login_needs_all_its_parts_and_the_refusal_does_not_show_the_password(lacking):
    sentence = refusal(**login(**{lacking: None}))

    assert sentence.startswith("STREAMS_SECURITY_PROTOCOL=SASL_SSL needs STREAMS_SASL_MECHANISM, ")
    assert PASSWORD not in sentence


@pytest.mark.parametrize("name", ["sasl_password", "registry_password"])
def test_a_password_can_come_from_a_file_and_its_line_end_is_not_part_of_it(name, tmp_path):
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\r\n")
    values = login(sasl_password="x", registry_username="ann", registry_password="x")
    del values[name]

    settings = Settings(**values, **{f"{name}_file": path})

    assert PASSWORD == getattr(settings, name).get_secret_value()


def test_a_password_and_a_file_for_it_exclude_each_other(tmp_path):
    sentence = refusal(**login(sasl_password_file=tmp_path / "password"))

    assert "STREAMS_SASL_PASSWORD and STREAMS_SASL_PASSWORD_FILE exclude each other" == sentence


def test_a_password_file_that_is_not_there_is_refused(tmp_path):
    path = tmp_path / "absent"

    assert (
        f"STREAMS_REGISTRY_PASSWORD_FILE must name a readable file, was '{path}': No such file or directory"
        == refusal(registry_username="ann", registry_password_file=path)
    )


def test_a_password_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "password"
    path.write_bytes(b"\xff\xfe")

    assert refusal(registry_username="ann", registry_password_file=path).endswith(": not UTF-8")


@pytest.mark.parametrize("scheme", ["http://", "", "//", "http:", "htp://", "http://registry/"])
def test_a_password_inside_the_registry_url_is_refused_and_not_repeated(scheme):
    sentence = refusal(registry_url=f"{scheme}ann:{PASSWORD}@registry:8081")

    assert sentence.startswith("STREAMS_REGISTRY_URL must not hold a password")
    assert PASSWORD not in sentence


def test_a_password_inside_a_brokers_address_is_refused_and_not_repeated():
    assert "STREAMS_BROKER must be host:port, several with commas" == refusal(broker=f"ann:{PASSWORD}@kafka:9092")


@pytest.mark.parametrize("name", ["sasl_password_file", "registry_password_file", "ssl_certfile", "ssl_keyfile"])
@pytest.mark.parametrize("secret", [PASSWORD, f"-----BEGIN PRIVATE KEY-----\n{PASSWORD}" + "A" * 5_000])
def test_a_secret_that_stands_where_its_file_should_be_named_is_not_repeated(name, secret, monkeypatch):
    monkeypatch.setenv(f"STREAMS_{name.upper()}", secret)

    sentence = refusal()

    assert sentence.startswith(f"STREAMS_{name.upper()} must name a ")
    assert PASSWORD not in sentence


# ---------------------------------------------------------------- thresholds

SCOPES = {"instrument": 1_000_000, "asset": 1_750_000, "exchange": 2_000_000, "market": 10_000_000}


def thresholds(settings):
    return {scope: getattr(settings, f"cascade_{scope}") for scope in SCOPES}


def default(scope, **changed):
    assets_min = 3 if scope == "market" else 0
    return CascadeRule(**({"floor_micro_usd": SCOPES[scope] * 1_000_000, "assets_min": assets_min} | changed))


def test_the_thresholds_are_those_of_the_rules_unless_they_are_set():
    settings = Settings()

    assert {scope: default(scope) for scope in SCOPES} == {
        scope: each.rule() for scope, each in thresholds(settings).items()
    }
    assert CrowdingRule() == settings.crowding.rule()
    assert ContextRule(instruments_max=7) == settings.context.rule(7)


@pytest.mark.parametrize(
    ("field", "text", "rule"),
    [
        ("FLOOR_USD", "2500000.5", default("market", floor_micro_usd=2_500_000_500_000)),
        ("MULTIPLE", "0", default("market", multiple=0)),
        ("HOUR_MIN", "1", default("market", hour_min=1)),
        ("SHARE_MIN", "0.7", default("market", share_min=700)),
        ("MULTIPLES", "2, 2,4", default("market", multiples=(2, 2, 4))),
        ("HOUR_MULTIPLES", "3,9,27", default("market", hour_multiples=(3, 9, 27))),
        ("PEAK_FALL", "0.001", default("market", peak_fall=1)),
        ("RELEASE", "1", default("market", release=1000)),
        ("QUIET_MS", "600000", default("market", quiet_ms=600_000)),
        ("ASSETS_MIN", "0", default("market", assets_min=0)),
    ],
)
def test_a_threshold_is_set_for_one_scope_and_leaves_the_others(monkeypatch, field, text, rule):
    monkeypatch.setenv(f"STREAMS_CASCADE_MARKET_{field}", text)

    found = thresholds(Settings())

    assert rule == found.pop("market").rule()
    assert [default(scope) for scope in found] == [each.rule() for each in found.values()]


def test_every_threshold_of_a_cascade_can_be_set_for_every_scope_and_assets_for_the_market():
    names = {name.removeprefix("STREAMS_CASCADE_") for name in variables() if name.startswith("STREAMS_CASCADE_")}

    fields = Settings().cascade_asset.model_dump()
    assert {f"{scope}_{field}".upper() for scope in SCOPES for field in fields} | {"MARKET_ASSETS_MIN"} == names
    assert 4 * 9 + 1 == len(names)


def test_the_bands_of_crowding_and_the_bounds_of_context_can_be_set(monkeypatch):
    monkeypatch.setenv("STREAMS_CROWDING_BANDS_ANNUALISED", "0.2,0.3,0.4")
    monkeypatch.setenv("STREAMS_CROWDING_STREAK_HOURS", "24,24,72")
    monkeypatch.setenv("STREAMS_CONTEXT_QUOTE_AGE_MS_MAX", "60000")

    settings = Settings()

    expected = CrowdingRule(bands_annualised=(0.2, 0.3, 0.4), streak_hours=(24, 24, 72))
    assert expected == settings.crowding.rule()
    assert 60_000 == settings.context.rule(1).quote_age_ms_max


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("CASCADE_MARKET_FLOR_USD", "1", "is not a setting; did you mean STREAMS_CASCADE_MARKET_FLOOR_USD?"),
        ("CASCADE_MARKET", "{}", "is not a setting; did you mean STREAMS_CASCADE_MARKET_RELEASE?"),
        ("CASCADE_ASSET_FLOOR_USD", "0", "must be greater than 0, was 0"),
        ("CASCADE_ASSET_FLOOR_USD", "nan", "must be a finite number, was nan"),
        ("CASCADE_ASSET_SHARE_MIN", "1.001", "must be less than or equal to 1, was 1.001"),
        ("CASCADE_ASSET_SHARE_MIN", "0.6505", "must have at most three decimals, was 0.6505"),
        ("CASCADE_ASSET_MULTIPLES", "3,10", "must be three numbers with commas, was 3,10"),
        ("CASCADE_ASSET_MULTIPLES", "3,10,9", "must not fall from severity to severity, was 3,10,9"),
        ("CASCADE_ASSET_MULTIPLES", "3,ten,30", "must be a valid integer, was ten"),
        ("CASCADE_ASSET_QUIET_MS", "299999", "must be greater than or equal to 300000, was 299999"),
        ("CASCADE_ASSET_MULTIPLE", "1000001", "must be less than or equal to 1000000, was 1000001"),
        ("CROWDING_HISTORY_DAYS_MIN", "731", "must be less than or equal to 730, was 731"),
        ("CONTEXT_RETURNS_COUNT_MIN", "1441", "must be less than or equal to 1440, was 1441"),
        ("CROWDING_KEEP_SHARE", "1.1", "must be above 0 and at most 1, was 1.1"),
        ("CROWDING_BANDS_ANNUALISED", "0.1,1,2", "must be above STREAMS_CROWDING_BASE_RATE_ANNUALISED, was 0.1"),
        ("CROWDING_PERCENTILES", "90,80,99", "must not fall from grade to grade, was (90.0, 80.0, 99.0)"),
        ("CONTEXT_FLOW_AGE_MS_MAX", "soon", "must be a valid integer, was soon"),
    ],
)
def test_a_mistake_in_a_threshold_is_named_as_the_operator_knows_it(monkeypatch, name, text, sentence):
    monkeypatch.setenv(f"STREAMS_{name}", text)

    assert f"STREAMS_{name} {sentence}" == refusal()


def test_thresholds_can_be_given_as_keywords_and_a_misspelled_one_is_refused():
    assert 3.0 == Settings(cascade_market={"floor_usd": 3}).cascade_market.floor_usd
    assert "cascade_market_floor is not a setting; did you mean cascade_market_floor_usd?" == refusal(
        cascade_market={"floor": 3}
    )
    assert "STREAMS_CASCADE_MARKET_MULTIPLES must be three numbers with commas, was [3]" == refusal(
        cascade_market={"multiples": [3]}
    )
