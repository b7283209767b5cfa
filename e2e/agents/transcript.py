"""An agent's run as a person would read it: its output, and what the proxy did meanwhile."""

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


def section(agent, command, lines, why, kind, shown):
    """`lines`: those of the proxy's log. `shown`, in a block of this kind, is the purpose of the run."""
    events = [(at, agent.program, word) for at, line in agent.lines for word in agent.readable(line)]
    for line in lines:
        if line["event"] == "request_done":
            events.append((datetime.fromisoformat(line["ts"]), "proxy", walk(line)))
    events.sort(key=lambda event: event[0])
    begun = events[0][0]
    said = [f"{(at - begun).total_seconds():5.2f}  {who:8} {word}".rstrip() for at, who, word in events]
    text = "\n".join([f"$ {command}", *said, "$ cat greeting.txt", agent.file.read_text()])
    text = text.replace(str(agent.project), "~/project").replace(str(agent.home), "~")
    return f"## {agent.name} {version(agent.package)}\n\n```text\n{text}```\n\n{why}\n\n```{kind}\n{shown}\n```\n"


def failover(agent, command, lines):
    """A run with one failover."""
    (line,) = [line for line in lines if len(line.get("attempts", ())) > 1]
    shown = json.dumps(line, ensure_ascii=False, separators=COMPACT)
    return section(agent, command, lines, "The failover in the proxy's log:", "json", shown)


def rounds(asked):
    """The rounds of calls in the longest conversation that a model was sent: the ids of each one's calls, and of the results."""
    messages = max((one["body"]["messages"] for one in asked), key=len)
    found = []
    for message in messages:
        if calls := message.get("tool_calls"):
            found.append(([call["id"] for call in calls], []))
        elif message["role"] == "tool":
            found[-1][1].append(message["tool_call_id"])
    return found


def repeated(agent, command, lines, asked):
    """A run whose model gives the same call id again and again."""
    shown = "\n".join(f"called {' '.join(calls)}, results for {' '.join(results)}" for calls, results in rounds(asked))
    why = f"What the model was sent back, of {len(asked)} requests in all:"
    return section(agent, command, lines, why, "text", shown)


def through_the_day(agent, command, lines, asked):
    """A run in which one account after the other runs out for the day."""
    rows = []
    for one in asked:
        what = "served" if one["status"] == 200 else f"{one['status']}, {one['why']}"
        rows.append(f"{one['provider'] or 'openrouter':10} {one['model']}: {what}")
    why = "What the simulated accounts were asked, of which two had two requests left of their day:"
    return section(agent, command, lines, why, "text", "\n".join(rows))
