"""Alembic migrations of schema `billy`, with a version table of their own in that schema."""
