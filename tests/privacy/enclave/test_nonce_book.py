"""A nonce is good once, for a while, and in one book."""

from __future__ import annotations

import threading

import pytest

from privacy.enclave.nonce_book import NONCE_BYTES, NonceBook
from privacy.errors import AttestationRefused
from tests.privacy.enclave.forgery import require_the_one_text


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def require_unspendable(book: NonceBook, nonce: bytes) -> None:
    with pytest.raises(AttestationRefused) as refusal:
        book.spend(nonce)
    require_the_one_text(refusal.value)


def test_nonces_are_32_bytes_and_never_the_same() -> None:
    book = NonceBook()
    nonces = {book.issue() for _ in range(100)}

    assert len(nonces) == len(book) == 100
    assert {len(nonce) for nonce in nonces} == {NONCE_BYTES} == {32}


def test_a_nonce_is_spent_once() -> None:
    book = NonceBook()
    nonce = book.issue()
    book.spend(nonce)

    require_unspendable(book, nonce)
    assert len(book) == 0


def test_a_nonce_from_another_book_is_refused() -> None:
    require_unspendable(NonceBook(), NonceBook().issue())


def test_a_nonce_ends_after_its_seconds() -> None:
    clock = Clock()
    book = NonceBook(seconds=300.0, clock=clock)
    in_time, late = book.issue(), book.issue()

    clock.seconds += 299.999
    book.spend(in_time)
    clock.seconds += 0.001

    require_unspendable(book, late)


def test_an_ended_nonce_takes_no_room() -> None:
    clock = Clock()
    book = NonceBook(seconds=10.0, clock=clock)
    book.issue()
    clock.seconds += 10.0

    assert len(book) == 0


def test_one_more_than_fit_takes_the_place_of_the_oldest() -> None:
    book = NonceBook(most=3)
    first, *others = (book.issue() for _ in range(4))

    require_unspendable(book, first)
    for nonce in others:
        book.spend(nonce)


def test_of_many_threads_one_spends_a_nonce() -> None:
    book = NonceBook()
    nonce = book.issue()
    spent: list[int] = []
    together = threading.Barrier(8)

    def spend(number: int) -> None:
        together.wait()
        try:
            book.spend(nonce)
        except AttestationRefused:
            return
        spent.append(number)

    threads = [threading.Thread(target=spend, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(spent) == 1
