"""The basis of the checks: the demo as a process, its simulator, its log, and the list of checks.

No client's library belongs here, and no check.
"""

import atexit
import datetime
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parent
WORK = HERE / ".work"
KEY = "demo-key"

CHECKS = []


@dataclass(frozen=True)
class Check:
    name: str
    run: object
    limit_sec: int


def check(name, limit_sec=60):
    """Adds a function to the list of checks; it is called with a `Rig` whose world is fresh."""

    def keep(function):
        CHECKS.append(Check(name, function, limit_sec))
        return function

    return keep


def equal(got, wanted, what):
    assert got == wanted, f"{what}: {got!r}, not {wanted!r}"


def eventually(ask, what, limit_sec=5.0):
    """The first truthy answer of `ask`."""
    until = time.monotonic() + limit_sec
    while not (answer := ask()):
        assert time.monotonic() < until, f"not within {limit_sec:g} s: {what}"
        time.sleep(0.02)
    return answer


def http(method, url, body=None, key=None):
    """Status and text of an answer, whatever the status."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method)
    if key is not None:
        request.add_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Demo:
    """`free-llm-proxy demo` in a folder and an environment of its own: no `.env`, no settings but these.

    With OpenRouter alone: what the checks count is not spread over several accounts.
    """

    def __init__(self, name, **settings):
        self._start(name, ["demo", "--providers", "openrouter"], settings)
        self.address = self._said(r"Address\s+(http://\S+)/v1\b")
        self.simulator = Simulator(self._said(r"GET (http://\S+)/requests\b"))
        self._ready()

    def _start(self, name, command, settings):
        folder = WORK / name
        folder.mkdir(parents=True, exist_ok=True)
        self.log_file = folder / f"{command[0]}.log"
        # The checks say who is asked after whom, which is the ranking's order only under `rank`; and what a
        # client makes of a 503, not how long the proxy waits before it says so.
        usual = {"PATH": os.environ["PATH"], "HOME": str(folder), "ROUTING": "rank", "WAIT_SEC": "0"}
        environment = {**usual, **settings}
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [os.environ["FREE_LLM_PROXY_BIN"], *command],
                cwd=folder, env=environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        atexit.register(self.process.kill)

    def _ready(self):
        self.log = Log(self.log_file)
        eventually(lambda: http("GET", f"{self.address}/ready")[0] == 200, "/ready is 200")

    def said(self):
        return self.log_file.read_text()

    def _said(self, pattern):
        def look():
            if (ended := self.process.poll()) is not None:
                raise AssertionError(f"the demo ended with {ended} and said: {self.said()}")
            return re.search(pattern, self.said())

        return eventually(look, f"the demo prints {pattern}", 15).group(1)

    def metric(self, name, **labels):
        """A metric's value; 0 for a series that does not exist yet."""
        _, text = http("GET", f"{self.address}/metrics")
        for line in text.splitlines():
            found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if found and found[1] == name:
                if dict(re.findall(r'(\w+)="([^"]*)"', found[2] or "")) == labels:
                    return float(found[3])
        return 0.0

    def stop(self):
        """Its exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=15)


class Serving(Demo):
    """`free-llm-proxy serve` with accounts at several providers, which the simulator of a demo plays.

    What it serves counts here, and nothing of the demo's own.
    """

    def __init__(self, name, simulator, providers, **settings):
        """`providers`: the entry of each in `CONFIG_FILE`, with its key (`(key's variable, key, members)`)."""
        self.simulator = simulator
        (WORK / name).mkdir(parents=True, exist_ok=True)
        file = WORK / name / "config.toml"
        tables = (f"[providers.{one}]\n{members}\n" for one, (_, _, members) in providers.items())
        file.write_text("\n".join(tables))
        keys = {variable: key for variable, key, _ in providers.values()}
        own = {
            "PORT": "0", "HOST": "127.0.0.1", "PROXY_API_KEY": KEY, "CONFIG_FILE": str(file),
            "OPENROUTER_API_KEY": "sk-or-v1-simulated-0123456789",
            "MODELS_LIST_URL": f"{simulator.address}/api/free-llm/top-models",
            "UPSTREAM_BASE_URL": f"{simulator.address}/api/v1",
        }  # fmt: skip
        self._start(name, ["serve"], {**own, **keys, **settings})
        self.address = "http://" + self._said(r'"event":"serving","address":"([^"]+)"')
        self._ready()


class Simulator:
    """The demo's simulated list and upstream."""

    def __init__(self, address):
        self.address = address
        self.sample = json.loads(http("GET", f"{address}/api/free-llm/top-models")[1])

    def follow(self, script):
        status, said = http("PUT", f"{self.address}/script", script)
        assert status == 200, f"the simulator refused the script: {said}"

    def forget(self):
        http("DELETE", f"{self.address}/requests")

    def completions(self):
        """The chat requests that reached a model, oldest first."""
        seen = json.loads(http("GET", f"{self.address}/requests")[1])["requests"]
        return [request for request in seen if request["model"] is not None]

    def asked(self):
        return [request["model"] for request in self.completions()]


