"""Runs the checks of these clients against one demo, and prints the table client x check."""

import argparse
import os
from pathlib import Path

import runner  # first: it clears the environment
import rig

from . import sdk_checks, agent_checks, sentence_checks  # in the order of the table
from .table import table

TABLE = """\
# Clients that were run

What each column means is described in [e2e/agents/README.md](../e2e/agents/README.md). Written by
`e2e/agents/run --all --table docs/agents-tested.md`.
"""
THROUGH_429 = """\
# Through a failover

What an agent says, and what the proxy does meanwhile: seconds, who, what. The models are simulated, all else is real; the best
one is rate-limited between the first turn and the second. Written by `e2e/agents/run --transcripts docs/transcripts.md` and the
names of the checks.
"""
REPEATED = """\
# With call ids that repeat

The model numbers its calls anew each turn. To Claude Code and Codex, whose ids are translated, it gives both calls of the first turn
the same one, too; to Qwen Code, whose ids go through as they are, `call_0` and `call_1`. Nothing is lost, and nothing is asked again.
"""
DAY_ENDS = """\
# Through the end of a day

Three accounts: at Groq, Gemini and OpenRouter. Of the day of the first two, two requests are left each, and the task takes six. Groq
states in its headers what is left, so no request is refused there; Gemini refuses once, and the agent does not see it.
"""


def file(told):
    return Path(os.environ["STARTED_IN"], told)


def arguments():
    told = argparse.ArgumentParser(prog="e2e/agents/run", description="Real SDKs and agents against the built binary.")
    told.add_argument("--all", action="store_true", help="all agents, not the quick two only")
    told.add_argument("--table", type=file, metavar="FILE", help="write the table there too, in Markdown")
    told.add_argument("--transcripts", type=file, metavar="FILE", help="write there how agents go through a failover, the end of a day, and call ids that repeat")
    told.add_argument("words", nargs="*", metavar="WORD", help="only the checks with one of these in their names")
    return told.parse_args()


def chosen(wanted):
    quick = {client.name for client in (*sdk_checks.SDKS, *agent_checks.QUICK)}
    for check in rig.CHECKS:
        client = check.name.partition(": ")[0]
        words = [word for word in wanted.words if word.lower() in check.name.lower()]
        named = any(word.lower() in client.lower() or word.startswith(client) for word in words)
        if (wanted.all or client in quick or named) and (words or not wanted.words):
            yield check


def main():
    wanted = arguments()
    checks = list(chosen(wanted))
    if not checks:
        print("no check has such a name:", *(check.name for check in rig.CHECKS), sep="\n  ")
        return 2
    demo = rig.Demo("agents", PORT="0", STREAM_KEEPALIVE_SEC="1")
    results = runner.run_all(checks, rig.Rig(demo))
    read = [result for result in results if sentence_checks.is_one(result.check)]
    others = [result for result in results if result not in read]
    parts = (sdk_checks.SDKS, others), (agent_checks.AGENTS, others), (agent_checks.AGENTS, read)
    tables = [table(*part) for part in parts]
    whole = "\n".join(one for one in tables if one)
    print(f"\n{whole}")
    if wanted.table:
        wanted.table.write_text(f"{TABLE}\n{whole}")
    if wanted.transcripts:
        parts = (
            (THROUGH_429, agent_checks.THROUGH_429), (DAY_ENDS, agent_checks.DAY_ENDS), (REPEATED, agent_checks.REPEATED),
        )  # fmt: skip
        wanted.transcripts.write_text("\n".join(one for intro, runs in parts if runs for one in (intro, *runs)))
    return runner.close(results)


runner.program(main)
