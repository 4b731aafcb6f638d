"""Every setting, read once from the environment (spec section 7).

Order of precedence: environment, then files in ``SECRETS_DIR`` that are named like settings, then ``.env``, then ``.stack/endpoints.env``
(written by ``make stack``, read in ``dev`` only), then the defaults below.
A bad or contradictory setting stops the start with one line that names it.
"""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

ENDPOINTS_FILE = Path(".stack/endpoints.env")

# What an identity provider may sign with: its private key, never a secret that we share.
SIGNATURES = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")

Port = Annotated[int, Field(ge=1, le=65535)]
Partitions = Annotated[int, Field(ge=1, le=10_000)]


def _split_commas(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_commas)]


class SettingsError(Exception):
    """A setting is bad or contradicts another; the message is one line that names it."""


class Settings(BaseSettings):
    """The settings of a worker, of the commands and of the scoring service. Times are seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True, hide_input_in_errors=True)

    app_env: Literal["dev", "stg", "prod"] = "dev"
    secrets_dir: Path | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"
    state_dir: Path = Path(".state")
    state_min_free_bytes: Annotated[int, Field(ge=0)] = 256 << 20

    # Health
    health_stuck_seconds: PositiveFloat = 1200.0
    health_group_seconds: PositiveFloat = 30.0
    watchdog_seconds: Annotated[float, Field(ge=0)] = 60.0

    # Kafka
    kafka_bootstrap: CommaList = ("localhost:9092",)
    kafka_group_id: str = Field("voc-processor", pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$")
    kafka_topics: CommaList = ("voc.calls", "voc.actions", "voc.metrics")
    kafka_incarnation: str = Field("1", pattern=r"^[A-Za-z0-9._-]{1,32}$")
    kafka_replication: PositiveInt | None = None
    kafka_call_partitions: Partitions = 12
    kafka_recording_partitions: Partitions = 24
    kafka_event_partitions: Partitions = 12
    kafka_session_timeout: PositiveFloat = 10.0
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = "SCRAM-SHA-512"
    kafka_sasl_username: str = ""
    kafka_sasl_password: SecretStr = SecretStr("")
    kafka_oauth_token_file: Path | None = None
    kafka_oauth_token_url: str | None = None
    kafka_oauth_scope: str = ""
    kafka_ssl_ca_file: Path | None = None
    kafka_ssl_cert_file: Path | None = None
    kafka_ssl_key_file: Path | None = None

    # PostgreSQL
    postgres_dsn: SecretStr = SecretStr("postgresql://postgres@localhost:5432/voc")
    postgres_password: SecretStr = SecretStr("")
    postgres_pool_size: PositiveInt = 8
    postgres_timeout_seconds: PositiveFloat = 10.0

    # S3
    s3_endpoint_url: str | None = None
    s3_region: str = "us-east-1"
    s3_bucket: str = ""
    s3_log_bucket: str = ""
    s3_access_key_id: str = ""
    s3_secret_access_key: SecretStr = SecretStr("")
    s3_sse: Literal["AES256", "aws:kms"] = "AES256"
    s3_kms_key_id: str = ""
    s3_object_lock_days: Annotated[int, Field(ge=0, le=365)] = 0
    s3_object_lock_mode: Literal["GOVERNANCE", "COMPLIANCE"] = "GOVERNANCE"
    s3_events: str = Field("", pattern=r"^(|eventbridge|arn:aws[a-z-]*:sqs:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,80}(\.fifo)?)$")
    s3_part_bytes: Annotated[int, Field(ge=5 << 20, le=64 << 20)] = 5 << 20
    s3_timeout_seconds: PositiveFloat = 30.0

    # ClickHouse
    clickhouse_host: str = "localhost"
    clickhouse_port: Port = 8123
    clickhouse_user: str = "default"
    clickhouse_password: SecretStr = SecretStr("")
    clickhouse_db: str = Field("default", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")
    clickhouse_secure: bool = False
    clickhouse_timeout_seconds: PositiveFloat = 30.0
    clickhouse_partition_by: Literal["month", "tenant"] = "month"
    clickhouse_token_window: Annotated[int, Field(ge=100, le=1_000_000)] = 100_000
    clickhouse_token_seconds: PositiveFloat = 600.0

    # Customer events
    batch_size: Annotated[int, Field(ge=1, le=20_000)] = 500
    batch_flush_seconds: PositiveFloat = 2.0
    batch_size_max: Annotated[int, Field(ge=1, le=20_000)] = 4000
    dedup_window_seconds: PositiveFloat = 86_400.0
    dedup_max_ids: Annotated[int, Field(ge=1000)] = 2_000_000
    tenants_strict: bool = False
    voc_annotate: Literal["default", "off"] = "default"
    voc_overflow_tenants: CommaList = ()

    # Dead letters
    dlq_max_requeues: Annotated[int, Field(ge=1, le=1000)] = 3
    dlq_requeue_rate: PositiveFloat = 50.0
    dlq_requeue_max_lag: Annotated[int, Field(ge=1)] = 500
    dlq_requeue_max_event_lag: Annotated[int, Field(ge=1)] = 50_000

    # The people's side: a process of its own, which the worker starts
    web_enabled: bool = True
    http_host: str = "127.0.0.1"
    http_port: Port = 8000
    http_tls_cert_file: Path | None = None
    http_tls_key_file: Path | None = None
    http_hosts: CommaList = ()
    http_proxies: CommaList = ()
    http_max_body_bytes: Annotated[int, Field(ge=1024, le=64 << 20)] = 1 << 20
    http_max_connections: Annotated[int, Field(ge=1, le=100_000)] = 512
    http_max_peer_connections: Annotated[int, Field(ge=1, le=100_000)] = 128
    http_query_seconds: Annotated[float, Field(gt=0, le=60)] = 5.0
    http_peer_rate: PositiveInt = 300
    http_wrong_credentials: PositiveInt = 30
    http_tenant_rate: PositiveInt = 100
    http_tenant_quota: PositiveInt = 1_000_000
    live_seconds: Annotated[float, Field(ge=0.1, le=3600)] = 5.0
    live_streams_per_tenant: Annotated[int, Field(ge=1, le=400)] = 50

    # The operator's port of the worker itself
    operator_host: str = "127.0.0.1"
    operator_port: Port = 8001

    # Who is asking
    session_idle_seconds: Annotated[float, Field(ge=300, le=86_400)] = 3600.0
    session_seconds: Annotated[float, Field(ge=300, le=604_800)] = 43_200.0
    oidc_issuer: str | None = None
    oidc_audience: CommaList = ()
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_redirect_url: str | None = None
    oidc_jwks_url: str | None = None
    oidc_algorithms: CommaList = ("RS256", "ES256")
    oidc_clock_skew_seconds: Annotated[int, Field(ge=0, le=300)] = 60
    oidc_tenant_claim: str = "tenant_id"
    oidc_scope_claim: str = "roles"
    oidc_scopes: CommaList = ("voc.read:read", "voc.original:original", "voc.operate:operate", "voc.admin:admin")
    oidc_all_tenants: str = ""

    # The recorder
    avaya_url: str = "http://localhost:8081/searchapi"
    avaya_username: str = ""
    avaya_password: SecretStr = SecretStr("")
    avaya_timezone: str = "UTC"
    avaya_layout: Literal["segment", "contact"] = "segment"
    avaya_recorder_id: str = Field("", pattern=r"^[A-Za-z0-9]{0,8}$")
    avaya_result_cap: Annotated[int, Field(ge=2)] = 1000
    avaya_poll_seconds: PositiveFloat = 30.0
    avaya_guard_seconds: Annotated[float, Field(ge=0)] = 30.0
    avaya_window_seconds: PositiveFloat = 240.0
    avaya_sweep_seconds: PositiveFloat = 60.0
    avaya_max_call_seconds: PositiveFloat = 7200.0
    avaya_catch_up_seconds: PositiveFloat = 3600.0
    avaya_missing_after: PositiveFloat = 86_400.0
    avaya_missing_retry_seconds: PositiveFloat = 60.0
    avaya_timeout_seconds: PositiveFloat = 30.0

    # Stages
    download_in_flight: Annotated[int, Field(ge=1, le=1024)] = 32
    download_in_flight_min: Annotated[int, Field(ge=1, le=1024)] = 1
    download_slow_above_lag: Annotated[int, Field(ge=0)] = 1000
    download_attempts: PositiveInt = 5
    download_max_bytes: PositiveInt = 4 << 30
    error_redrives: Annotated[int, Field(ge=0)] = 3
    error_redrive_seconds: PositiveFloat = 900.0
    redrive_poll_seconds: PositiveFloat = 5.0
    reconcile_hours: Annotated[int, Field(ge=0, le=168)] = 4
    reconcile_settle_seconds: PositiveFloat = 600.0
    tenants_file: Path | None = None

    # The scoring API, as the worker calls it
    scoring_url: str = "http://localhost:8090"
    scoring_token: SecretStr = SecretStr("")
    scoring_in_flight: Annotated[int, Field(ge=1, le=1024)] = 4
    scoring_in_flight_min: Annotated[int, Field(ge=1, le=1024)] = 2
    scoring_attempts: PositiveInt = 3
    scoring_timeout_seconds: PositiveFloat = 900.0
    scoring_check_seconds: PositiveFloat = 15.0
    scoring_batch_below_seconds: Annotated[float, Field(ge=0)] = 15.0
    scoring_batch_size: Annotated[int, Field(ge=1, le=64)] = 8

    # The scoring service (its own process)
    scorer_host: str = "127.0.0.1"
    scorer_port: Port = 8090
    scorer_token: SecretStr = SecretStr("")
    scorer_asr: Literal["auto", "off", "tiny.en"] = "auto"
    scorer_model_path: Path | None = None
    scorer_rubric_file: Path | None = None
    scorer_jobs: PositiveInt = 1
    scorer_waiting: Annotated[int, Field(ge=0)] = 8
    scorer_threads_per_job: PositiveInt = 1
    scorer_cpus: CommaList = ()
    scorer_max_bytes: PositiveInt = 1 << 30
    scorer_max_seconds: PositiveFloat = 14_400.0
    scorer_min_seconds: PositiveFloat = 3.0

    # Pauses
    self_pause_ratio: Annotated[float, Field(gt=0, le=1)] = 0.5
    self_pause_sample: Annotated[int, Field(ge=1, le=100_000)] = 200
    self_pause_run: PositiveInt = 30
    self_pause_tenants: PositiveInt = 3
    self_pause_seconds: PositiveFloat = 300.0
    tenant_call_letters_per_second: PositiveFloat = 1.0
    tenant_event_letters_per_second: PositiveFloat = 100.0

    # Topics
    topics_file: Path | None = None

    # Alerts
    alerts_file: Path | None = None
    alerts_seconds: PositiveFloat = 15.0
    alert_webhook_timeout_seconds: Annotated[float, Field(gt=0, le=30)] = 10.0
    alert_webhook_allow_private: bool = False

    # Sentiment
    sentiment_model: Literal["rule", "embed", "remote"] = "rule"
    annotate_budget_seconds: PositiveFloat = 1.0
    sentiment_cache_size: PositiveInt = 100_000
    sentiment_url: str | None = None
    sentiment_token: SecretStr = SecretStr("")
    sentiment_timeout_seconds: PositiveFloat = 5.0
    sentiment_batch_size: Annotated[int, Field(ge=1, le=1000)] = 64
    sentiment_in_flight: Annotated[int, Field(ge=1, le=64)] = 2

    # Tracing
    tracing_endpoint: str | None = None
    tracing_token: SecretStr = SecretStr("")
    tracing_ratio: Annotated[float, Field(ge=0, le=1)] = 0.01

    # Personal data
    pii_keys: SecretStr = SecretStr("")
    pii_key_id: str = ""
    redact_regions: CommaList = ("US", "VN")
    redact_national_ids: CommaList = ("us.ssn", "vn.cccd")
    backup_retention_days: Annotated[int, Field(ge=0, le=3650)] = 30

    @classmethod
    def settings_customise_sources(  # noqa: D102 - pydantic-settings' own
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, file_secret_settings, dotenv_settings

    @field_validator("avaya_timezone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            msg = f"no such time zone: {value!r}"
            raise ValueError(msg) from error
        return value

    @field_validator("avaya_url", "scoring_url", "sentiment_url", "s3_endpoint_url", "tracing_endpoint")
    @classmethod
    def _plain_http_url(cls, value: str | None) -> str | None:
        return _http_url(value).rstrip("/") if value else value

    @field_validator("oidc_issuer", "oidc_redirect_url", "oidc_jwks_url", "kafka_oauth_token_url")
    @classmethod
    def _exact_http_url(cls, value: str | None) -> str | None:
        return _http_url(value) if value else value  # an issuer is compared letter by letter, and may end with a slash

    @field_validator("pii_keys")
    @classmethod
    def _keys_are_256_bit(cls, value: SecretStr) -> SecretStr:
        _parse_keys(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        for problem in self._contradictions():
            raise ValueError(problem)
        return self

    def _contradictions(self) -> list[str]:
        keys = self.encryption_keys
        outside_dev = self.app_env != "dev"
        rules = (
            (not self.kafka_bootstrap, "KAFKA_BOOTSTRAP must name a server, host:port"),
            (bool(keys) and self.pii_key_id not in keys, "PII_KEY_ID must name one of the keys in PII_KEYS"),
            (outside_dev and not keys, f"PII_KEYS must be set when APP_ENV={self.app_env}: customer data is never stored in the clear"),
            (outside_dev and self.kafka_replication == 1, f"KAFKA_REPLICATION=1 loses data with one broker; APP_ENV={self.app_env} needs 3"),
            (self.app_env == "prod" and self.avaya_url.startswith("http:"), "AVAYA_URL must be https when APP_ENV=prod: it carries a password"),
            (self.batch_size_max < self.batch_size, "BATCH_SIZE_MAX must be at least BATCH_SIZE"),
            (
                self.health_stuck_seconds <= max(self.scoring_timeout_seconds, self.batch_flush_seconds),
                "HEALTH_STUCK_SECONDS must be more than SCORING_TIMEOUT_SECONDS and BATCH_FLUSH_SECONDS: what takes its time does not stand still",
            ),
            (self.tenants_strict and self.tenants_file is None, "TENANTS_FILE must name the tenants when TENANTS_STRICT=true"),
            (self.sentiment_model == "remote" and not self.sentiment_url, "SENTIMENT_URL must be set when SENTIMENT_MODEL=remote"),
            (
                outside_dev and bool(self.tracing_token.get_secret_value()) and (self.tracing_endpoint or "").startswith("http:"),
                f"TRACING_ENDPOINT must be https when TRACING_TOKEN is set and APP_ENV={self.app_env}",
            ),
            (self.s3_sse == "aws:kms" and not self.s3_kms_key_id, "S3_KMS_KEY_ID must be set when S3_SSE=aws:kms"),
            (self.s3_log_bucket == self.bucket, "S3_LOG_BUCKET must be another bucket: one that logs into itself logs its logs"),
            (bool(self.http_tls_cert_file) != bool(self.http_tls_key_file), "HTTP_TLS_CERT_FILE and HTTP_TLS_KEY_FILE go together"),
            (bool(self.kafka_ssl_cert_file) != bool(self.kafka_ssl_key_file), "KAFKA_SSL_CERT_FILE and KAFKA_SSL_KEY_FILE go together"),
            (
                self.avaya_window_seconds < self.avaya_poll_seconds,
                "AVAYA_WINDOW_SECONDS must be at least AVAYA_POLL_SECONDS: calls between two windows would only be found by the sweep",
            ),
        )
        return [message for broken, message in (*rules, *self._sasl_rules(), *self._oidc_rules()) if broken]

    def _sasl_rules(self) -> tuple[tuple[bool, str], ...]:
        protocol, file, url = self.kafka_security_protocol, self.kafka_oauth_token_file, self.kafka_oauth_token_url
        sasl = protocol.startswith("SASL")
        by_token = sasl and self.kafka_sasl_mechanism == "OAUTHBEARER"
        nameless = sasl and not self.kafka_sasl_username and not (by_token and file)
        outside_dev = self.app_env != "dev"
        return (
            (by_token and not (file or url), "KAFKA_OAUTH_TOKEN_FILE or KAFKA_OAUTH_TOKEN_URL must be set when KAFKA_SASL_MECHANISM=OAUTHBEARER"),
            (bool(file and url), "only one of KAFKA_OAUTH_TOKEN_FILE and KAFKA_OAUTH_TOKEN_URL may be set"),
            (nameless, f"KAFKA_SASL_USERNAME must be set when KAFKA_SECURITY_PROTOCOL={protocol}"),
            (
                by_token and outside_dev and protocol != "SASL_SSL",
                f"KAFKA_SECURITY_PROTOCOL must be SASL_SSL when APP_ENV={self.app_env}: a token is never sent in the clear",
            ),
            (outside_dev and (url or "").startswith("http:"), f"KAFKA_OAUTH_TOKEN_URL must be https when APP_ENV={self.app_env}"),
        )

    def _oidc_rules(self) -> tuple[tuple[bool, str], ...]:
        urls = (self.oidc_issuer, self.oidc_redirect_url, self.oidc_jwks_url)
        in_the_clear = any(url and url.startswith("http:") for url in urls)
        used = any((self.oidc_audience, self.oidc_client_id, self.oidc_redirect_url, self.oidc_jwks_url))
        return (
            (self.session_seconds < self.session_idle_seconds, "SESSION_SECONDS must be at least SESSION_IDLE_SECONDS"),
            (used and not self.oidc_issuer, "OIDC_ISSUER must be set when another OIDC setting is"),
            (
                bool(self.oidc_issuer) and not (self.oidc_audience or self.oidc_client_id),
                "OIDC_AUDIENCE (bearer tokens) or OIDC_CLIENT_ID (browsers) must be set when OIDC_ISSUER is: tokens for others are not for us",
            ),
            (bool(self.oidc_client_id) != bool(self.oidc_redirect_url), "OIDC_CLIENT_ID and OIDC_REDIRECT_URL go together"),
            (self.app_env != "dev" and in_the_clear, f"OIDC_ISSUER, OIDC_REDIRECT_URL and OIDC_JWKS_URL must be https when APP_ENV={self.app_env}"),
            (not self.oidc_algorithms, "OIDC_ALGORITHMS must name one at least"),
            (
                not set(self.oidc_algorithms) <= set(SIGNATURES),
                f"OIDC_ALGORITHMS: only {', '.join(SIGNATURES)}: no signature, or one by a shared secret, proves nothing",
            ),
            (
                any(entry.rpartition(":")[2] not in {"read", "original", "operate", "admin"} or ":" not in entry for entry in self.oidc_scopes),
                "OIDC_SCOPES: each is role:scope, with a scope of read, original, operate, admin",
            ),
        )

    @property
    def encryption_keys(self) -> dict[str, bytes]:
        """Key id → 32-byte key, of ``PII_KEYS=id:base64,id:base64``."""
        return _parse_keys(self.pii_keys.get_secret_value())

    @property
    def postgres_url(self) -> str:
        """POSTGRES_DSN with POSTGRES_PASSWORD in it, if that is set."""
        parts, password = urlsplit(self.postgres_dsn.get_secret_value()), self.postgres_password.get_secret_value()
        if not password:
            return parts.geturl()
        user, _, place = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{user.partition(':')[0]}:{quote(password, safe='')}@{place}").geturl()

    @property
    def bucket(self) -> str:
        """The bucket of recordings and transcripts."""
        return self.s3_bucket or f"ccas-audio-{self.app_env}"

    @property
    def tracing_url(self) -> str:
        """TRACING_ENDPOINT, with the usual path where it has none."""
        endpoint = self.tracing_endpoint or ""
        return endpoint if urlsplit(endpoint).path else f"{endpoint}/v1/traces"

    @property
    def calls_seen_seconds(self) -> float:
        """For how long a call counts as seen: the sweep for long calls tells of a call again and again, up to twice that long after its start."""
        return max(self.dedup_window_seconds, 2 * self.avaya_max_call_seconds)

    @property
    def replication(self) -> int:
        """Replicas of every Kafka topic: 3, or 1 in dev."""
        return self.kafka_replication or (1 if self.app_env == "dev" else 3)


def _http_url(value: str) -> str:
    if not re.match(r"^https?://[^/@\s]+(/[^\s?#]*)?$", value):
        msg = "must be http(s)://host[:port][/path] without credentials (they have settings of their own)"
        raise ValueError(msg)
    return value


def _parse_keys(text: str) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        key_id, _, encoded = entry.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            key = b""
        if not key_id or len(key) != 32:
            msg = "each key is id:base64 of 32 bytes"
            raise ValueError(msg)
        keys[key_id] = key
    return keys


class _Where(BaseSettings):
    """What must be known before the rest can be read: whether this is dev, where the stack lies, and where secrets are."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)

    app_env: str = "dev"
    stack_dir: Path = ENDPOINTS_FILE.parent
    secrets_dir: Path | None = None


def load_settings(**overrides: Any) -> Settings:
    """Read the settings once.

    Raises:
        SettingsError: one line that names the setting at fault; it never shows the value of a secret.
    """
    where = _Where(_env_file=".env")
    folder = overrides.get("secrets_dir", where.secrets_dir)
    if folder is not None and not folder.is_dir():
        raise SettingsError(f"SECRETS_DIR: there is no folder {folder}")
    endpoints = where.stack_dir / ENDPOINTS_FILE.name
    try:
        return Settings(_env_file=[endpoints, ".env"] if where.app_env == "dev" else ".env", _secrets_dir=folder, **overrides)
    except ValidationError as error:
        raise SettingsError(_first_line(error)) from None


def _first_line(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    name = "_".join(str(part) for part in first["loc"]).upper()
    reason = first["msg"].removeprefix("Value error, ")
    return f"{name}: {reason}" if name else reason
