"""Is it ready? Asked of the webserver: does it answer, is the code loaded, has this daemon shown a sign of life."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

_QUESTION = """{
  workspaceOrError {
    __typename
    ... on Workspace { locationEntries { name loadStatus locationOrLoadError { __typename
      ... on PythonError { message } } } }
    ... on PythonError { message }
  }
  instance { daemonHealth { allDaemonStatuses { daemonType required healthy lastHeartbeatTime } } }
}"""


@dataclass(frozen=True)
class Readiness:
    """What is still waited for ('' when all is there), and why the code cannot be loaded ('' if it can)."""

    waiting_for: str
    code_error: str = ""


def ask(client: httpx.Client, *, daemon_started: float) -> Readiness:
    """How far the start is. A heartbeat counts only if it is younger than our daemon: the last one's still stands in
    the database and passes as healthy for half an hour.

    Args:
        client: its base address is the webserver's.
        daemon_started: time.time() before the daemon was started.
    """
    try:
        client.get("/server_info").raise_for_status()
        answer = client.post("/graphql", json={"query": _QUESTION}).raise_for_status().json()["data"]
        return _judge(answer, daemon_started)
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return Readiness("the webserver")


def _judge(answer: dict[str, Any], daemon_started: float) -> Readiness:
    workspace = answer["workspaceOrError"]
    if workspace["__typename"] != "Workspace":
        return Readiness("the code", str(workspace.get("message")))
    entries = workspace["locationEntries"]
    for entry in entries:
        found = entry["locationOrLoadError"] or {"__typename": ""}
        if found["__typename"] == "PythonError":
            return Readiness("the code", str(found.get("message")))
    if not entries or any(entry["loadStatus"] != "LOADED" for entry in entries):
        return Readiness("the code")
    daemons = [each for each in answer["instance"]["daemonHealth"]["allDaemonStatuses"] if each["required"]]
    silent = [d["daemonType"] for d in daemons if (d["lastHeartbeatTime"] or 0) < daemon_started]
    return Readiness("" if daemons and not silent else f"the daemon ({', '.join(silent) or 'none'})")
