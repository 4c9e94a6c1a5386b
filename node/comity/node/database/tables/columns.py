"""Types of columns that several tables share."""

from typing import Any

from sqlalchemy import BigInteger, Integer

# only a column of type INTEGER is SQLite's own row number, which saves an index
RowNumber: Any = BigInteger().with_variant(Integer, "sqlite")
