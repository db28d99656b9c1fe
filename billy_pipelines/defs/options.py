"""Job options as run config, derived from the one model so that the launchpad, YAML and command line never differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import create_model
from pydantic.fields import FieldInfo

from billy_pipelines.bulk.options import FIELDS, JobOptions

if TYPE_CHECKING:

    class OptionsConfig(dg.Config):
        """Options that change with this run, each with its default: the launchpad fills in only those that have one."""

else:
    _fields: dict[str, Any] = {
        name: (
            field.annotation,
            FieldInfo(
                default=field.get_default(call_default_factory=True),
                description=field.description,
            ),
        )
        for name, field in FIELDS.items()
    }
    OptionsConfig = create_model("OptionsConfig", __base__=dg.Config, **_fields)


def options_given(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a run changes, by its config as somebody wrote it. The launchpad fills in all of them, each with
    its default: of such a block only what is no default counts, so that the rest stays as the job has it. To set one
    back to its default, it is given alone."""
    if raw.keys() >= FIELDS.keys():
        defaults = JobOptions().model_dump(mode="json")
        return {name: value for name, value in raw.items() if value != defaults.get(name)}
    return dict(raw)