class Log:
    """The proxy's log lines."""

    def __init__(self, file):
        self.file = file

    def lines(self):
        # The demo's introduction comes before the first log line; a line may be half written.
        whole, _, _ = self.file.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]

    def requests(self):
        ends = ("request_done", "request_rejected")
        return [line for line in self.lines() if line["event"] in ends]

    def of(self, request_id):
        """The one line that a chat request leaves."""
        mine = lambda: [line for line in self.requests() if line["request_id"] == request_id]
        lines = eventually(mine, f"a log line of the request {request_id}")
        equal(len(lines), 1, "log lines of one request")
        return lines[0]


def began(line):
    """When the request of a log line began, in seconds since 1970."""
    ended = datetime.datetime.fromisoformat(line["ts"].replace("Z", "+00:00")).timestamp()
    return ended - line.get("duration_ms", 0) / 1000


def outcomes(line):
    return [(attempt["model"], attempt["outcome"]) for attempt in line["attempts"]]


class Rig:
    """What a check gets: a demo, and the means to set up a situation."""

    def __init__(self, demo):
        self.demo = demo
        self.simulator = demo.simulator
        self.models = [model["id"] for model in demo.simulator.sample["models"]]
        self._since = 0.0

    def situation(self, script=None, listed=None):
        """From here on the simulated world follows `script`, every model is awake, and nothing was asked.

        `listed` puts another list in place of the sample.
        """
        script = dict(script or {})
        if listed is not None:
            script["list"] = {"status": {"status": 200, "body": listed}}
        self._since = time.time()
        self.simulator.follow(script)
        status, said = http("POST", f"{self.demo.address}/admin/refresh", key=KEY)
        assert status == 200, f"the list could not be read: {said}"
        self.simulator.forget()

    def lines(self):
        """The log lines of the chat requests that began since the situation was made.

        A line is written after its client has had the answer, so one of an earlier request may still arrive.
        """
        return [line for line in self.demo.log.requests() if began(line) >= self._since]

    def logged(self, count):
        """These lines: exactly this many."""
        eventually(lambda: len(self.lines()) >= count, f"{count} log lines")
        equal(len(self.lines()), count, "log lines")
        return self.lines()

    def short_list(self, count, **flags):
        """The first models of the sample, with these flags, and no fallback router."""
        models = [{**model, **flags} for model in self.simulator.sample["models"][:count]]
        return {"updatedAt": self.simulator.sample["updatedAt"], "models": models}


# For a demo that waits aloud after 1 s: by then it has.
SLOW_FAILURE = {"status": {"status": 503, "delay_ms": 1500}}


def limited(retry_after):
    """The script's step for a 429 of one model."""
    return {"failure": {"name": "provider_limit_retry_after", "retry_after": retry_after}}
