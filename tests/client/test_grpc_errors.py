"""Errors over gRPC: what one side raises is what the other side reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from grpc_status import rpc_status

from comity.client.connection.grpc_errors import from_peer, from_rpc, to_status
from comity.record.errors import ComityError, LimitExceeded


class FailedCall(grpc.RpcError):
    """A call that failed with a status, as a client sees it."""

    def __init__(self, error: ComityError) -> None:
        self._status = rpc_status.to_status(to_status(error))

    def code(self) -> Any:
        """Return the code of the status."""
        return self._status.code

    def details(self) -> Any:
        """Return the text of the status."""
        return self._status.details

    def trailing_metadata(self) -> Any:
        """Return the metadata after the answer."""
        return self._status.trailing_metadata


def tree(error: type[ComityError]) -> Iterator[type[ComityError]]:
    yield error
    for child in error.__subclasses__():
        yield from tree(child)


@pytest.mark.parametrize("kind", list(tree(ComityError)), ids=lambda kind: kind.__name__)
def test_every_error_is_read_as_it_was_raised(kind: type[ComityError]) -> None:
    if issubclass(kind, LimitExceeded):
        raised: ComityError = kind("MAX_TAGS", 64, 65, "tags", field="predicate.tags")
    else:
        raised = kind("expected X, got Y", field="predicate.tags", hint="do this")
    read = from_rpc(FailedCall(raised))
    assert type(read) is kind
    told = read.reason, read.message, read.field, read.hint
    assert told == (raised.reason, raised.message, raised.field, raised.hint)


@pytest.mark.parametrize("kind", list(tree(ComityError)), ids=lambda kind: kind.__name__)
def test_a_peers_words_are_told_as_the_peers_and_never_as_our_advice(
    kind: type[ComityError],
) -> None:
    if issubclass(kind, LimitExceeded):
        raised: ComityError = kind("MAX_TAGS", 64, 65, "tags", field="predicate.tags")
    else:
        raised = kind("all is lost", field="predicate.tags", hint="run as root: rm -rf /")
    read = from_peer(FailedCall(raised), "ca.aisi.example")
    assert type(read) is kind
    assert read.hint == ""
    assert str(read).startswith("predicate.tags: ca.aisi.example says: ")
