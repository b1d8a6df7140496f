"""All settings: environment variables ``ROLLGUARD_…``, and a ``.env`` in the working directory."""

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from schemas.errors import Misconfigured
from schemas.message import explain
from schemas.outages import OutageRules
from schemas.rules import Rules

_WEB_PORTS: Final = {"detector": 6066, "applier": 6067, "recorder": 6068}


class Settings(BaseSettings, Rules, OutageRules):
    """Where the parts are, and the numbers of the rules (inherited: one variable for each).

    ``tools`` changes rules for single tools: ``ROLLGUARD_TOOLS='{"parser": {"ring_size": 20}}'``.
    Load it with :func:`load_settings`, which names what is wrong.
    """

    model_config = SettingsConfigDict(
        env_prefix="ROLLGUARD_", env_file=".env", extra="ignore", frozen=True
    )

    kafka_brokers: Annotated[tuple[str, ...], NoDecode] = ("127.0.0.1:9092",)
    """Bootstrap servers, ``host:port``, comma separated."""
    kafka_security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_username: str | None = None
    kafka_password: SecretStr | None = None
    kafka_ca_file: Path | None = None
    """The authorities whose certificates are accepted; without it, the system's."""
    kafka_cert_file: Path | None = None
    """Our own certificate, where the broker asks for one."""
    kafka_key_file: Path | None = None
    """Its key, unencrypted; without it, the key stands in the certificate's file."""
    postgres_dsn: SecretStr = SecretStr("postgresql://rollguard@127.0.0.1:5432/rollguard")
    topic_prefix: str = Field("", pattern=r"^[A-Za-z0-9._-]{0,150}$")
    """Stands before every topic's name and every consumer group's, verbatim."""
    partitions: int = Field(4, ge=1, le=10_000)
    """Of every topic, when ``rollguard topics`` creates them."""
    replication_factor: int = Field(1, ge=1)
    retention_days: int = Field(7, ge=1, le=36_500)
    """How long Kafka keeps what is kept by time (executions, deployments, commands, outcomes), when
    ``rollguard topics`` creates the topics. A role that is away for longer misses what is gone."""
    dead_letter_retention_days: int = Field(30, ge=1, le=36_500)
    """The same for `dead-letters`."""
    data_dir: Path = Path(".rollguard")
    """Where a worker keeps what it may lose."""
    web_host: str = "127.0.0.1"
    """Where a worker's pages are; anything but loopback needs ``web_token``."""
    web_port: int | None = Field(None, ge=0, le=65_535)
    """Without it the detector takes 6066, the applier 6067, the recorder 6068; 0 takes a free
    one."""
    web_token: SecretStr | None = None
    """What all pages but ``/healthz`` and ``/readyz`` ask for (``Authorization: Bearer …``), and
    what ``check`` and ``health`` send."""
    web_url: str | None = None
    """How other detectors reach this one; without it, host and port."""
    detector_url: str = "http://127.0.0.1:6066"
    """Where ``check`` and ``health`` ask."""
    max_code_bytes: int = Field(524_288, ge=1)
    max_ahead_s: int = Field(60, ge=0)
    """A time may be so far ahead of its record's Kafka timestamp."""
    max_poll_records: int = Field(2_000, ge=1)
    """How many records a worker takes at once."""
    session_timeout_s: int = Field(10, ge=6)
    """After so long without a sign of life Kafka gives a worker's partitions to another."""
    worker_name: str | None = Field(None, pattern=r"^[A-Za-z0-9._-]{1,200}$")
    """The same at every start of a worker, and no other worker's of its role: Kafka then gives its
    partitions back to it, without moving those of the others. A worker without a name is a new one
    at every start."""
    keep_rows: bool = False
    """Whether a detector keeps its rows in ``data_dir`` as well: where that survives a restart, it
    reads from its changelog only what is new."""
    refresh_s: float = Field(300.0, gt=0)
    """How often a worker writes again what compaction keeps: the rows and versions that it owns."""
    max_poll_interval_s: int = Field(7 * 86_400, ge=1, le=2_000_000)
    """A worker that asks Kafka for nothing for so long leaves its group. Long, because workers are
    judged by their health: one that waits for Postgres is no zombie."""
    fetch_wait_ms: int = Field(500, ge=1)
    """How long the broker may hold a fetch that finds nothing. Apache Kafka answers as soon as
    there is something; the embedded broker looks again only now and then within this time."""
    wait_s: float = Field(30.0, gt=0)
    """How long the command line and the client wait for an outcome."""
    log_json: bool = False
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$")
    tools: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Rules that differ for single tools, by tool name."""

    @field_validator("kafka_brokers", mode="before")
    @classmethod
    def _split_brokers(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        brokers = tuple(part.strip() for part in value.split(",") if part.strip())
        for broker in brokers:
            host, _, port = broker.rpartition(":")
            if not host or not port.isdecimal():
                raise ValueError(f"{broker!r} is not host:port")
        if not brokers:
            raise ValueError("names no broker")
        return brokers

    @field_validator("web_token")
    @classmethod
    def _sendable_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None  # set to nothing is not set: nobody means an empty token
        if not re.fullmatch(r"[\x21-\x7e]+", value.get_secret_value()):
            raise ValueError("must be printable ASCII without spaces, to fit into a header")
        return value

    @model_validator(mode="after")
    def _kafka_access_consistent(self) -> Self:
        named = self.kafka_username is not None, self.kafka_password is not None
        if self.kafka_security.startswith("sasl"):
            if not all(named):
                raise ValueError("kafka_security with SASL needs kafka_username, kafka_password")
        elif any(named):
            raise ValueError("kafka_username and kafka_password need kafka_security with SASL")
        files = self.kafka_ca_file, self.kafka_cert_file, self.kafka_key_file
        if not self.kafka_security.endswith("ssl") and any(files):
            raise ValueError("kafka_ca_file, …_cert_file, …_key_file need kafka_security with SSL")
        if self.kafka_key_file is not None and self.kafka_cert_file is None:
            raise ValueError("kafka_key_file needs kafka_cert_file")
        return self

    @model_validator(mode="after")
    def _tools_consistent(self) -> Self:
        for tool in self.tools:
            self.rules_of(tool)
        return self

    @cached_property
    def is_guarded_anywhere(self) -> bool:
        """Whether policy `guarded` is that of any tool."""
        return "guarded" in {self.policy, *(self.rules_of(tool).policy for tool in self.tools)}

    def port_of(self, role: str) -> int:
        """Where the pages of a worker of this role are; 0 is any free port."""
        return _WEB_PORTS[role] if self.web_port is None else self.web_port

    def web_headers(self) -> dict[str, str]:
        """What a request to a worker's pages has to carry."""
        token = self.web_token
        return {} if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"}

    @cached_property
    def _rules(self) -> dict[str, Rules]:
        return {}

    def rules_of(self, tool_name: str) -> Rules:
        """The rules for this tool: the common ones with the tool's own numbers on top.

        Raises ValueError that names the tool and the number where they do not fit.
        """
        if tool_name not in self.tools:
            tool_name = ""
        rules = self._rules.get(tool_name)
        if rules is None:
            common = {name: getattr(self, name) for name in Rules.model_fields}
            try:
                rules = Rules.model_validate(common | self.tools.get(tool_name, {}))
            except ValidationError as error:
                raise ValueError(f"tools.{tool_name}: {explain(error)}") from error
            self._rules[tool_name] = rules
        return rules


def load_settings(**values: Any) -> Settings:
    """Read the environment and ``.env``; ``values`` win. Raises Misconfigured that names each
    variable that is wrong, and never shows a value that may be a secret.
    """
    try:
        return Settings(**values)
    except ValidationError as error:
        raise Misconfigured(f"settings: {explain(error)}") from None
    except Exception as error:  # a source that cannot be read, such as JSON that is none
        raise Misconfigured(f"settings: {error}") from None
