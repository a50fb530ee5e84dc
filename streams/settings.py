"""Every knob of the job: one frozen class, read from ``STREAMS_*``, refused in one sentence before we connect."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from streams.thresholds import (
    AssetThresholds,
    CascadeThresholds,
    ContextThresholds,
    CrowdingThresholds,
    ExchangeThresholds,
    Group,
    MarketThresholds,
)

PREFIX = "STREAMS_"
DAY_MS = 86_400_000

Milliseconds = Annotated[int, Field(ge=0, le=DAY_MS)]
#: An hour of the baseline closes so much later, and has to be remembered by then.
Lateness = Annotated[int, Field(ge=0, le=DAY_MS // 2)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Port = Annotated[int, Field(ge=1, le=65_535)]


class Settings(BaseSettings):
    """What an operator decides; the names are those of the environment without ``STREAMS_``, in lower case.

    Raises ``ValueError`` with one sentence that names the variable, the rule and the value, never a secret.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="_",
        env_nested_max_split=1,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    # Kafka
    broker: str = Field("localhost:9092", description="Kafka brokers, host:port, several with commas.")
    app_id: str = Field(
        "liquidation-streams",
        pattern=r"^[A-Za-z0-9._-]{1,150}$",
        description="Consumer group, and prefix of the changelogs and of the transactional ids.",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to talk to the brokers."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="How to log in to the brokers; needed with SASL_PLAINTEXT and SASL_SSL."
    )
    sasl_username: str | None = Field(None, description="User name at the brokers.")
    sasl_password: SecretStr | None = Field(None, description="Password at the brokers.")
    sasl_password_file: Path | None = Field(None, description="File that holds the password at the brokers.")
    ssl_cafile: Path | None = Field(None, description="Certificates that vouch for the brokers; the system's if unset.")
    ssl_certfile: Path | None = Field(None, description="Our certificate, where the brokers ask for one.")
    ssl_keyfile: Path | None = Field(None, description="Private key of our certificate.")
    session_timeout_ms: Annotated[int, Field(ge=1_000)] = Field(
        10_000, description="How long a dead worker keeps its partitions."
    )
    transaction_timeout_ms: Annotated[int, Field(ge=1_000, le=900_000)] = Field(
        15_000, description="How long a dead worker's open transaction hides later records; at most 15 min."
    )
    fetch_bytes: Annotated[int, Field(ge=16_384, le=52_428_800)] = Field(
        1_048_576, description="Most bytes fetched from one partition at once: the size of a batch."
    )

    check_crcs: bool = Field(
        True, description="Whether fetched records are checked; off only for the demo's mock broker."
    )

    # Values and schemas
    value_format: Literal["avro", "json"] = Field("avro", description="Form of the values, in and out.")
    registry_url: str | None = Field(None, description="Confluent-compatible schema registry; unset: our own files.")
    registry_username: str | None = Field(None, description="User name at the registry.")
    registry_password: SecretStr | None = Field(None, description="Password at the registry.")
    registry_password_file: Path | None = Field(None, description="File that holds the password at the registry.")
    registry_cafile: Path | None = Field(
        None,
        description="Certificates that vouch for the registry; unset: the system's, and those of STREAMS_SSL_CAFILE.",
    )

    # Time
    lateness_ms: Lateness = Field(2_000, description="How far behind its asset's clock a record may be unpunished.")
    market_lateness_ms: Lateness = Field(
        5_000, description="How far behind its partition's clock one may be and count in EXCHANGE and MARKET decisions."
    )
    future_bound_ms: Milliseconds = Field(5_000, description="How far ahead of its arrival an event may be dated.")
    duplicate_horizon_ms: Annotated[int, Field(ge=0, le=DAY_MS)] = Field(
        3_600_000, description="How far back a repeated liquidation is recognised; at most 24 h."
    )
    flush_interval_ms: Annotated[int, Field(ge=10, le=60_000)] = Field(
        500,
        description="Time between two transactions of a partition while there is work; half as long again behind one "
        "that could not wait, four times as long in a backlog.",
    )
    idle_timeout_ms: Milliseconds = Field(5_000, description="Silence after which a partition is given time; 0: never.")

    # Thresholds: one variable for each field of a group
    cascade_instrument: CascadeThresholds = Field(CascadeThresholds(), description="Cascades of one instrument.")
    cascade_asset: AssetThresholds = Field(AssetThresholds(), description="Cascades of one asset.")
    cascade_exchange: ExchangeThresholds = Field(ExchangeThresholds(), description="Cascades of one exchange.")
    cascade_market: MarketThresholds = Field(MarketThresholds(), description="Cascades of all exchanges together.")
    crowding: CrowdingThresholds = Field(CrowdingThresholds(), description="Crowded positions.")
    context: ContextThresholds = Field(ContextThresholds(), description="What is said beside the totals of a cascade.")

    # Limits
    instruments_max: Count = Field(20_000, description="Most instruments of one partition; more are dead letters.")
    undecodable_run_max: Count = Field(
        1_000, description="Undecodable records in a row after which the worker stops: a wrong topic."
    )

    # The worker itself
    web_host: str = Field("127.0.0.1", description="Address of /metrics, /healthz, /readyz and /api.")
    web_port: Port = Field(6066, description="Port of the same.")
    stuck_ms: Annotated[int, Field(ge=1_000)] = Field(
        60_000, description="How long the loop may stand still, or a transaction take, before /healthz fails."
    )
    symbols_allowed: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(), description="Symbols, with commas, that metrics show one by one, with their assets."
    )
    log_format: Literal["json", "console"] = Field("json", description="Form of the logs on stderr.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level that is logged.")
    data_dir: Path | None = Field(None, description="Folder for Faust's own files; unset: a temporary one.")

    def __init__(self, **values: Any) -> None:
        _refuse_unknown_names()
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ValueError(_sentence(error)) from None

    @model_validator(mode="before")
    @classmethod
    def _read_password_files(cls, data: dict[str, Any]) -> dict[str, Any]:
        for name in ("sasl_password", "registry_password"):
            path = data.get(f"{name}_file")
            if not path:
                continue
            if data.get(name) is not None:
                _refuse(f"{variable(name)} and {variable(name)}_FILE exclude each other")
            data[name] = _first_line(f"{name}_file", Path(path))
        return data

    @field_validator("broker")
    @classmethod
    def _brokers_have_ports(cls, broker: str) -> str:
        for address in broker.split(","):
            host, _, port = address.strip().rpartition(":")
            if not host or "//" in host or "@" in host or not re.fullmatch("[0-9]+", port):
                _refuse(f"{variable('broker')} must be host:port, several with commas{_was('broker', repr(broker))}")
            if not 1 <= int(port) <= 65_535:
                _refuse(f"{variable('broker')} must have ports from 1 to 65535{_was('broker', repr(broker))}")
        return broker

    @field_validator("registry_url")
    @classmethod
    def _registry_is_http(cls, url: str | None) -> str | None:
        if not url:
            return None
        name, was = variable("registry_url"), _was("registry_url", repr(url))
        if "@" in url:
            _refuse(f"{name} must not hold a password; use {variable('registry_password_file')}")
        if not re.match("https?://", url, re.IGNORECASE):
            _refuse(f"{name} must begin with http:// or https://{was}")
        if not _can_be_asked(url):
            _refuse(f"{name} must name a host, and a port from 1 to 65535 if any, without blanks, ? or #{was}")
        return url.rstrip("/")

    @field_validator("symbols_allowed", mode="before")
    @classmethod
    def _split_symbols(cls, symbols: Any) -> Any:
        if isinstance(symbols, str):
            return frozenset(symbol.strip() for symbol in symbols.split(",") if symbol.strip())
        return symbols

    @field_validator("ssl_cafile", "ssl_certfile", "ssl_keyfile", "registry_cafile")
    @classmethod
    def _files_exist(cls, path: Path | None, info: Any) -> Path | None:
        # Of a name too long to be one, as a key would be, Path.is_file makes an OSError that quotes it.
        if path is not None and not os.path.isfile(path):  # noqa: PTH113
            _refuse(f"{variable(info.field_name)} must name a file{_was(info.field_name, repr(str(path)))}")
        return path

    @model_validator(mode="after")
    def _agree(self) -> Settings:
        login = (self.sasl_mechanism, self.sasl_username, self.sasl_password)
        if self.security_protocol.startswith("SASL_"):
            if None in login:
                _refuse(
                    f"{variable('security_protocol')}={self.security_protocol} needs {variable('sasl_mechanism')}, "
                    f"{variable('sasl_username')} and {variable('sasl_password')} (or its _FILE)"
                )
        elif login != (None, None, None):
            _refuse(
                f"{variable('sasl_mechanism')}, _USERNAME and _PASSWORD need {variable('security_protocol')}="
                f"SASL_SSL or SASL_PLAINTEXT, was {self.security_protocol}"
            )
        if (self.ssl_certfile is None) != (self.ssl_keyfile is None):
            _refuse(f"{variable('ssl_certfile')} and {variable('ssl_keyfile')} need each other")
        if (self.registry_username is None) != (self.registry_password is None):
            _refuse(f"{variable('registry_username')} and {variable('registry_password')} need each other")
        if self.flush_interval_ms >= self.transaction_timeout_ms:
            _refuse(
                f"{variable('flush_interval_ms')} must be below {variable('transaction_timeout_ms')}="
                f"{self.transaction_timeout_ms}, was {self.flush_interval_ms}"
            )
        return self


