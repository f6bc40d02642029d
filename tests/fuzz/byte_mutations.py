"""Damage to bytes of any kind."""

from __future__ import annotations

import re
from random import Random

LARGEST = 1 << 20  # bytes of one input; mutations stop growing it there
_EDGES = (0, 1, -1, 2, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63)
INTEGERS = (*_EDGES, 2**64 - 1)
NUMBERS = (
    *("0", "-0", "1", "-1", "1.5", "-1e-5", "nan", "inf", "-inf", "1e308", "1e999", "-1e999", "1e-400", "0x10", "1_0"),
    *("2147483648", "9223372036854775807", "9223372036854775808", "18446744073709551616", "1" + "0" * 30),
    *("9" * 400, "1" * 5000, "٣", "1,5", "1.000.000", "+1", "", " ", "true", "null"),
)
_DIGITS = re.compile(rb"\d+")


def flip_bit(data: bytes, rng: Random) -> bytes:
    """One bit of one byte is turned over."""
    place = _place(data, rng)
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :] if data else data


def set_bytes(data: bytes, rng: Random) -> bytes:
    """Up to eight bytes are replaced by others, or by one value."""
    place, length = _place(data, rng), rng.randint(1, 8)
    new = rng.choice((rng.randbytes(length), bytes(length), b"\xff" * length))
    return data[:place] + new + data[place + length :]


def set_integer(data: bytes, rng: Random) -> bytes:
    """A number at the edge of a type is written somewhere, as little or big endian."""
    return _with_integer(data, _place(data, rng), rng)


def cut(data: bytes, rng: Random) -> bytes:
    """The end is missing, or the begin."""
    place = _place(data, rng)
    return data[place:] if rng.random() < 0.1 else data[:place]


def remove_block(data: bytes, rng: Random) -> bytes:
    """Some bytes in the middle are missing."""
    place = _place(data, rng)
    return data[:place] + data[place + _length(rng) :]


def insert_block(data: bytes, rng: Random) -> bytes:
    """Some bytes more: zeros, anything, or a copy of others of the file."""
    place, length, source = _place(data, rng), _length(rng), _place(data, rng)
    return (
        data[:place] + rng.choice((bytes(length), rng.randbytes(length), data[source : source + length])) + data[place:]
    )


def swap_blocks(data: bytes, rng: Random) -> bytes:
    """Two stretches change places."""
    a, b = sorted((_place(data, rng), _place(data, rng)))
    length = min(_length(rng), b - a)
    first, second = data[a : a + length], data[b : b + length]
    return data[:a] + second + data[a + length : b] + first + data[b + length :]


def zero_page(data: bytes, rng: Random) -> bytes:
    """A page of zeros, as a disk leaves it where a write was lost."""
    place = _place(data, rng) // 512 * 512
    return data[:place] + bytes(min(512, len(data) - place)) + data[place + 512 :]


def set_digits(data: bytes, rng: Random) -> bytes:
    """A number in digits, such as one of a header in text, becomes another."""
    numbers = list(_DIGITS.finditer(data))
    if not numbers:
        return set_bytes(data, rng)
    found = rng.choice(numbers)
    return data[: found.start()] + rng.choice(NUMBERS).encode() + data[found.end() :]


def splice(data: bytes, other: bytes, rng: Random) -> bytes:
    """The begin of one file and the end of another."""
    return data[: _place(data, rng)] + other[_place(other, rng) :]


ALL = (flip_bit, flip_bit, set_bytes, set_bytes, set_integer, set_integer, set_integer, cut, remove_block, insert_block)
ALL = (*ALL, swap_blocks, zero_page, set_digits)


def mutate_bytes(data: bytes, rng: Random) -> bytes:
    """One of these changes."""
    return rng.choice(ALL)(data, rng)[:LARGEST]


def _place(data: bytes, rng: Random) -> int:
    return rng.randrange(len(data)) if data else 0


def _length(rng: Random) -> int:
    return rng.choice((1, 2, 4, 8, 16, 64, 512, 4096))


def _with_integer(data: bytes, place: int, rng: Random) -> bytes:
    width = rng.choice((1, 2, 4, 8))
    value = rng.choice(INTEGERS) % (1 << 8 * width)
    return data[:place] + value.to_bytes(width, rng.choice(("little", "little", "big"))) + data[place + width :]
