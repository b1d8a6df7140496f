"""The permissions that `docs/security.md` grants in Kafka, given to users of a secure broker."""

import re
import subprocess

from schemas.settings import load_settings
from streams.topics import Topics
from tests.support.kafka import APACHE
from tests.support.login_roles import SECURITY_PAGE
from tests.support.secure_kafka import SecureKafka

_JARS = APACHE.parents[2] / ".cache" / "kafka"


def acls(prefix: str) -> list[list[str]]:
    """Return the table of the page as arguments of Kafka's ACL tool, one list for each row."""
    rows = re.findall(
        r"^\| (\w+) \| (topic|group) \| (.+?) \| (.+?) \|$", SECURITY_PAGE, re.MULTILINE
    )
    assert len(rows) >= 10
    everything = Topics.of(load_settings(topic_prefix="")).all()
    found = []
    for party, kind, names, operations in rows:
        listed = everything if names == "all" else names.split(", ")
        arguments = ["--add", "--allow-principal", f"User:{party}"]
        for operation in operations.split(", "):
            arguments += ["--operation", operation]
        for name in listed:
            arguments += [f"--{kind}", prefix + name]
        found.append(arguments)
    return found


def allow(kafka: SecureKafka, arguments: list[str]) -> None:
    """Run Kafka's ACL tool with these arguments."""
    [jars] = [folder for folder in _JARS.iterdir() if folder.name.isdecimal()]
    command = ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*"]
    tool = ["org.apache.kafka.tools.AclCommand", "--bootstrap-server", kafka.admin]
    subprocess.run([*command, *tool, *arguments], check=True, capture_output=True, timeout=60)
