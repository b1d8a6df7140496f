"""The settings of a client, and how they are read and checked."""

import os
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from rollguard_client.errors import Misconfigured
from rollguard_client.messages.message import fault_text
from rollguard_client.settings.address import checked_token, checked_url, require_host_and_port
from rollguard_client.settings.sources import OWN_PREFIX, PREFIX, given_variables

_SECRETS: Final = frozenset({"kafka_password", "token"})
_PATHS: Final = frozenset(
    {"data_dir", "kafka_ca_file", "kafka_cert_file", "kafka_key_file", "spool_dir", "trust"}
)

_CHECKED: Final = {"url": checked_url, "token": checked_token}


def state_folder() -> Path:
    """Return ``$XDG_STATE_HOME/rollguard``, or that folder in the user's home.

    It does not depend on the working directory, which may belong to somebody else.
    """
    given = Path(os.environ.get("XDG_STATE_HOME", ""))
    if given.is_absolute():
        return given / "rollguard"
    home = Path(os.path.expanduser("~"))
    return (home if home.is_absolute() else Path("/")) / ".local/state/rollguard"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where Kafka is, and how the client behaves. Make them with ``load_settings``.

    The first group has the server's variables ``ROLLGUARD_<NAME>``, and means what it means there.
    The second one is the client's own: ``ROLLGUARD_CLIENT_<NAME>``.
    """

    kafka_brokers: tuple[str, ...] = ("127.0.0.1:9092",)
    """The bootstrap servers of Kafka: ``host:port``, separated by commas."""
    kafka_security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    """How connections to Kafka are protected: TLS with ``ssl``, a login with ``sasl``."""
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """How a login at Kafka is carried out."""
    kafka_username: str | None = None
    """The user of a login at Kafka."""
    kafka_password: str | None = None
    """The password of a login at Kafka."""
    kafka_ca_file: Path | None = None
    """The certificates (PEM) of the authorities that may have signed Kafka's certificate; without
    it, the system's."""
    kafka_cert_file: Path | None = None
    """Our own certificate (PEM), if the broker asks for one."""
    kafka_key_file: Path | None = None
    """The key of our own certificate (PEM, unencrypted); without it, the key must be in
    ``kafka_cert_file``."""
    topic_prefix: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{0,150}\Z")] = ""
    """Text that the name of every topic begins with. No separator is added."""
    data_dir: Path = msgspec.field(default_factory=state_folder)
    """The folder in which the versions in use are kept, for a start while Kafka is away. If
    ``XDG_STATE_HOME`` is set, the default is the folder `rollguard` in it."""
    engine_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,200}\Z")] | None = None
    """The name of this process in the list of engines. Each process needs one of its own; best is
    one that is the same after a restart. Without it, it is made of host name and process id."""
    signatures: Literal["off", "warn", "require"] = "off"
    """Whether deployments and rollbacks are signed. It needs ``rollguard-client[signatures]``."""
    trust: Path | None = None
    """The trust file, which names the keys that may sign the versions of tools."""
    signing_key: str | None = None
    """Our private key: the path of a file that nobody else may read."""
    signing_key_id: str | None = None
    """The id of our key in the trust file; the client reads it from the key."""
    signature_max_age_s: Annotated[int, Meta(ge=600)] = 86_400
    """For how long a signature of a version vouches for it, in seconds. An older one is an error in
    the log, and the tool stays in use."""
    max_code_bytes: Annotated[int, Meta(ge=1)] = 524_288
    """The longest code of a deployment, in bytes."""
    wait_s: Annotated[float, Meta(gt=0, le=2_000_000)] = 30.0
    """How long the client waits for an outcome, in seconds."""
    fetch_wait_ms: Annotated[int, Meta(ge=1)] = 500
    """How long the broker may hold a fetch that finds nothing, in milliseconds."""
    url: str | None = None
    """The address of a console, such as ``https://rollguard.example.com``, which
    ``rollguard_client.http`` asks."""
    token: str | None = None
    """The token that is sent to the console at ``url``."""

    buffer_records: Annotated[int, Meta(ge=1)] = 100_000
    """How many records wait at most while Kafka is away. The oldest are dropped."""
    buffer_bytes: Annotated[int, Meta(ge=65_536)] = 128 * 1024**2
    """How many bytes of memory they take at most, about."""
    flush_s: Annotated[float, Meta(ge=0)] = 5.0
    """How long a program that ends waits for its last records to be sent, in seconds."""
    spool_dir: Path | None = None
    """A folder in which records are kept until Kafka has them, so that they survive a kill of the
    process. Without it they are kept in memory alone."""
    publish_by: Literal["kafka", "http"] = "kafka"
    """How executions are published: to Kafka, or through the console at ``url``."""
    stuck_after_s: Annotated[float, Meta(ge=0)] = 3_600.0
    """After how long a call that has not ended is published as a failure of the environment, in
    seconds; 0: never."""

    @property
    def kafka_secret(self) -> str | None:
        """The password of a login at Kafka, as it is sent."""
        return self.kafka_password

    def __repr__(self) -> str:
        """Return the settings without secrets."""
        shown = (f"{n}={getattr(self, n)!r}" for n in self.__struct_fields__ if n not in _SECRETS)
        return f"Settings({', '.join(shown)})"