def variable(field: str) -> str:
    """Return the name that the operator knows a field by."""
    return PREFIX + field.upper()


def variables() -> dict[str, FieldInfo]:
    """Return every variable that is read, with what pydantic knows of it."""
    found: dict[str, FieldInfo] = {}
    for name, info in Settings.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, Group):
            found |= {variable(f"{name}_{each}"): of for each, of in info.annotation.model_fields.items()}
        else:
            found[variable(name)] = info
    return found


def _refuse(sentence: str) -> NoReturn:
    raise ValueError(sentence)


def _can_be_asked(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")
        return host != b"" and parts.port != 0 and not re.search(r"[?#\s\x00-\x1f\x7f]", url)
    except ValueError:
        return False


def _refuse_unknown_names() -> None:
    # extra="forbid" does not see a misspelled environment variable: it was ignored without a word.
    known = list(variables())
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            _refuse(_unknown(name, known))


def _unknown(name: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
    return f"{name} is not a setting; did you mean {nearest}?"


def _first_line(field: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        _refuse(f"{variable(field)} must name a readable file{_was(field, repr(str(path)))}: {reason}")


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    field = "_".join(part for part in first["loc"] if isinstance(part, str))
    if first["type"] == "value_error" or not field:
        return f"{variable(field)} {message}" if message.startswith("must ") else message
    if first["type"] == "extra_forbidden":
        return _unknown(field, [name.removeprefix(PREFIX).lower() for name in variables()])
    rule = re.sub(r"^(Input|String|Value) should", "must", message)
    if first["type"] != "literal_error":
        # Of two halves ("a valid integer, unable to parse …") the first one is the rule.
        rule = rule.partition(", ")[0]
    return f"{variable(field)} {rule}{_was(field, _given(first.get('input')))}"


def _was(field: str, given: str) -> str:
    # A secret may stand in an address, and a password or a key itself where its file should be named.
    named = given.strip("'").startswith("/") or not field.endswith("file")
    return f", was {given}" if named and not re.search("[@?]", given) and not field.endswith("password") else ""


def _given(value: Any) -> str:
    return value if isinstance(value, str) and value else repr(value)
