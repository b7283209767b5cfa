"""The table client x check, in Markdown."""

import json
import re

from rig import HERE

PINNED = HERE / "agents"


def version(package):
    """The version in which "npm NAME" or "pip NAME" is pinned."""
    kind, name = package.split()
    if kind == "pip":
        for file in ("python.txt", "aider.txt"):
            if found := re.search(rf"^{name}==(.*)$", (PINNED / file).read_text(), re.M):
                return found[1]
    for file in (PINNED / "node", PINNED / "node-more", HERE):
        if found := json.loads((file / "package.json").read_text())["dependencies"].get(name):
            return found
    raise AssertionError(f"{package} is not pinned")


def table(clients, results):
    """One row for each of these clients that was checked, one column for each check."""
    went = {}
    for result in results:
        client, _, case = result.check.name.partition(": ")
        went.setdefault(client, {})[case] = "ok" if result.why is None else "**fails**"
    rows = [client for client in clients if client.name in went]
    cases = list(dict.fromkeys(case for client in rows for case in went[client.name]))
    if not rows:
        return ""
    lines = [f"| | version | {' | '.join(cases)} |", "| --- " * (len(cases) + 2) + "|"]
    for client in rows:
        cells = (went[client.name].get(case, "") for case in cases)
        lines.append(f"| {client.name} | {version(client.package)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
