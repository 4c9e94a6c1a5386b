"""The database: the store, its tables and migrations, and small helpers for all other folders."""
