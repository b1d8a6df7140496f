"""Mutations that change how a message is written: its JSON text, or its bytes."""

import json
import string
from random import Random

from tests.support.mutations.message import ID_OF, Fields, Kind, Raw, json_of, unescaped_json_of
from tests.support.mutations.mutant import Mutant


def layout(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """Write the same message in another way."""
    shuffled = dict(random.sample(list(fields.items()), len(fields)))
    texts = {
        "shuffled": json.dumps(shuffled),
        "indented": json.dumps(fields, indent=2),
        "dense": json.dumps(fields, separators=(",", ":")),
        "padded": "\r\n\t " + json.dumps(fields) + " \n" * 50,
        "UTF-8": unescaped_json_of(fields | {"extra": "é数🛡"}),
        "escaped": json.dumps(fields).replace("tool_name", "\\u0074ool_name"),
        "solidus": json.dumps(fields | {"extra": "/"}).replace("/", "\\/"),
        "twice the same": json.dumps(fields)[:-1]
        + f', "tool_name": {json_of(fields["tool_name"])}}}',
        "upper case id": json.dumps(fields | {ID_OF[kind]: fields[ID_OF[kind]].upper()}),
    }
    name = random.choice(list(texts))
    return Mutant(name, "good", fields, texts[name].encode(), as_bytes=True)


def twice_different(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """Write a field twice with different values: JSON does not say which one counts."""
    field = random.choice(list(fields))
    other = random.choice(["x", 7, None, fields[field]])
    text = json_of(fields)[:-1] + f", {json.dumps(field)}: {json_of(other)}}}"
    return Mutant(f"twice {field}", "open", fields, text.encode(), as_bytes=True)


def deep(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """Send only nested brackets, or put them in the place of the name."""
    depth = random.choice([10, 200, 1_000, 10_000, 100_000])
    opened, closed = random.choice([("[", "]"), ('{"a":', "}"), ("[", "")])
    text = opened * depth + ("1" if opened != "[" else "") + closed * depth
    if random.random() < 0.5:
        return Mutant(f"deep {depth}", "bad", fields, text.encode(), as_bytes=True)
    return Mutant(f"tool_name deep {depth}", "bad", fields | {"tool_name": Raw(text)})


def no_json(kind: Kind, fields: Fields, random: Random) -> Mutant:
    text = json.dumps(fields)
    texts = [
        "", " ", "null", "true", "0", "-1", '""', "[]", "{}", "NaN", "{", "}", "[1, 2]", '"x', "\0",
        text[:-1] + ",}", text.replace('"', "'"), text + text, text + "x", "[" + text + "]",
        text + "\0", "// x\n" + text, text[:-1] + ', "x": 007}', text[:-1] + ', "x": +1}',
        text[:-1] + ', "x": .5}', text[:-1] + ', "x": 0x10}', text[:-1] + ', "x": tru}',
        text[:-1] + ', "x": "a\nb"}', text[:-1] + ', "x": "\0"}', text[:-1] + ', "x": "\\q"}',
        text[:-1] + ', "x": "\\u12"}', text[:-1] + ', x: 1}', text[:-1] + ', 1: 1}',
        text * (2 + 200_000 // len(text)), json.dumps(text),
        text[:-1] + ', "x"}', text.replace(":", "="),
    ]  # fmt: skip
    index = random.randrange(len(texts) + 5)
    if index >= len(texts):  # cut the text anywhere
        cut = text[: random.randrange(1, len(text) - 1)]
        return Mutant(f"cut at {len(cut)}", "bad", fields, cut.encode(), as_bytes=True)
    return Mutant(f"no JSON {index}", "bad", fields, texts[index].encode(), as_bytes=True)


def no_utf_8(kind: Kind, fields: Fields, random: Random) -> Mutant:
    text = unescaped_json_of(fields | {"extra": "é"})
    codecs = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be")
    encoded = {codec: text.encode(codec) for codec in codecs}
    encoded["raw"] = text.encode().replace(b"\xc3\xa9", b"\xff\xfe")
    encoded["overlong"] = text.encode().replace(b"\xc3\xa9", b"\xc0\xaf")
    encoded["half"] = text.encode().replace(b"\xc3\xa9", b"\xc3")
    encoded["latin-1"] = text.encode().replace(b"\xc3\xa9", b"\xe9")
    name = random.choice(list(encoded))
    return Mutant(name, "bad", fields, encoded[name], as_bytes=True)


def nearly_utf_8(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """Add a byte order mark, which a reader may ignore, or write surrogates as UTF-8."""
    text = unescaped_json_of(fields | {"extra": "é"}).encode()
    mark = random.random() < 0.5
    value = b"\xef\xbb\xbf" + text if mark else text.replace(b"\xc3\xa9", b"\xed\xa0\x80")
    return Mutant("byte order mark" if mark else "CESU-8", "open", fields, value, as_bytes=True)


def random_bytes(kind: Kind, fields: Fields, random: Random) -> Mutant:
    value = random.randbytes(random.choice([1, 2, 7, 100, 5_000]))
    if random.random() < 0.3:
        characters = string.printable + '{}[]",:0123456789eE-+\\u\0'
        value = "".join(random.choices(characters, k=random.choice([5, 50, 500]))).encode()
    return Mutant("random bytes", "bad", fields, value, as_bytes=True)


def flipped(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """Change some bits, bytes or stretches of a good message at random."""
    value = bytearray(json_of(fields).encode())
    for _ in range(random.choice([1, 1, 1, 2, 5])):
        at = random.randrange(len(value))
        match random.randrange(4):
            case 0:
                value[at] ^= 1 << random.randrange(8)
            case 1:
                del value[at : at + random.randrange(1, 9)]
            case 2:
                value[at:at] = random.randbytes(random.randrange(1, 5))
            case _:
                value[at:at] = value[at : at + random.randrange(1, 30)]
        value = value or bytearray(b"x")
    return Mutant("flipped", "open", fields, bytes(value), as_bytes=True)


def huge(kind: Kind, fields: Fields, random: Random) -> Mutant:
    """Make the record about as large as records may be."""
    size = random.choice([1_048_576, 3_000_000])
    if random.random() < 0.5:
        return Mutant("huge junk", "bad", fields, b"x" * size, as_bytes=True)
    return Mutant("huge unknown", "good", fields | {"extra": "x" * size})
