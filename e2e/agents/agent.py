"""An agent without a terminal: a home and a project of its own, its input and its output."""

import json
import os
import shlex
import shutil
import subprocess
from datetime import datetime, timezone

from rig import KEY, WORK

LAST_WORD = "Both lines are there."
DONE = {"ok": {"text": LAST_WORD, "delay_ms": 5}}
NODE = WORK / "node" / "node_modules" / ".bin"


class Agent:
    """What all agents have; each is a class in `programs.py`."""

    name = ""
    package = ""
    """Where its version is pinned."""
    program = ""
    without = ()
    """The checks that do not apply to it."""
    ids_as_they_are = False
    """Whether it speaks Chat Completions, where the model's call ids are passed on unchanged."""
    bin = None
    """The folder of its program."""

    def __init__(self, rig, case):
        self.rig = rig
        self.address = rig.demo.address
        """The proxy's address in its settings."""
        self.folder = WORK / "agents" / self.name.replace(" ", "-") / case.replace(" ", "-")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.home, self.project = self.folder / "home", self.folder / "project"
        self.home.mkdir(parents=True)
        self.project.mkdir()
        # So that no agent takes the surrounding repository for its project.
        subprocess.run(["git", "init", "-q"], cwd=self.project, check=True)
        self.lines = []
        """Its output, line by line, with the time of each."""

    # Overridden by an agent's class.

    key = KEY
    launched = False
    """Whether `free-llm-proxy launch` runs it, without any settings for the proxy."""

    def settings(self):
        """Writes settings that keep it quiet; `free-llm-proxy setup` writes those for the proxy."""

    def arguments(self, prompt):
        """Its command line."""
        raise NotImplementedError

    def environment(self):
        return {}

    def write(self, file, text):
        """The call of its tools that writes a file."""
        raise NotImplementedError

    def read(self, file):
        """The call of its tools that reads a file."""
        raise NotImplementedError

    def turns(self, text):
        """A model's turns in its task: write a file, read it, report that it is done."""
        call = {**self.write(self.file, text), "fragments": 9}
        return [{"ok": {"tool_calls": [call], "reasoning": "A file is wanted."}}, {"tool_call": self.read(self.file)}, DONE]

    def plan(self, turns, at=0, before=()):
        """The script of a model: these steps, then the turns; from `at` on for agents whose conversation does not show the turn."""
        return {"steps": [*before, {"task": turns}], "then": "last"}

    def seen(self, text):
        """Whether the file's content came back to a model."""
        sign = text.splitlines()[0]
        messages = (message for asked in self.rig.simulator.completions() for message in asked["body"]["messages"])
        return any(message["role"] == "tool" and sign in str(message["content"]) for message in messages)

    def readable(self, line):
        """A line of its output, as text; for a line of JSON, its actions, its words and the tools' results."""
        if not line.startswith("{"):
            return [line]
        told = json.loads(line)
        if told["type"] not in ("assistant", "user"):
            return []
        words = []
        for block in told["message"]["content"]:
            match block["type"]:
                case "thinking":
                    words.append(f"({block['thinking']})")
                case "text":
                    words.append(block["text"])
                case "tool_use":
                    words.append(f"{block['name']} {json.dumps(block['input'], ensure_ascii=False)}")
                case "tool_result":
                    words += [f"   {one}" for one in str(block["content"]).splitlines()]
        return words

    # Common to all agents.

    @property
    def file(self):
        return self.project / "greeting.txt"

    def file_settings(self, name, content):
        file = self.home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))

    def surroundings(self):
        """The environment of its processes: its own home, and no network beyond this machine."""
        shut = "http://127.0.0.1:9"
        return {
            "PATH": f"{self.bin}:{NODE}:{os.environ['PATH']}", "HOME": str(self.home), "TERM": "dumb", "NO_COLOR": "1",
            "HTTPS_PROXY": shut, "https_proxy": shut, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
        }  # fmt: skip

    def ours(self, command, *arguments):
        """Runs one of the proxy's own commands for this agent."""
        return [os.environ["FREE_LLM_PROXY_BIN"], command, self.program, "--url", self.address, *arguments]

    def command(self, prompt):
        """Its command line, as one would type it."""
        return shlex.join([self.program, *self.arguments(prompt)])

    def told(self, prompt):
        """The complete output of a successful run."""
        code, said = self.run(prompt)
        assert code == 0, f"{self.program} ended with {code}: {said}"
        return said

    def run(self, prompt, until=None):
        """Its exit code and complete output; with `until` it is ended at the first line for which that holds."""
        self.settings()
        environment = {**self.environment(), **self.surroundings()}
        if self.launched:
            command = self.ours("launch", "--", *self.arguments(prompt))
            environment["PROXY_API_KEY"] = self.key
        else:
            told = {**environment, "PROXY_API_KEY": self.key}
            with (self.folder / "setup.txt").open("w") as said:
                subprocess.run(self.ours("setup", "--write"), cwd=self.folder, env=told, stdout=said, check=True)
            command = [self.bin / self.program, *self.arguments(prompt)]
        process = subprocess.Popen(
            command, cwd=self.project, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            for line in process.stdout:
                self.lines.append((datetime.now(timezone.utc), line.rstrip("\n")))
                if until is not None and until(line):
                    break
            else:
                process.wait()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)
            said = "\n".join(line for _, line in self.lines)
            (self.folder / "said.txt").write_text(said)
        return process.wait(), said
