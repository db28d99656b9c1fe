"""Job options as run config, derived from the one model so that the launchpad, YAML and command line never differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import create_model
from pydantic.fields import FieldInfo

from billy_pipelines.bulk.options import FIELDS, JobOptions

if TYPE_CHECKING:

    class OptionsConfig(dg.Config):
        """Job options, each with its default: the launchpad scaffolds only fields that have one."""

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


def options_from(config: OptionsConfig) -> dict[str, Any]:
    """Run config as the job keeps it, checked like options from anywhere else."""
    return JobOptions.model_validate(config.model_dump(mode="json")).model_dump(mode="json")
