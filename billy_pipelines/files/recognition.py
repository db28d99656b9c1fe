"""Which program a file comes from, by the names of its columns."""

from __future__ import annotations

from collections.abc import Iterable

from billy_pipelines.files.names import folded, quoted
from billy_pipelines.files.table import UnreadableFile
from billy_pipelines.schemas.reading_options import ReadingOptions
from billy_pipelines.schemas.row_schema import Profile, RowSchema

AUTO = "auto"
NONE = "none"


def profile_for(schema: RowSchema, header: Iterable[str], options: ReadingOptions) -> Profile | None:
    """The profile that the option names, or whose signature the header has; of several, the longest one's.

    Raises:
        UnreadableFile: `unknown_profile`.
    """
    wanted = options.profile.strip()
    if wanted == NONE:
        return None
    if wanted != AUTO:
        for profile in schema.profiles:
            if folded(wanted) in (folded(profile.name), folded(profile.title)):
                return profile
        known = ", ".join([AUTO, NONE, *(profile.name for profile in schema.profiles)])
        raise UnreadableFile("unknown_profile", name=quoted(wanted), resource=schema.name, known=known)
    present = set(map(folded, header))
    fitting = [p for p in schema.profiles if p.signature and present.issuperset(map(folded, p.signature))]
    return max(fitting, key=lambda profile: len(profile.signature), default=None)
