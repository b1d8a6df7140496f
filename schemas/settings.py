"""All settings: variables ``ROLLGUARD_…`` of the environment and of a named file."""

import json
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from rollguard_client.settings.address import checked_url, require_host_and_port
from schemas.configuration.bridge_settings import BridgeSettings
from schemas.configuration.proxy_settings import ProxySettings
from schemas.configuration.setting_sources import given_settings, nearest
from schemas.configuration.web_address import host_of, require_console, require_host_pattern
from schemas.errors import Misconfigured
from schemas.fields import ENGINE_ID
from schemas.files.state_folder import state_folder
from schemas.message import explain
from schemas.rules.fleet import FleetRules
from schemas.rules.outages import OutageRules
from schemas.rules.rules import Rules, with_new_names

_WEB_PORTS: Final = {
    "detector": 6066,
    "applier": 6067,
    "recorder": 6068,
    "console": 6069,
    "bridge": 6070,
    "notifier": 6071,
}
_JSON: Final = ("tools", "bridge_rename")
"""Settings whose variables hold JSON."""
_SHORTEST_SECRET: Final = 16
KeepErrors = Literal["text", "class"]
"""What the recorder keeps of errors."""
GROUPS: Final[Mapping[str, type[BaseModel]]] = {
    "rules": Rules,
    "outages": OutageRules,
    "fleet": FleetRules,
    "bridge": BridgeSettings,
    "proxy": ProxySettings,
}
"""The fields of ``Settings`` that hold several settings. Each setting keeps a variable, and an
argument of ``load_settings``, of its own."""


