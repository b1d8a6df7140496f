"""Write the AsyncAPI document and the JSON Schemas: ``python -m documentation.asyncapi``."""

from documentation.asyncapi.files import SCHEMAS, files
from documentation.source import ROOT


def main() -> None:
    """Write every file anew, and remove schemas of messages that are gone."""
    texts = files()
    (ROOT / SCHEMAS).mkdir(exist_ok=True)
    for old in (ROOT / SCHEMAS).glob("*.json"):
        if f"{SCHEMAS}/{old.name}" not in texts:
            old.unlink()
    for path, text in texts.items():
        (ROOT / path).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
