"""Small files as people have them (domain.md section 1), each with the exact rows and errors that must come of it."""
