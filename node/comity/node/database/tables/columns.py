"""Types of the columns: what every table declares its fields with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Integer

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
