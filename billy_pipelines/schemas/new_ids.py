"""A record that was made again has what hangs on it under new ids: images of before are made to speak of those."""

from __future__ import annotations

from typing import Any

from billy_pipelines.schemas.undoing import ChildList, Image, Undoing, alike


def under_new_ids(undoing: Undoing, before: Image, after: Image, now: Image) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both images, with the present ids of the children that `now` has as `after` had them.

    Known again by what they say, since nothing else of them is left. One that says something else by now keeps its old
    id, which nobody has: it counts as changed since.
    """
    old, made = dict(before), dict(after)
    for each in undoing.children:
        ids = _new_ids(each, after, now)
        for image in (old, made):
            if image.get(each.field):
                image[each.field] = [{**c, "id": ids.get(str(c.get("id")), c.get("id"))} for c in image[each.field]]
    return old, made


def _new_ids(of: ChildList, after: Image, now: Image) -> dict[str, str]:
    free, ids = list(now.get(of.field) or ()), {}
    for child in after.get(of.field) or ():
        same = [each for each in free if all(alike(each.get(key), child.get(key)) for key in of.keys)]
        if same:
            free.remove(same[0])
            ids[str(child.get("id"))] = str(same[0].get("id"))
    return ids
