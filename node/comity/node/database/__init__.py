"""The database: the store, its tables and migrations, and what every room asks of it."""
