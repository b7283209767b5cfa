"""What a person reads while nothing can be answered: our sentence, within 10 s, whichever client shows it."""

import atexit
import os
import re
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from rig import KEY, WORK, check, eventually

from .agent_checks import ABLE, QUICK
from .programs import Aider, Opencode, QwenCode

PROMPT = "Say done."
LIMIT_SEC = 10
"""From the first request to the sentence."""


class Relay:
    """A relay to the proxy that notes the time of the first request: Codex may end with its first GET."""

    def __init__(self, address):
        self.to = (urlsplit(address).hostname, urlsplit(address).port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "http://%s:%d" % self.listener.getsockname()
        self.first = None
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(self.to)
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(one, other), daemon=True).start()

    def pump(self, one, other):
        try:
            while some := one.recv(65536):
                if self.first is None:
                    self.first = time.monotonic()
                other.sendall(some)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Unlisted:
    """A proxy that cannot read any list."""

    started = None

    def __init__(self):
        folder = WORK / "agents"
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "HOST": "127.0.0.1", "PORT": "0",
            "OPENROUTER_API_KEY": "sk-or-v1-none-0123456789abcdef", "PROXY_API_KEY": KEY,
            "MODELS_LIST_URL": "http://127.0.0.1:9/list", "UPSTREAM_BASE_URL": "http://127.0.0.1:9/api/v1",
        }  # fmt: skip
        log = folder / "unlisted.log"
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [os.environ["FREE_LLM_PROXY_BIN"], "serve"],
                cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        atexit.register(self.process.kill)
        said = lambda: re.search(r'"event":"snapshot_refresh_failed"', log.read_text())
        eventually(said, "the first read fails", 15)
        at = re.search(r'"event":"serving".*?"address":"([^"]+)"', log.read_text())
        self.address = f"http://{at[1]}"


@dataclass(frozen=True)
class Situation:
    script: dict
    says: str
    """A pattern of our sentence, or of the upstream's where that is passed on."""
    key: str = KEY
    unlisted: bool = False


HOURS = {"failure": {"name": "provider_limit_retry_after", "retry_after": 3600}}


def late(retry_after, **error):
    """A 429 after the proxy has begun to wait aloud."""
    headers = [["Retry-After", str(retry_after)]]
    return {"status": {"status": 429, "delay_ms": 1500, "headers": headers, "body": {"error": {"code": 429, **error}}}}


LATE_HOURS = late(3600, message="Slow down.")
LATE_DAY = late(30000, message="Rate limit exceeded: free-models-per-day.", metadata={"limit_source": "openrouter_free_tier_daily"})
RESTING = "resting|rate limited"
SITUATIONS = {
    "quota gone": Situation({"default": {"failure": "daily_limit"}}, "free quota"),
    "all rest an hour": Situation({"default": HOURS}, RESTING),
    "wrong key": Situation({}, "this proxy's", key="sk-wrong"),
    "wrong upstream key": Situation({"default": {"failure": "user_not_found"}}, "OPENROUTER_API_KEY"),
    "no credit": Situation({"default": {"failure": "insufficient_credits"}}, "Insufficient credits"),
    "no list": Situation({}, "model list|list of models", unlisted=True),
    "quota gone, aloud": Situation({"default": LATE_DAY}, "free quota"),
    "all rest, aloud": Situation({"default": LATE_HOURS}, RESTING),
}


def in_words(text):
    """A text as a person reads it: without line wrapping and colours."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\u2060", "", text)
    return " ".join(text.replace("\u00a0", " ").split())


def reads(kind, rig, name):
    situation = SITUATIONS[name]
    agent = kind(rig, name)
    agent.key = situation.key
    rig.situation(situation.script, listed=rig.short_list(2, **ABLE))
    if situation.unlisted:
        Unlisted.started = Unlisted.started or Unlisted()
    relay = Relay(Unlisted.started.address if situation.unlisted else rig.demo.address)
    agent.address = relay.address
    shown = []

    def until(_):
        said = in_words(" ".join(line for _, line in agent.lines))
        if relay.first is not None and re.search(situation.says, said):
            shown.append(time.monotonic() - relay.first)
        return bool(shown)

    agent.run(PROMPT, until=until)
    relay.listener.close()
    assert shown, f"it does not say {situation.says!r}: {[line for _, line in agent.lines]}"
    assert shown[0] < LIMIT_SEC, f"{situation.says!r} is shown after {shown[0]:.1f} s"
    return f"after {shown[0]:.1f} s"


for kind in [*QUICK, QwenCode, Opencode, Aider]:
    for name in SITUATIONS:
        check(f"{kind.name}: {name}", limit_sec=60)(lambda rig, kind=kind, name=name: reads(kind, rig, name))


def is_one(check):
    return check.name.partition(": ")[2] in SITUATIONS
