"""The documents' own examples, unchanged."""

import json
import os
import re
import subprocess
import sys

from rig import KEY, REPO, WORK, Demo, check, equal, eventually

WRITTEN = "127.0.0.1:8080"


def blocks(file, language, section=None):
    """The code blocks in this language, of the whole document or one section."""
    text = (REPO / file).read_text()
    if section is not None:
        found = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
        assert found, f"{file} has no section {section!r}"
        text = found[1]
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def curl_commands(script):
    """Each command that begins with curl, with its continuation lines."""
    return re.findall(r"^\s*curl (?:[^\n]*\\\n)*[^\n]*", script, re.M)


def run_curl(command):
    """Runs it unchanged in a shell; curl's own settings file makes it print the status."""
    home = WORK / "curl"
    home.mkdir(exist_ok=True)
    (home / ".curlrc").write_text('silent\nmax-time = 30\nwrite-out = "%{stderr}%{http_code}"\n')
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "CURL_HOME": str(home)}
    ran = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True)
    equal((ran.returncode, ran.stderr), (0, "200"), f"exit code and status of {command}")
    return ran.stdout


@check("curl: README's quick start")
def readme(rig):
    commands = [one for block in blocks("README.md", "sh", "Quick start") for one in curl_commands(block)]
    assert len(commands) >= 4, f"README's quick start has only {len(commands)} curl commands"
    # Without a PORT, as the README starts it: 8080, or another one if that is taken.
    demo = Demo("quick-start")
    taken = "" if demo.address.endswith(WRITTEN) else f"port 8080 is taken; run against {demo.address}"
    try:
        eventually(lambda: demo.said().count("snapshot_refreshed"), "the list is read")
        said = [run_curl(one.replace(WRITTEN, demo.address.removeprefix("http://"))) for one in commands]
    finally:
        equal(demo.stop(), 0, "the demo's exit code after SIGTERM")
    signs = {"chat/completions": "chat.completion", "-i ": "x-free-llm-proxy-model:", '"stream":true': "data: [DONE]"}
    signs |= {"/health": '"ok"', "/ready": '"ready"', "/metrics": "freellm_"}
    for command, answer in zip(commands, said):
        for part, sign in signs.items():
            assert part not in command or sign in answer, f"no {sign} from {command}: {answer[:2000]}"
    return taken


@check("curl: the line the demo prints")
def printed(rig):
    introduction = rig.demo.said().split('\n{"ts"')[0]
    (command,) = curl_commands(introduction)
    assert "data: [DONE]" in run_curl(command), "no stream"


@check("docs: the openai-python examples")
def python_examples(rig):
    examples = blocks("README.md", "python") + blocks("docs/clients.md", "python")
    assert len(examples) >= 2, "the examples are gone"
    for example in examples:
        mine = example.replace("http://localhost:8080", rig.demo.address).replace("<PROXY_API_KEY>", KEY)
        ran = subprocess.run([sys.executable, "-c", mine], capture_output=True, text=True, timeout=30)
        assert ran.returncode == 0 and ran.stdout.strip(), f"{mine}\nended with {ran.returncode}: {ran.stderr}"


def qwen_settings(rig, file):
    """A document's settings for Qwen Code, with this demo's address and key."""
    (block,) = [one for one in blocks(file, "json") if "modelProviders" in one]
    mine = block.replace(f"http://{WRITTEN}", rig.demo.address).replace("<PROXY_API_KEY>", KEY)
    assert rig.demo.address in mine, f"{file} gives Qwen Code another address"
    return json.loads(mine)
