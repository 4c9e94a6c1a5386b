"""The one mapping between Comity's errors and gRPC statuses with ``ErrorInfo`` (AIP-193).

``ErrorInfo.metadata`` holds ``field`` and ``hint``; for a limit also its name, maximum, the value
and the unit.

Invariants:

- Every class of the error tree has a status: its own, or that of its nearest ancestor in the table.
- ``from_rpc`` reads what ``to_status`` wrote as the same class with the same message.
- ``from_rpc`` returns an error whatever a malicious peer wrote (invariant 10).
"""

from __future__ import annotations

import re
from typing import Final

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from comity.record import errors

DOMAIN: Final = "comity.v1"

_TOO_LARGE: Final = re.compile(r"message larger than max \((\d{1,18}) vs\. (\d{1,18})\)")
"""gRPC's words, on either side, for a message above MAX_MESSAGE_BYTES."""

_TURNED_AWAY: Final = re.compile(r"failed to connect .*: Socket closed")
"""gRPC's words when the other side ends the TLS handshake."""

_NOT_VALID: Final = re.compile(r"certificate (is not yet valid|has expired)")
"""gRPC's words where the clock here says that the other side's certificate is not in force."""

_CODES: Final[dict[type[errors.ComityError], grpc.StatusCode]] = {
    errors.ComityError: grpc.StatusCode.INTERNAL,
    errors.InvalidInput: grpc.StatusCode.INVALID_ARGUMENT,
    errors.LimitExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.Conflict: grpc.StatusCode.ALREADY_EXISTS,
    errors.CursorRefused: grpc.StatusCode.FAILED_PRECONDITION,
    errors.LogHalted: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Flooded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.BadConfig: grpc.StatusCode.FAILED_PRECONDITION,
}


def code_of(error: errors.ComityError) -> grpc.StatusCode:
    """Return the status code of an error's class, or of its nearest ancestor that has one."""
    return next(_CODES[c] for c in type(error).__mro__ if c in _CODES)


def to_status(error: errors.ComityError) -> status_pb2.Status:
    """Return the rich status of an error, for ``rpc_status.to_status``."""
    info = error_details_pb2.ErrorInfo(
        reason=error.reason, domain=DOMAIN, metadata={"field": error.field, "hint": error.hint}
    )
    if isinstance(error, errors.LimitExceeded):
        info.metadata["limit"] = error.limit
        info.metadata["maximum"] = str(error.maximum)
        info.metadata["got"] = str(error.got)
        info.metadata["unit"] = error.unit

    # rpc_status sends the details in the trailer grpc-status-details-bin
    detail = any_pb2.Any()
    detail.Pack(info)
    number: int = code_of(error).value[0]
    return status_pb2.Status(
        code=code_pb2.Code.ValueType(number), message=error.message, details=[detail]
    )


def from_rpc(error: grpc.RpcError) -> errors.ComityError:
    """Return the Comity error that a failed call carries.

    A failure without ``ErrorInfo`` of this domain comes from gRPC itself. A connection that cannot
    be made is Unavailable, and a message that is too large LimitExceeded. Anything else is a
    ComityError with gRPC's words.
    """
    return _carried(error) or _of_grpc(error)


def _carried(error: grpc.RpcError) -> errors.ComityError | None:
    """Return the error that the other side wrote as ``ErrorInfo``; None if it wrote none."""
    try:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]
        for detail in status.details if status else ():
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info) and info.domain == DOMAIN:
                return _rebuild(info, status.message if status else "")
    except (ValueError, DecodeError) as malformed:
        return errors.ComityError(f"expected a status with ErrorInfo: {malformed}")
    return None


def from_peer(error: grpc.RpcError, peer: str) -> errors.ComityError:
    """Return the Comity error of a failed call to a peer, in words that are marked as the peer's.

    A peer may write anything. Its hint is dropped, since a hint is printed as our own advice.
    """
    carried = _carried(error)
    found = carried or _of_grpc(error)
    found.hint = ""
    # what gRPC tells of a connection or a message's size is this side's own word
    if carried is not None or type(found) is errors.ComityError:
        found.message = f"{peer} says: {found.message}"
        found.args = (f"{found.field}: {found.message}" if found.field else found.message,)
    return found


def _of_grpc(error: grpc.RpcError) -> errors.ComityError:
    code: grpc.StatusCode = error.code()
    message = error.details() or ""
    # the class Unavailable already says so
    if code.name != errors.Unavailable.reason:
        message = f"{code.name}: {message}"

    too_large = _TOO_LARGE.search(message)
    if too_large:
        got, maximum = int(too_large[1]), int(too_large[2])
        return errors.LimitExceeded("MAX_MESSAGE_BYTES", maximum, got, "bytes", field="message")

    # by far the most common cause: only one side has pinned the other so far
    if _TURNED_AWAY.search(message):
        message += "; the other side ended the handshake: it may not have pinned our trust bundle"
        message += ", or our certificate is not valid by its clock"
    if found := _NOT_VALID.search(message):
        why = f"by this machine's clock, the other side's {found[0]}"
        message = f"{why}: compare both clocks, then renew it if the clocks agree ({message})"
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return errors.Unavailable(message)
    return errors.ComityError(message)


def _rebuild(info: error_details_pb2.ErrorInfo, message: str) -> errors.ComityError:
    field, hint = info.metadata["field"], info.metadata["hint"]
    if info.reason == errors.LimitExceeded.reason:
        maximum, got = int(info.metadata["maximum"]), int(info.metadata["got"])
        limit, unit = info.metadata["limit"], info.metadata["unit"]
        return errors.LimitExceeded(limit, maximum, got, unit, field=field)

    # a newer node may know reasons that this client does not
    known = _BY_REASON.get(info.reason, errors.ComityError)
    return known(message, field=field, hint=hint)


def _subclasses(cls: type[errors.ComityError]) -> list[type[errors.ComityError]]:
    return [cls, *(s for c in cls.__subclasses__() for s in _subclasses(c))]


_BY_REASON: Final = {cls.reason: cls for cls in _subclasses(errors.ComityError)}
