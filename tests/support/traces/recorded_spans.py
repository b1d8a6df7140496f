"""The spans that frameworks really make, as `tests/data/spans/record.py` has recorded them."""

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

_FOLDER = Path(__file__).parents[2] / "data/spans"


def recorded_in_json(name: str) -> bytes:
    """Return a record of the Collector's exporter, in the encoding `otlp_json`."""
    return (_FOLDER / f"{name}.json").read_bytes()


def recorded_in_protobuf(name: str) -> bytes:
    """Return the same in the encoding `otlp_proto`."""
    message = ParseDict(_in_base64(json.loads(recorded_in_json(name))), TracesData())
    return bytes(message.SerializeToString())


def _in_base64(data: Any) -> Any:
    """Return a message with its ids as protobuf's own JSON has them."""
    if isinstance(data, list):
        return [_in_base64(each) for each in data]
    if not isinstance(data, dict):
        return data
    return {
        name: b64encode(bytes.fromhex(value)).decode() if name.endswith("Id") else _in_base64(value)
        for name, value in data.items()
    }
