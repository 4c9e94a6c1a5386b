"""Whose database this is, and in which of its lives, as the database itself knows it."""

from __future__ import annotations

from typing import Final

from sqlmodel import Session, select

from comity.node.database.tables import NodeRow

_INSTITUTE: Final = select(NodeRow.institute)

OWN_INSTITUTE: Final = _INSTITUTE.scalar_subquery()
"""The same as a term of a larger query."""


def own_institute(session: Session) -> str:
    """Return the id of this institute."""
    return session.exec(_INSTITUTE).one()


def epoch_of(session: Session) -> str:
    """Return the id of this life of the database, which a recovery ends."""
    return session.exec(select(NodeRow.epoch)).one()
