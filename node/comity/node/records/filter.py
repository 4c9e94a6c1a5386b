"""Filters: what a record must be for a caller to see it, as conditions of one SQL query.

Invariants: values are bound parameters, never pasted into SQL; conditions on items of sections hold
for one item; a filter is read in full, and refused if any of it makes no sense, before the database
is asked. The caller bounds a filter by MAX_FILTER_BYTES.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Final

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import Session, func, select

from comity.node.database.tables import ItemRow, PartRow, RecordRow, RecordTagRow
from comity.node.database.text import is_storable
from comity.node.database.text_index import Column, parts_with
from comity.record.errors import InvalidInput
from comity.record.kind import Kind
from comity.record.limits import Limit
from comity.record.model_names import parse_name
from comity.record.search_terms import Phrase, parse_query
from comity.record.severity import Severity

MAX_FILTER_TEXTS: Final = Limit("MAX_FILTER_TEXTS", 16, "texts")
"""Texts, or models, of which a record must match one: each is looked up in the index."""


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """Conditions for records: "and" between fields, "or" between the values of one field.

    An empty field does not restrict. ``models`` are names as in ``comity.record.model_names`` and
    ``texts`` queries as in ``comity.record.search_terms``; neither minds case. ``tags`` and
    ``domains`` match whole and in their case. ``min_severity`` is low, moderate, high or critical;
    where ``domains`` are given too, one item of a section has the severity and one of the domains.
    All terms of a text must occur, each in any part of the record.
    """

    kinds: tuple[str, ...] = ()
    issuers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    min_severity: str = ""
    texts: tuple[str, ...] = ()
    include_superseded: bool = False
    include_withdrawn: bool = False

    def check(self) -> None:
        """Check that the filter makes sense.

        Raises:
            LimitExceeded: over MAX_FILTER_TEXTS, or a text over MAX_FILTER_WORDS or MAX_WORD_CHARS.
            InvalidInput: an unknown kind or severity, U+0000 in a text, a quotation mark left open,
                or a text or model without letters and digits; names the field.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            texts = value if isinstance(value, tuple) else (value,)
            if not all(is_storable(str(text)) for text in texts):
                raise InvalidInput("expected text without U+0000", field=f"filter.{field.name}")

        _check_known("filter.kinds", self.kinds, Kind)
        _check_known("filter.min_severity", filter(None, [self.min_severity]), Severity)
        MAX_FILTER_TEXTS.check(len(self.models), "filter.models")
        MAX_FILTER_TEXTS.check(len(self.texts), "filter.texts")
        self.phrases()
        self.names()

    def phrases(self) -> list[tuple[Phrase, ...]]:
        """Return the phrases of each text; a record must hold all of one text's."""
        return [parse_query(text, "filter.texts") for text in self.texts]

    def names(self) -> list[Phrase]:
        """Return the phrases by which a model is found; a name must hold one of them."""
        return [phrase for model in self.models for phrase in parse_name(model, "filter.models")]


def conditions(session: Session, wanted: RecordFilter, after: int = 0) -> list[ColumnElement[bool]]:
    """Return the conditions for ``RecordRow`` that a filter states.

    Only records with a row number above ``after`` are needed, so only their parts are looked at.

    Raises: as ``RecordFilter.check``.
    """
    wanted.check()
    return [*_of_row(wanted), *_of_sections(wanted), *_of_words(session, wanted, after)]


def _of_row(wanted: RecordFilter) -> Iterable[ColumnElement[bool]]:
    """Yield the conditions on the record's own row and tags."""
    if wanted.kinds:
        yield RecordRow.kind.in_(wanted.kinds)
    if wanted.issuers:
        yield RecordRow.issuer.in_(wanted.issuers)
    if not wanted.include_superseded:
        yield ~RecordRow.superseded
    if not wanted.include_withdrawn:
        yield ~RecordRow.withdrawn
    if wanted.tags:
        tagged = select(RecordTagRow.record_seq).where(RecordTagRow.tag.in_(wanted.tags))
        yield RecordRow.record_seq.in_(tagged)


def _of_sections(wanted: RecordFilter) -> Iterable[ColumnElement[bool]]:
    """Yield the condition on the items of disclosed sections: all of it holds for one item."""
    stated: list[ColumnElement[bool]] = []
    if wanted.domains:
        stated.append(ItemRow.domain.in_(wanted.domains))
    if wanted.min_severity:
        stated.append(ItemRow.severity >= Severity(wanted.min_severity).rank)
    if stated:
        items = select(PartRow.record_seq).join(ItemRow, ItemRow.part_id == PartRow.part_id)
        yield RecordRow.record_seq.in_(items.where(*stated))


def _of_words(session: Session, wanted: RecordFilter, after: int) -> Iterable[ColumnElement[bool]]:
    """Yield the conditions that the index of words answers."""
    first = _first_part(session, after) if wanted.models or wanted.texts else 0

    def held(column: Column, phrases: Iterable[Phrase]) -> ColumnElement[bool]:
        parts = parts_with(session, column, phrases, first)
        holding = select(PartRow.record_seq).where(PartRow.part_id.in_(parts))
        return RecordRow.record_seq.in_(holding)

    if wanted.models:
        yield held(Column.NAMES, wanted.names())
    if wanted.texts:
        yield or_(
            *(and_(*(held(Column.WORDS, [p]) for p in text)) for text in wanted.phrases()),
        )


def _first_part(session: Session, after: int) -> int:
    """Return the first part of the records after a row number."""
    # parts are numbered as they come, so no record has one that is older than its header's
    query = select(func.min(PartRow.part_id)).where(PartRow.record_seq > after)
    return (session.exec(query).one() or 0) if after else 0


def _check_known(field: str, values: Iterable[str], known: type[Kind] | type[Severity]) -> None:
    for value in values:
        if value not in set(known):
            expected = ", ".join(known)
            raise InvalidInput(f"expected one of {expected}, got {value!r:.80}", field=field)
