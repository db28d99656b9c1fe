"""Bulk operations for the Danish accounting service Billy: true, once and undoable."""
