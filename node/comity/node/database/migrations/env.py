"""Runs migrations on the connection that ``Store.upgrade`` hands over."""

from alembic import context
from sqlmodel import SQLModel

from comity.node.database import tables  # noqa: F401  the tables register themselves

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
