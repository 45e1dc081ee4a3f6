"""Damage to the content of a file: of any bytes, of JSON values, of words in a text, of numbers in a binary file.

A mutation takes the content and a random generator, and returns other content.
"""

from __future__ import annotations

import json
import random
import struct
import zlib
from collections.abc import Callable
from typing import Any

Mutation = Callable[[bytes, random.Random], bytes]

NUMBERS = (
    "0",
    "-1",
    "1e-6",
    "1e6",
    "1e20",
    "1e300",
    "-1e300",
    "1e-300",
    "1e999",
    "-0.0",
    "NaN",
    "nan",
    "inf",
    "5" * 5000,
)
"""Written numbers, most of which no camera has."""
TEXTS = (
    *("", " ", "#", "a b.png", "a\nb.png", "\0", "../../../../../../etc/passwd", "/etc/passwd", "/dev/zero", "/", ".."),
    *("x" * 5000, "a/" * 2500 + "b.png", "a/" * 400 + "b.png", "//", "\u202e.png", "\udcff.png", "images/000.png"),
    *("C:\\images\\000.png", "images", "~/x.png", "transforms.json"),
)
"""Texts, many of which are paths that a scene should not name."""


def flip_bits(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 8, 64])):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def truncate(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.choice([0, 1, 4, 8, len(content) // 2, len(content) - 1, rng.randrange(len(content))])]


def cut_out(content: bytes, rng: random.Random) -> bytes:
    first, length = rng.randrange(len(content)), rng.choice([1, 4, 8, 16, 100])
    return content[:first] + content[first + length :]


def repeat(content: bytes, rng: random.Random) -> bytes:
    first, length = rng.randrange(len(content)), rng.choice([1, 4, 8, 16, 100])
    return content[: first + length] + content[first:]


def overwrite(content: bytes, rng: random.Random) -> bytes:
    block = rng.choice([b"\0" * 16, b"\xff" * 8, rng.randbytes(8), b"\n", b"[" * 64])
    first = rng.randrange(len(content))
    return content[:first] + block + content[first + len(block) :]


def other_content(content: bytes, rng: random.Random) -> bytes:
    others = [
        rng.randbytes(200),
        b"[" * 200_000,
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"\x80\x04N.",
        b"PK\x03\x04" + bytes(99),
    ]
    return rng.choice(others)


ANY_BYTES: tuple[Mutation, ...] = (flip_bits, truncate, cut_out, repeat, overwrite, other_content)


class _Twice(dict[str, Any]):
    """A JSON object whose keys are all written twice."""

    def items(self) -> Any:
        return [pair for pair in super().items() for _ in range(2)]


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if depth % 2 else {"K": value}
    return value


def in_json(content: bytes, rng: random.Random) -> bytes:
    """Change one value of a JSON file, a key, or a value of the same place in all frames."""
    root: Any = [json.loads(content)]
    places: dict[tuple[str, ...], list[tuple[Any, Any]]] = {}
    pending: list[tuple[tuple[str, ...], Any]] = [((), root)]
    while pending:
        path, holder = pending.pop()
        for key in holder if isinstance(holder, dict) else range(len(holder)):
            # Views differ in their names, frames in their numbers: they are one kind of place.
            is_view = (len(path) == 1 and f"{key}"[:2] == "00") or (len(path) == 2 and isinstance(key, int))
            inner = (*path, "view" if is_view else f"{key}")
            places.setdefault(inner, []).append((holder, key))
            if isinstance(holder[key], dict | list):
                pending.append((inner, holder[key]))
    alike = places[rng.choice([path for path in places if len(path) > 1] * 3 + [("0",)])]
    change = _json_change(rng)
    for holder, key in alike if rng.random() < 0.5 else [rng.choice(alike)]:
        change(holder, key)
    return _dump(root[0] if root else None).encode()


def _json_change(rng: random.Random) -> Callable[[Any, Any], None]:
    """A change of the value under a key of an object or at a place in a list."""
    number = _Raw({"nan": "NaN", "inf": "Infinity"}.get(written := rng.choice(NUMBERS), written))
    way = rng.choice(["number"] * 6 + ["text"] * 3 + ["delete", "twice", "key", "key", "nest", "wrap", "type"])
    extra = ["K", "fov", "k1", "k4", "p2", "w", "flag", "name", "file_path", "mask_path", "ply_file_path", "is_fisheye"]
    extra += ["camera_model", "train_filenames", "distortion_params", "intrinsics", "fov_x", "pixel_aspect_x"]
    new = {
        "number": number,
        "text": rng.choice(TEXTS),
        "nest": nested(rng.choice([3, 50, 500, 501, 2000, 2001])),
        "type": rng.choice([None, True, False, [], {}, [None], {"": None}]),
        "key": rng.choice([number, rng.choice(TEXTS), [1, 2], nested(3), [number] * 9, [number] * 6, {"fx": number}]),
    }
    other, times = rng.choice(extra), rng.choice([1, 2, 1000])

    def change(holder: Any, key: Any) -> None:
        old = holder[key]
        if way == "delete":
            del holder[key]
        elif way == "key" and isinstance(holder, dict):
            holder[other] = new[way]
        else:
            holder[key] = {"twice": _Twice(a=old), "wrap": [old] * times}.get(way, new.get(way))

    return change


def _dump(root: Any) -> str:
    """JSON of a value that may be nested more deeply than Python's own writer allows."""
    parts: list[str] = []
    pending: list[Any] = [root]
    while pending:  # values still to be written, and texts between them, the next one last
        item = pending.pop()
        if isinstance(item, dict):
            inner = [x for k, v in item.items() for x in (_Raw(json.dumps(k) + ": "), v, _Raw(", "))][:-1]
            pending += [_Raw("}"), *reversed(inner), _Raw("{")]
        elif isinstance(item, list):
            inner = [x for v in item for x in (v, _Raw(", "))][:-1]
            pending += [_Raw("]"), *reversed(inner), _Raw("[")]
        else:
            parts.append(item if isinstance(item, _Raw) else json.dumps(item))
    return "".join(parts)


class _Raw(str):
    """Text that is written as it is."""


def in_words(content: bytes, rng: random.Random) -> bytes:
    """Change a word or a line of a text."""
    lines = content.split(b"\n")
    number = rng.randrange(len(lines))
    words = lines[number].split(b" ")
    way = rng.choice(["word"] * 5 + ["less", "more", "drop", "double", "swap"])
    place = rng.randrange(len(words))
    if way == "word":
        words[place] = rng.choice(NUMBERS + TEXTS).encode("utf-8", "surrogateescape")
    elif way == "less":
        del words[place]
    elif way == "more":
        words.insert(place, rng.choice(NUMBERS).encode())
    elif way == "swap":
        other = rng.randrange(len(lines))
        lines[number], lines[other] = lines[other], lines[number]
        words = lines[number].split(b" ")
    lines[number] = b" ".join(words)
    if way == "drop":
        del lines[number]
    elif way == "double":
        lines.insert(number, lines[number])
    return b"\n".join(lines)


def in_numbers(content: bytes, rng: random.Random) -> bytes:
    """Overwrite a number somewhere in a binary file, often near its beginning or aligned."""
    kind = rng.choice("dfiQqH")
    values: Any = [0.0, -1.0, 1e-6, 1e6, 1e20, 1e300, -1e300, float("nan"), float("inf"), float("-inf")]
    if kind in "iQqH":
        bits = 8 * struct.calcsize(kind)
        values = [0, 1, 2 ** (bits - 1) - 1, 10**4, 5 * 10**8 % 2 ** (bits - 1), 2**31 % 2 ** (bits - 1)]
    elif kind == "f":
        values = [value for value in values if not 1e38 < abs(value) < 1e308]
    block = struct.pack("<" + kind, rng.choice(values))
    near = rng.choice([64, 300, len(content)])
    first = rng.randrange(max(1, min(near, len(content) - len(block))))
    first -= first % rng.choice([1, 4, 8])
    return content[:first] + block + content[first + len(block) :]


def in_png(content: bytes, rng: random.Random) -> bytes:
    """State another size, depth or kind of pixels in the header, with a valid check sum, or drop or double a chunk."""
    chunks, at = [], 8
    while at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    if rng.random() < 0.7:
        head = list(struct.unpack(">IIBBBBB", chunks[0][1]))
        place = rng.choice([0, 0, 1, 1, 2, 3, 6])
        head[place] = (
            rng.choice([0, 1, 33, 13_000, 60_000, 2**31 - 1, 2**32 - 1])
            if place < 2
            else rng.choice([0, 1, 2, 3, 6, 16])
        )
        if rng.random() < 0.3:
            head[0] = head[1] = 13_000
        chunks[0] = (b"IHDR", struct.pack(">IIBBBBB", *head))
    else:
        number = rng.randrange(len(chunks))
        chunks = chunks[:number] + chunks[number:][: 2 * rng.randrange(2)] + chunks[number + rng.randrange(2) :]
    whole = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return content[:8] + b"".join(whole)


def in_header(content: bytes, rng: random.Random) -> bytes:
    """Change a count or a word in a header of text before binary data, as of PLY and NumPy's files."""
    end = content.find(b"end_header\n") + len(b"end_header\n") if b"end_header" in content else 128
    head = content[:end]
    for word in (b"20", b"(4, 17)", b"<f8", b"float", b"vertex", b"uchar"):
        if word in head and rng.random() < 0.4:
            others = [b"500000000", b"0", b"-1", b"21", b"99999999999999999999", b"double", b"short", b"list uchar int"]
            others += [b"(4, 17000000000)", b"(17, 4)", b"(4,)", b"|O8", b"<i2", b"<c16", b"face", b"(" * 90]
            return head.replace(word, rng.choice(others), 1) + content[end:]
    return in_words(head, rng) + content[end:]


def mutations_of(kind: str) -> tuple[Mutation, ...]:
    """The mutations that suit a kind of file, those of its structure before those of any bytes."""
    if "json" in kind:
        return (in_json,) * 12 + ANY_BYTES
    if kind.endswith(".txt"):
        return (in_words,) * 8 + ANY_BYTES
    if kind.startswith("PLY") or kind.endswith(".npy"):
        return (in_header,) * 5 + (in_numbers,) * 3 + ANY_BYTES
    if kind in ("PNG", "mask"):
        return (in_png,) * 4 + (in_numbers,) * 2 + ANY_BYTES
    return (in_numbers,) * 5 + ANY_BYTES
