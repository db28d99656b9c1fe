"""`python -m billy_pipelines.cli`."""

from billy_pipelines.cli import main

main(prog_name="billy")
