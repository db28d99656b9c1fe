"""The fault campaign: seeded histories of jobs, faults, kills, cancels and resumes, and a checker of what came of them.

`python -m billy_pipelines_tests.campaign --seeds 0-499` plays histories; one seed is one history, always the same as
far as timing allows. How it works is told in docs/sync.md, what it found in docs/campaign.md.
"""
