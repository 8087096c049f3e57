"""Pieces: each read by itself, whole or not there, damage is seen."""

import numpy as np
import pytest

from daskid.storage import pieces

MANY = 300
"""More than come along with the tail."""


def made(number):
    rng = np.random.default_rng(number)
    return rng.random((number, 3)), rng.integers(0, 9, number).astype("i4"), np.array(number)


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path / "scratch")


@pytest.mark.parametrize("count", [0, 1, 3, MANY])
def test_pieces__read_back_one_by_one(folder, count):
    given = {7 * i: made(i) for i in range(count)}
    checksum = pieces.write(folder, 5, given, "of this")
    assert pieces.numbers(folder, 5, "of this") == list(given)
    for piece, arrays in given.items():
        found = pieces.read(folder, 5, piece, "of this")
        assert [a.dtype for a in found] == [a.dtype for a in arrays]
        for a, b in zip(found, arrays, strict=True):
            np.testing.assert_array_equal(a, b)
    assert pieces.read(folder, 5, 6, "of this") == ()
    assert pieces.fits(folder, 5, checksum, "of this")
    assert not pieces.fits(folder, 5, checksum, "of that")
    assert not pieces.fits(folder, 5, checksum[::-1], "of this")
    assert not pieces.fits(folder, 6, checksum, "of this")


def test_pieces__of_another_fingerprint_are_refused(folder):
    pieces.write(folder, 0, {1: made(4)}, "of this")
    with pytest.raises(ValueError, match="of another fingerprint: run again"):
        pieces.read(folder, 0, 1, "of that")
    with pytest.raises(FileNotFoundError):
        pieces.read(folder, 1, 1, "of this")


def test_pieces__same_bits_same_checksum(folder):
    given = {1: made(4), 2: made(5)}
    sums = {pieces.write(folder, tile, given) for tile in (0, 1)}
    sums |= {pieces.write(folder, 0, {1: made(4), 2: made(6)}), pieces.write(folder, 0, {})}
    assert len(sums) == 3


def test_pieces__wherever_the_damage_is(folder):
    checksum = pieces.write(folder, 0, {1: made(4), 2: made(5)})
    path = pieces.path_of(folder, 0)
    whole = path.read_bytes()
    assert pieces.size_of(folder, 0) == len(whole)
    for cut in range(0, len(whole), 37):
        path.write_bytes(whole[:cut])
        assert not pieces.fits(folder, 0, checksum)
        content = bytearray(whole)
        content[cut] ^= 1
        path.write_bytes(content)
        assert not pieces.fits(folder, 0, checksum)
    path.write_bytes(whole)
    assert pieces.fits(folder, 0, checksum)


def test_pieces__of_a_task_that_failed_are_not_there(folder, tmp_path):
    def fail():
        with pieces.writing(folder, 3) as (put, _):
            put(1, np.arange(9))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_pieces__one_by_one_are_those_at_once(folder):
    given = {3: made(4), 1: (), 2: made(0)}
    with pieces.writing(folder, 0, "f") as (put, checksum):
        for piece, arrays in given.items():
            put(piece, *arrays)
    assert checksum() == pieces.write(folder, 1, given, "f")
    assert pieces.path_of(folder, 0).read_bytes() == pieces.path_of(folder, 1).read_bytes()
