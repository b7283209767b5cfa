"""An agent's run through a failover, as a person would read it: what it said, and what the proxy did meanwhile."""

import json
from datetime import datetime

from .table import version


# As the log has it.
COMPACT = (",", ":")


def walk(line):
    """What the proxy did with a request, in words."""
    steps = []
    for attempt in line["attempts"]:
        said = f"{attempt['model']} {attempt['outcome']}"
        if until := attempt.get("cooldown_until"):
            said += f" ({attempt.get('cause', '')} {attempt.get('status', '')}, rests until {until[11:19]})"
        steps.append(said)
    return f"{line['surface']} {line['status']}: {', then '.join(steps)}"


def transcript(agent, command, lines):
    """`lines`: those of the proxy's log."""
    events = [(at, agent.program, word) for at, line in agent.lines for word in agent.readable(line)]
    for line in lines:
        if line["event"] == "request_done":
            events.append((datetime.fromisoformat(line["ts"]), "proxy", walk(line)))
    events.sort(key=lambda event: event[0])
    begun = events[0][0]
    said = [f"{(at - begun).total_seconds():5.2f}  {who:8} {word}".rstrip() for at, who, word in events]
    text = "\n".join([f"$ {command}", *said, "$ cat greeting.txt", agent.file.read_text()])
    text = text.replace(str(agent.project), "~/project").replace(str(agent.home), "~")
    (failover,) = [line for line in lines if len(line.get("attempts", ())) > 1]
    return (
        f"## {agent.name} {version(agent.package)}\n\n```text\n{text}```\n\n"
        f"The failover in the proxy's log:\n\n```json\n{json.dumps(failover, ensure_ascii=False, separators=COMPACT)}\n```\n"
    )