class Settings(BaseSettings):
    """Where the parts of the system are, and the numbers of the rules.

    Every setting has a variable ``ROLLGUARD_<NAME>``, also those in ``rules``, ``outages``,
    ``fleet``, ``bridge`` and ``proxy``: ``ROLLGUARD_RING_SIZE``. ``tools`` changes rules for single
    tools: ``ROLLGUARD_TOOLS='{"parser": {"ring_size": 20}}'``. Make settings with
    ``load_settings``, which names each value that is wrong.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    rules: Rules
    """The policy and its numbers, for every tool that ``tools`` does not name."""
    outages: OutageRules
    """The numbers that tell an outage, for all tools together."""
    fleet: FleetRules
    """The numbers of the fleet's brake, for all tools together."""
    bridge: BridgeSettings
    """What the bridge reads, and which spans it takes for executions."""
    proxy: ProxySettings
    """The proxy before the console that knows who has logged in, if there is one."""
    kafka_brokers: tuple[str, ...] = ("127.0.0.1:9092",)
    """The bootstrap servers of Kafka: ``host:port``, separated by commas."""
    kafka_security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    """How connections to Kafka are protected: TLS with ``ssl``, a login with ``sasl``."""
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """How a login at Kafka is carried out."""
    kafka_username: str | None = None
    """The user of a login at Kafka."""
    kafka_password: SecretStr | None = None
    """The password of a login at Kafka."""
    kafka_ca_file: Path | None = None
    """The certificates (PEM) of the authorities that may have signed Kafka's certificate; without
    it, the system's."""
    kafka_cert_file: Path | None = None
    """Our own certificate (PEM), if the broker asks for one."""
    kafka_key_file: Path | None = None
    """The key of our own certificate (PEM, unencrypted); without it, the key must be in
    ``kafka_cert_file``."""
    postgres_dsn: SecretStr = SecretStr("postgresql://rollguard@127.0.0.1:5432/rollguard")
    """The address of the Postgres database, with user and password."""
    postgres_pooling: Literal["auto", "session", "transaction"] = "auto"
    """For how long a pooler such as PgBouncer lends its connections to Postgres. With
    ``transaction``, connections keep no prepared statements. With ``auto``, they keep none if there
    is a pooler; if that one has `pool_mode = session`, ``session`` saves time."""
    topic_prefix: str = Field("", pattern=r"^[A-Za-z0-9._-]{0,150}$")
    """Text that the name of every topic and every consumer group begins with. No separator is
    added."""
    partitions: int = Field(4, ge=1, le=10_000)
    """How many partitions each topic gets when ``rollguard topics`` creates it, or adds to it with
    ``--grow``."""
    partitions_before: int | None = Field(None, ge=1, le=10_000)
    """How many partitions each topic had before partitions were added. Records that lie where this
    number puts them are good as well. It is needed until Kafka has removed them."""
    replication_factor: int = Field(1, ge=1)
    """How many replicas each partition gets when ``rollguard topics`` creates it."""
    retention_days: int = Field(7, ge=1, le=36_500)
    """How long Kafka keeps records of the topics that are kept by time (executions, deployments,
    commands, outcomes), in days, when ``rollguard topics`` creates the topics. A role that is down
    for longer misses the records that are gone."""
    dead_letter_retention_days: int = Field(30, ge=1, le=36_500)
    """How long Kafka keeps records of `dead-letters`, in days, when ``rollguard topics`` creates
    the topic."""
    dead_letter_retention_bytes: int = Field(1024**3, ge=1024**2)
    """How many bytes of each partition of `dead-letters` Kafka keeps at most, when ``rollguard
    topics`` creates the topic."""
    dead_letter_bytes_per_minute: int = Field(4 * 1024**2, ge=1)
    """How many bytes of dead letters a minute the bad records of one partition may cost, about.
    What goes beyond is counted, and gets a dead letter now and then (``dead_letter_one_in``)."""
    dead_letter_one_in: int = Field(1_000, ge=1)
    """Of the bad records that are only counted, one in this many gets a dead letter. Then 1 MB of
    compressed input does not become much more than 1 MB of dead letters."""
    keep_errors: KeepErrors = "text"
    """What the recorder keeps of errors in Postgres: their text, or only the class of the
    exception, and then of later verdicts not why they were given. It holds for what is recorded
    from then on."""
    data_dir: Path = Field(default_factory=state_folder)
    """The folder for files that a worker may lose. An engine keeps its versions there, too, for a
    start while Kafka is away. If ``XDG_STATE_HOME`` is set, the default is the folder `rollguard`
    in it. Each worker, and the engines of each Kafka, need a folder of their own."""
    engine_id: str | None = Field(None, pattern=ENGINE_ID)
    """The name of an engine in the list of engines (``rollguard engines``). Each process needs one
    of its own; best is one that is the same after a restart. Without it, it is made of host name
    and process id."""
    engine_silent_s: int = Field(3_600, ge=1_800)
    """After how long an engine of which nothing was heard is forgotten, in seconds. Registries
    report every 15 minutes what they run."""
    signatures: Literal["off", "warn", "require"] = "off"
    """Whether deployments, activations, versions and rollback commands are signed and checked. What
    does not verify is only logged and counted with ``warn``, and refused with ``require``."""
    trust: Path | None = None
    """The trust file: the public keys, and what each may say. ``warn`` and ``require`` need it."""
    signing_key: str | None = None
    """Our private key: the path of a file that nobody else may read, or the URI of a key in a key
    management service (``awskms:``, ``gcpkms:``, ``azurekms:``, ``hv:``, ``hsm:``). Whoever
    publishes something that is signed needs it."""
    signing_key_id: str | None = None
    """The id of our key in the trust file, if ``signing_key`` is a URI."""
    signature_max_age_s: int = Field(86_400, ge=600)
    """For how long the applier's signature of a version vouches for it, in seconds. The applier
    signs each version anew in a quarter of this time. A registry logs an error about an older
    signature, and keeps the tool in use."""
    web_host: str = "127.0.0.1"
    """The address on which a worker serves its HTTP endpoints. Any address but loopback needs
    ``web_token``."""
    web_port: int | None = Field(None, ge=0, le=65_535)
    """The port of a worker's HTTP endpoints, or of the console. Without it the detector takes 6066,
    the applier 6067, the recorder 6068, the console 6069, the bridge 6070, the notifier 6071; 0
    takes a free port."""
    web_token: SecretStr | None = None
    """The token that every HTTP endpoint but ``/healthz`` and ``/readyz`` asks for
    (``Authorization: Bearer …``), and that ``check`` and ``health`` send. Who has it may do
    everything that the console offers."""
    web_viewer_token: SecretStr | None = None
    """Another token for the console and for ``/metrics`` of the workers, which lets read and change
    nothing. It needs a ``web_token``."""
    web_url: str | None = None
    """The address at which other detectors reach this one, ``http://host:port``; without it, host
    and port."""
    web_allowed_hosts: tuple[str, ...] = ()
    """Other names of a worker, or of the console, separated by commas. A worker answers only a
    request that calls it (in the header ``Host``) by one of them, by a loopback name, by the
    address that the request reached, or by the host of its own address."""
    detector_hosts: tuple[str, ...] = ()
    """The hosts of other detectors, separated by commas: names, addresses, networks (10.1.0.0/16).
    ``*`` stands for any characters but a dot. A detector passes a question on only to these, and to
    its own machine."""
    detector_token: SecretStr | None = None
    """The secret by which detectors know each other; it is never sent. With a ``web_token``, they
    ask each other only if it is set."""
    detector_url: str = "http://127.0.0.1:6066"
    """The detector that ``check`` and ``health`` ask."""
    url: str | None = None
    """The address of a console, such as ``https://rollguard.example.com``. The command line then
    works through it, and needs neither Kafka nor Postgres."""
    token: SecretStr | None = None
    """The token that the command line sends to the console at ``url``: the console's ``web_token``
    or its ``web_viewer_token``."""
    notify: Path | None = None
    """The file (TOML) that names who is told of rollbacks, refused deployments and outages. The
    role `notifier` needs it."""
    console_url: str | None = None
    """The address of the console as people reach it, such as ``https://rollguard.example.com``.
    Notifications link to its pages; without it they have no links."""
    max_code_bytes: int = Field(524_288, ge=1)
    """The longest code of a deployment, in bytes."""
    max_ahead_s: int = Field(60, ge=0)
    """How far the time in a record may be ahead of the record's Kafka timestamp, in seconds."""
    metrics_tools: int = Field(0, ge=0, le=100)
    """How many tools ``/metrics`` of a detector shows by name: those that are executed most. With
    0, no name of a tool is shown there."""
    max_poll_records: int = Field(2_000, ge=1)
    """How many records a worker takes from Kafka at once."""
    session_timeout_s: int = Field(10, ge=6)
    """After how long without a sign of life Kafka gives a worker's partitions to another worker, in
    seconds."""
    worker_name: str | None = Field(None, pattern=r"^[A-Za-z0-9._-]{1,200}$")
    """A name that is the same at every start of a worker, and that no other worker of its role has.
    Kafka then gives the worker its partitions back without moving those of others. Without a name a
    worker is a new one at every start."""
    keep_rows: bool = False
    """Whether a detector also keeps its rows in ``data_dir``. If that folder survives a restart,
    the detector reads only what is new from its changelog."""
    forget_days: int = Field(365, ge=0, le=36_500)
    """After how many days without an execution and without a new version the detector forgets a
    tool, so that its table does not grow for ever; 0: never. If the tool is executed again, nobody
    judges it before a version of it is activated."""
    refresh_s: float = Field(300.0, gt=0)
    """How often a worker republishes, before compaction, the rows and versions that it owns, in
    seconds."""
    max_poll_interval_s: int = Field(7 * 86_400, ge=1, le=2_000_000)
    """After how long without asking Kafka for records a worker leaves its group, in seconds. Long,
    because a worker's health tells whether it works, and one that waits for Postgres still
    does."""
    fetch_wait_ms: int = Field(500, ge=1)
    """How long the broker may hold a fetch that finds nothing, in milliseconds. Apache Kafka
    answers as soon as there is a record; the embedded broker looks only now and then within this
    time."""
    wait_s: float = Field(30.0, gt=0)
    """How long the command line and the client wait for an outcome, in seconds."""
    log_json: bool = False
    """Whether log lines are JSON."""
    traces: Literal["auto", "on", "off"] = "auto"
    """Whether the detector and the applier send the spans of rollbacks and deployments by OTLP over
    HTTP, where the variables ``OTEL_EXPORTER_OTLP_…`` say. It needs ``rollguard[traces]``. With
    ``auto`` they do so if both are there."""
    traces_ratio: float = Field(1.0, ge=0, le=1)
    """The part of the traces that is sampled, of those that begin with Rollguard. The others follow
    the flag of whoever began them."""
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$")
    """The lowest level that is logged: ``debug``, ``info``, ``warning`` or ``error``."""
    tools: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Rules that differ for single tools: JSON, by the tool's name, then by the rule's."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments first, then the variables (``schemas.configuration.setting_sources``)."""
        return init_settings, InitSettingsSource(settings_cls, _given_values())

    @model_validator(mode="before")
    @classmethod
    def _group(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Put each rule into its group; the names that arrive are flat."""
        if unknown := values.keys() - cls.model_fields - SETTING_NAMES:
            raise ValueError("; ".join(_unknown(name) for name in sorted(unknown)))
        values = with_new_names(values)
        grouped = {name: value for name, value in values.items() if name in cls.model_fields}
        for group, model in GROUPS.items():
            single = {name: values[name] for name in model.model_fields if name in values}
            grouped[group] = _fields(grouped.get(group, {})) | single
        return grouped

    @property
    def kafka_secret(self) -> str | None:
        """The password of a login at Kafka, as it is sent."""
        return None if self.kafka_password is None else self.kafka_password.get_secret_value()

    @field_validator("kafka_brokers", mode="before")
    @classmethod
    def _split_brokers(cls, value: object) -> object:
        if isinstance(value, str):
            value = tuple(part.strip() for part in value.split(",") if part.strip())
        if not isinstance(value, tuple | list):
            return value
        if not value:
            raise ValueError("names no broker")
        for broker in value:
            require_host_and_port(broker)
        return value

    @field_validator("web_allowed_hosts", "detector_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        if isinstance(value, str):
            value = tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("detector_hosts")
    @classmethod
    def _hosts_of_detectors(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            require_host_pattern(each)
        return value

    @field_validator("web_url")
    @classmethod
    def _url_without_path(cls, value: str | None) -> str | None:
        if value is not None and host_of(value) is None:
            raise ValueError("must be http://host:port, without a path")
        return value

    @field_validator("detector_token")
    @classmethod
    def _long_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        if len(value.get_secret_value()) < _SHORTEST_SECRET:
            raise ValueError(
                f"must have at least {_SHORTEST_SECRET} characters: who sees a question "
                "between detectors could guess a short one"
            )
        return value

    @field_validator("console_url")
    @classmethod
    def _linkable_url(cls, value: str | None) -> str | None:
        if value is not None:
            require_console(value)
        return value

    @field_validator("trust", "signing_key", "signing_key_id", "notify", mode="before")
    @classmethod
    def _nothing_is_not_set(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("url")
    @classmethod
    def _console_address(cls, value: str | None) -> str | None:
        return checked_url(value) if value else None

    @field_validator("web_token", "web_viewer_token", "token")
    @classmethod
    def _sendable_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None  # set to nothing is not set: nobody means an empty token
        if not re.fullmatch(r"[\x21-\x7e]+", value.get_secret_value()):
            raise ValueError("must be printable ASCII without spaces, to fit into a header")
        return value

    @model_validator(mode="after")
    def _tokens_consistent(self) -> Self:
        viewer, token = self.web_viewer_token, self.web_token
        if viewer is None:
            return self
        if token is None:
            raise ValueError("web_viewer_token needs web_token: without it everybody may do all")
        if viewer.get_secret_value() == token.get_secret_value():
            raise ValueError("web_viewer_token must differ from web_token")
        return self

    @model_validator(mode="after")
    def _proxy_consistent(self) -> Self:
        if self.proxy.proxy_user_header is not None and self.web_token is None:
            raise ValueError("proxy_user_header needs web_token: without it everybody may do all")
        return self

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
            self._changed_rules(tool)
        return self

    @cached_property
    def is_guarded_anywhere(self) -> bool:
        """Whether policy `guarded` is that of any tool."""
        policies = {self.rules.policy, *(self.rules_of(tool).policy for tool in self.tools)}
        return "guarded" in policies

    def port_of(self, role: str) -> int:
        """Return the port of a worker of this role, or of the console; 0 is any free port."""
        return _WEB_PORTS[role] if self.web_port is None else self.web_port

    def web_headers(self) -> dict[str, str]:
        """Return the headers that a request to a worker's HTTP endpoints must carry."""
        token = self.web_token
        return {} if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"}

    def rules_of(self, tool_name: str) -> Rules:
        """Return the rules for this tool: the common ones with the tool's own numbers on top."""
        return self._rules_of_tools.get(tool_name, self.rules)

    @cached_property
    def _rules_of_tools(self) -> dict[str, Rules]:
        return {tool: self._changed_rules(tool) for tool in self.tools}

    def _changed_rules(self, tool_name: str) -> Rules:
        """Raise ValueError that names the tool and the number if they do not fit."""
        try:
            return self.rules.changed(self.tools[tool_name])
        except ValidationError as error:
            raise ValueError(f"tools.{tool_name}: {explain(error)}") from error


SETTING_NAMES: Final = frozenset(
    name
    for fields in (Settings.model_fields, *(group.model_fields for group in GROUPS.values()))
    for name in fields
    if name not in GROUPS
)
"""Every setting, by the name that is an argument of ``load_settings`` and, in capitals after
``ROLLGUARD_``, a variable."""


def load_settings(**values: Any) -> Settings:
    """Read the environment and the file that ``ROLLGUARD_ENV_FILE`` names; ``values`` win.

    Raises Misconfigured that names each setting that is wrong, and never shows a value that may be
    a secret.
    """
    try:
        return Settings(**values)
    except ValidationError as error:
        raise Misconfigured(f"settings: {explain(error, unnamed=GROUPS)}") from None


def only_these_settings(**values: Any) -> Settings:
    """Return settings that ``values`` alone give; the environment and the named file are not read.

    Raises as ``load_settings`` does.
    """
    try:
        return _OnlyThese(**values)
    except ValidationError as error:
        raise Misconfigured(f"settings: {explain(error, unnamed=GROUPS)}") from None


class _OnlyThese(Settings):
    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_others: PydanticBaseSettingsSource,
        **_more: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments alone."""
        return (init_settings,)


def _given_values() -> dict[str, Any]:
    """Return what the variables give, by the name of the setting; JSON is read."""
    values: dict[str, Any] = {}
    for name, given in given_settings(SETTING_NAMES).items():
        values[name] = given.text
        if name in _JSON:
            try:
                values[name] = json.loads(given.text)
            except ValueError as error:
                raise Misconfigured(f"settings: {name} is not JSON: {error}") from None
    return values


def _fields(group: object) -> dict[str, Any]:
    """Return the fields of a group that was given as a whole."""
    if isinstance(group, BaseModel):
        return group.model_dump()
    return group if isinstance(group, dict) else {}


def _unknown(name: str) -> str:
    return f"{name} is not a setting; did you mean {nearest(name, SETTING_NAMES)}?"
