"""PostgreSQL: tables, migrations, locks, the rate row and the embedded server. Knows nothing of Billy."""
