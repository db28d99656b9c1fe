"""What is in Billy as files: nightly snapshots taken, exported in the forms people open, and compared with the last.

Pure Python and asyncio, like `bulk`; Dagster and the command line stand on it. How a snapshot lies on disk is in
`files/snapshots.py`.
"""
