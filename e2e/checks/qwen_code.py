"""Qwen Code without a terminal, with the settings from the documents."""

import json
import os
import shutil
import subprocess

from .quick_start import qwen_settings
from rig import WORK, check, equal, limited, outcomes

BIN = WORK / "node" / "node_modules" / ".bin"


class Agent:
    """A home and a project of its own, both new."""

    def __init__(self, rig, name, document):
        folder = WORK / "qwen" / name
        shutil.rmtree(folder, ignore_errors=True)
        self.home, self.project = folder / "home", folder / "project"
        self.project.mkdir(parents=True)
        settings = qwen_settings(rig, document)
        # No network access except to the proxy.
        settings["privacy"] = {"usageStatisticsEnabled": False}
        settings["general"] = {"enableAutoUpdate": False}
        (self.home / ".qwen").mkdir(parents=True)
        (self.home / ".qwen" / "settings.json").write_text(json.dumps(settings))

    def told(self, prompt):
        """Its final output."""
        environment = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(self.home)}
        ran = subprocess.run(
            ["qwen", "-y", "-p", prompt], executable=BIN / "qwen",
            cwd=self.project, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        assert ran.returncode == 0, f"qwen ended with {ran.returncode}: {ran.stdout}\n{ran.stderr}"
        return ran.stdout.strip()


def task_of(rig):
    """The requests of the task itself; it also sends others, to take notes for its memory."""
    seen = [request["body"] for request in rig.simulator.completions()]
    for body in seen:
        equal((body["stream"], body["stream_options"]), (True, {"include_usage": True}), "stream, stream_options")
        assert body["tools"], "a request without tools"
    return [body for body in seen if "You are Qwen Code" in str(body["messages"][0]["content"])]


@check("qwen: a task with a failover in it", limit_sec=120)
def task(rig):
    first, second = rig.models[:2]
    agent = Agent(rig, "task", "README.md")
    wanted = "Написано бесплатной моделью.\nquotes \" and \\ and 🦀\n"
    written = agent.project / "greeting.txt"
    write = {"name": "write_file", "arguments": {"file_path": str(written), "content": wanted}, "fragments": 9}
    copy = {"name": "run_shell_command", "arguments": {"command": "cp greeting.txt copy.txt", "is_background": False}}
    rig.situation({
        "models": {
            # Rests from the second request on: the task goes on with the next model.
            first: {"steps": [{"ok": {"tool_calls": [write], "reasoning": "A file is wanted.", "delay_ms": 10}}, limited(600)],
                    "then": "last"},
            second: {"steps": [{"tool_call": [copy]}, {"ok": {"text": "done", "delay_ms": 10}}], "then": "last"},
        },
        "default": {"ok": "ok"},
    })  # fmt: skip
    equal(agent.told("Write greeting.txt, copy it to copy.txt, then say done."), "done", "its last word")

    for file in (written, agent.project / "copy.txt"):
        assert file.is_file(), f"{file} was not written"
        equal(file.read_text(), wanted, f"the content of {file}")
    tools = {tool["function"]["name"] for tool in task_of(rig)[0]["tools"]}
    assert {"write_file", "run_shell_command"} <= tools, f"its tools have other names now: {tools}"
    equal(rig.simulator.asked()[:4], [first, first, second, second], "models asked")
    answers = [message for message in task_of(rig)[-1]["messages"] if message["role"] == "tool"]
    equal(len(answers), 2, "tool results in the last request")

    lines = rig.logged(len(rig.simulator.completions()) - 1)
    for line in lines[:3]:
        equal((line["status"], line["stream"], line["had_tools"]), (200, True, True), "status, stream, had_tools")
    # It may end before its notes are taken.
    assert {line["status"] for line in lines} <= {200, 499}, f"statuses of its other requests: {lines[3:]}"
    equal(outcomes(lines[0]), [(first, "success")], "the first request's attempts")
    equal(outcomes(lines[1]), [(first, "rate_limited"), (second, "success")], "the second request's attempts")
    equal(outcomes(lines[2]), [(second, "success")], "the third request's attempts")


@check("qwen: all models rest, it waits", limit_sec=120)
def all_rest(rig):
    agent = Agent(rig, "rest", "docs/clients.md")
    script = {"default": {"steps": [limited(2), {"ok": "done"}], "then": "last"}}
    rig.situation(script, listed=rig.short_list(3))
    equal(agent.told("Say done."), "done", "its last word")
    equal(rig.simulator.asked()[:4], [*rig.models[:3], rig.models[0]], "models asked")
    statuses = [line["status"] for line in rig.logged(len(rig.simulator.completions()) - 2)]
    equal(statuses[:2], [503, 200], "statuses in the log")


@check("qwen: a stream breaks, it asks again", limit_sec=120)
def stream_breaks(rig):
    first, second = rig.models[:2]
    agent = Agent(rig, "break", "README.md")
    file = agent.project / "half.txt"
    call = {"name": "write_file", "arguments": {"file_path": str(file), "content": "half of it"}}
    broken = {"stream": {"fault": "reset", "after": 3, "answer": {"tool_calls": [call]}}}
    rig.situation({"models": {first: broken}, "default": {"ok": "done"}})
    equal(agent.told("Say done."), "done", "its last word")
    assert not file.exists(), "half a tool call was carried out"
    equal(rig.simulator.asked()[:2], [first, second], "models asked")
    lines = rig.logged(len(rig.simulator.completions()))
    equal([line["mid_stream_error"] for line in lines][:2], ["upstream_error", None], "mid_stream_error")
