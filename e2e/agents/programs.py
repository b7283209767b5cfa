"""The agents: how each is set up, called, and what its tools are called."""

import subprocess

from rig import WORK

from .agent import LAST_WORD, NODE, Agent

OURS = WORK / "agents-node" / "node_modules" / ".bin"
MORE = WORK / "agents-more" / "node_modules" / ".bin"


class ClaudeCode(Agent):
    name, program, bin = "Claude Code", "claude", OURS
    package = "npm @anthropic-ai/claude-code"

    def arguments(self, prompt):
        return ["-p", prompt, "--permission-mode", "acceptEdits", "--output-format", "stream-json", "--verbose"]

    def write(self, file, text):
        return {"name": "Write", "arguments": {"file_path": str(file), "content": text}}

    def read(self, file):
        return {"name": "Read", "arguments": {"file_path": str(file)}}


class Codex(Agent):
    name, program, bin = "Codex", "codex", OURS
    package = "npm @openai/codex"

    def readable(self, line):
        # It complains if its home is in a temporary folder.
        return [] if line.startswith("WARNING: proceeding") else super().readable(line)

    def arguments(self, prompt):
        # Its sandbox needs permissions that a container may not have; it only runs our own commands here.
        return ["exec", "--dangerously-bypass-approvals-and-sandbox", prompt]

    def write(self, file, text):
        return {"name": "exec_command", "arguments": {"cmd": f"cat > {file.name} <<'END'\n{text}END"}}

    def read(self, file):
        return {"name": "exec_command", "arguments": {"cmd": f"cat {file.name}"}}


class CodexPatch(Codex):
    """For a model name that it knows, it sends a free-form tool and asks for reasoning."""

    name = "Codex, as gpt-5.5"

    def arguments(self, prompt):
        return [*super().arguments(prompt), "-m", "gpt-5.5"]

    def write(self, file, text):
        added = "".join(f"+{line}\n" for line in text.splitlines())
        patch = f"*** Begin Patch\n*** Add File: {file.name}\n{added}*** End Patch\n"
        return {"name": "apply_patch", "arguments": {"input": patch}}


class QwenCode(Agent):
    name, program, bin = "Qwen Code", "qwen", NODE
    package = "npm @qwen-code/qwen-code"
    ids_as_they_are = True

    def settings(self):
        self.file_settings(".qwen/settings.json", {
            "$version": 3, "privacy": {"usageStatisticsEnabled": False}, "general": {"enableAutoUpdate": False},
            "tools": {"useRipgrep": False},
        })  # fmt: skip

    def environment(self):
        return {"QWEN_CODE_SUPPRESS_YOLO_WARNING": "1"}

    def arguments(self, prompt):
        return ["-y", "-p", prompt, "--output-format", "stream-json"]

    def write(self, file, text):
        return {"name": "write_file", "arguments": {"file_path": str(file), "content": text}}

    def read(self, file):
        return {"name": "read_file", "arguments": {"file_path": str(file)}}


class Opencode(Agent):
    name, program, bin = "opencode", "opencode", MORE
    package = "npm opencode-ai"
    ids_as_they_are = True

    def settings(self):
        self.file_settings(".config/opencode/opencode.json", {"autoupdate": False, "share": "disabled"})

    def environment(self):
        return {"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_LSP_DOWNLOAD": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1"}

    def arguments(self, prompt):
        return ["run", "--auto", prompt]

    def write(self, file, text):
        return {"name": "write", "arguments": {"filePath": str(file), "content": text}}

    def read(self, file):
        return {"name": "read", "arguments": {"filePath": str(file)}}


class Aider(Agent):
    """It has no tools: it gets a file to look at, and takes the new file from the answer itself."""

    name, program, bin = "aider", "aider", WORK / "aider" / "bin"
    package = "pip aider-chat"
    without = ("two calls at once", "call ids repeat", "a day ends")

    def settings(self):
        (self.project / "notes.txt").write_text("Write a greeting.\n")
        subprocess.run(["git", "add", "notes.txt"], cwd=self.project, check=True)
        self.file_settings(".aider.conf.yml", """\
check-update: false
analytics: false
auto-commits: false
gitignore: false
pretty: false
yes-always: true
""")

    def environment(self):
        return {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}

    def arguments(self, prompt):
        return ["--message", prompt]

    def turns(self, text):
        said = "I need to see notes.txt first.", f"greeting.txt\n```\n{text}```\n\n{LAST_WORD}"
        return [{"ok": {"text": one}} for one in said]

    def plan(self, turns, at=0, before=()):
        return {"steps": [*before, *turns[at:]], "then": "last"}

    def seen(self, text):
        return "Write a greeting." in str(self.rig.simulator.completions()[-1]["body"]["messages"])
