"""Types of the columns: what every table declares its fields with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapped

    Column = Mapped
else:

    class Column:
        """``Column[int]`` is plainly ``int``, of which SQLModel makes a field and a column.

        To a type checker it is SQLAlchemy's ``Mapped``: a value on a row, an expression on the
        class, so that ``PartRow.part_id > 7`` is known to be a condition.
        """

        def __class_getitem__(cls, value: Any) -> Any:
            """Return the type of the value."""
            return value


# only a column of type INTEGER is SQLite's own row number, which saves an index
RowNumber: Any = BigInteger().with_variant(Integer, "sqlite")


class JsonText(TypeDecorator[Any]):
    """A JSON value in a column of text.

    A value is changed by assigning a new one; a change inside it is not noticed.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        """Return the text that is stored."""
        return json.dumps(value, ensure_ascii=False)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Return the value of the text that was stored."""
        return json.loads(value)