_OWN: Final = frozenset(
    {"buffer_records", "buffer_bytes", "flush_s", "publish_by", "spool_dir", "stuck_after_s"}
)
_FIELDS: Final = {each.name: each for each in msgspec.structs.fields(Settings)}
VARIABLES: Final = {
    (OWN_PREFIX if name in _OWN else PREFIX) + name.upper(): name for name in _FIELDS
}
"""The variable of each setting, with the setting's name."""


def load_settings(**values: Any) -> Settings:
    """Read the environment and the file that ``ROLLGUARD_ENV_FILE`` names; ``values`` win.

    Raises Misconfigured that names each setting that is wrong, and never shows a secret.
    """
    given: dict[str, Any] = {
        VARIABLES[variable]: text for variable, text in given_variables(VARIABLES).items()
    }
    given |= values
    faults = [f"{name} is not a setting" for name in given if name not in _FIELDS]
    read: dict[str, Any] = {}
    for name, value in given.items():
        if name in _FIELDS:
            try:
                read[name] = _read(name, value)
            except ValueError as error:
                faults.append(f"{name}: {error}")
    if not faults:
        settings = Settings(**read)
        faults = list(_inconsistent(settings))
        if not faults:
            return settings
    raise Misconfigured(f"settings: {'; '.join(faults)}")


def _read(name: str, value: object) -> object:
    """Return the value of a setting. Raises ValueError; msgspec's error is one."""
    if name == "kafka_brokers":
        return _brokers(value)
    if name in _CHECKED:
        return _CHECKED[name](str(value)) if value else None
    if name in _PATHS:
        if value is None and _FIELDS[name].default is None:
            return None
        if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
            raise ValueError("must be the path of a file or a folder")
        return Path(value)
    try:
        return msgspec.convert(value, _FIELDS[name].type, strict=False)
    except msgspec.ValidationError as error:
        words = _words(_FIELDS[name].type)
        if words:
            raise ValueError(f"must be one of {', '.join(words)}") from None
        raise ValueError(fault_text(error)) from None


def _words(kind: Any) -> tuple[str, ...]:
    return get_args(kind) if get_origin(kind) is Literal else ()


def _brokers(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list | tuple) or not value:
        raise ValueError("names no broker")
    for broker in value:
        require_host_and_port(broker)
    return tuple(value)


def _inconsistent(settings: Settings) -> "list[str]":
    faults = []
    if settings.publish_by == "http" and settings.url is None:
        faults.append("publish_by http needs url")
    named = settings.kafka_username is not None, settings.kafka_password is not None
    if settings.kafka_security.startswith("sasl"):
        if not all(named):
            faults.append("kafka_security with SASL needs kafka_username, kafka_password")
    elif any(named):
        faults.append("kafka_username and kafka_password need kafka_security with SASL")
    files = settings.kafka_ca_file, settings.kafka_cert_file, settings.kafka_key_file
    if not settings.kafka_security.endswith("ssl") and any(files):
        faults.append("kafka_ca_file, …_cert_file, …_key_file need kafka_security with SSL")
    if settings.kafka_key_file is not None and settings.kafka_cert_file is None:
        faults.append("kafka_key_file needs kafka_cert_file")
    return faults
