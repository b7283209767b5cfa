"""The real servers as processes, and the proxies before them."""

import atexit
import json
import os
import socket
import subprocess

from rig import KEY, WORK, Demo, Log, Serving, eventually, http

MODEL = WORK / "local.gguf"
WINDOW = 4096


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Server:
    """One of them. Started anew it is at the same address."""

    name = ""
    environment = ""
    """The folder of the Python that has it."""
    window = None
    """The window that it tells, if it does."""
    tools = slots = False
    """Whether it reads a call out of the model's words; whether it tells what it is doing."""
    refuses_in_streams = True
    """Whether it says what is wrong with a request for a stream."""
    at_once_sec = 5
    """How long a short answer may take on a busy machine."""

    def __init__(self, key=None, **settings):
        self.key, self.settings = key, settings
        self.address = f"http://127.0.0.1:{free_port()}"
        self.base = f"{self.address}/v1"
        self.process = None

    def command(self, port, alias="tiny", slots=1):
        raise NotImplementedError

    def start(self, **settings):
        python = WORK / self.environment / "bin" / "python"
        port = self.address.rpartition(":")[2]
        log = WORK / "local" / f"{self.name}.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [python, *self.command(port, **{**self.settings, **settings})],
                env={"PATH": os.environ["PATH"], "HOME": str(log.parent)}, cwd=log.parent,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        atexit.register(self.process.kill)
        eventually(self.is_up, f"{self.name} answers", 30)
        return self

    def is_up(self):
        try:
            return http("GET", f"{self.base}/models", key=self.key)[0] == 200
        except OSError:
            assert self.process.poll() is None, f"{self.name} ended; {WORK / 'local'} has its log"
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def busy(self):
        """How many requests it is answering."""
        slots = json.loads(http("GET", f"{self.address}/slots", key=self.key)[1])
        return sum(slot["is_processing"] for slot in slots)


class LlamaCpp(Server):
    """llama.cpp's own."""

    name = "llama.cpp"
    environment = "llama-cpp"
    window = WINDOW
    tools = slots = True

    def command(self, port, alias="tiny", slots=1):
        own = [f"--port={port}", f"--model={MODEL}", f"--alias={alias}", f"--window={WINDOW}", f"--slots={slots}"]
        key = [f"--key={self.key}"] if self.key else []
        return [str(WORK.parent / "local" / "llama_cpp.py"), *own, *key]


class LlamaCppPython(Server):
    """llama-cpp-python's: the same engine behind a server in Python."""

    name = "llama-cpp-python"
    environment = "llama-cpp-python"
    refuses_in_streams = False
    at_once_sec = 20

    def command(self, port, alias="tiny", slots=1):
        own = {"port": port, "model": MODEL, "model_alias": alias, "n_ctx": WINDOW, "n_threads": 1, "host": "127.0.0.1"}
        key = {"api_key": self.key} if self.key else {}
        return ["-m", "llama_cpp.server", *(word for name, value in {**own, **key}.items() for word in (f"--{name}", str(value)))]


class Proxy(Serving):
    """`free-llm-proxy serve` with `LOCAL_BASE_URL`, and OpenRouter beside it where that is wanted."""

    def __init__(self, name, server, world, openrouter=False, **settings):
        key = {"LOCAL_API_KEY": server.key} if server.key else {}
        beside = {"OPENROUTER_API_KEY": "sk-or-v1-simulated-0123456789"} if openrouter else {}
        own = {
            "PORT": "0", "HOST": "127.0.0.1", "PROXY_API_KEY": KEY, "LOCAL_BASE_URL": server.base,
            "MODELS_LIST_URL": f"{world.address}/api/free-llm/top-models",
            "UPSTREAM_BASE_URL": f"{world.address}/api/v1",
        }  # fmt: skip
        self._start(f"local/{name}", ["serve"], {**own, **key, **beside, **settings})
        self.address = "http://" + self._said(r'"event":"serving","address":"([^"]+)"')
        self.log = Log(self.log_file)

    def models(self):
        """The models of providers; the wishes are listed before them."""
        said = json.loads(http("GET", f"{self.address}/v1/models", key=KEY)[1])
        return {model["id"]: model for model in said.get("data", []) if "/" in model["id"]}

    def ready(self):
        status, said = http("GET", f"{self.address}/ready")
        return status, json.loads(said)

    def refresh(self):
        return http("POST", f"{self.address}/admin/refresh", key=KEY)

    def rests(self):
        """Who is not asked for now: nobody while all is well."""
        state = json.loads(http("GET", f"{self.address}/admin/state", key=KEY)[1])
        return [one for one in (*state["models"], *state["accounts"]) if one["state"] != "awake"]


class Rig:
    """What a check is given: the server, a proxy before it alone, one with OpenRouter beside it, and OpenRouter's world."""

    def __init__(self, kind, world):
        self.world = world
        self.simulator = world.simulator
        self.server = kind().start()
        self.proxy = self.demo = Proxy(f"{kind.name}-alone", self.server, self.simulator, GENERIC_ERROR_COOLDOWN_SEC="1")
        self.both = Proxy(f"{kind.name}-last", self.server, self.simulator, openrouter=True, MODEL_FIELD="prefer", GENERIC_ERROR_COOLDOWN_SEC="1")

    def situation(self, script=None):
        """The server is up, nobody rests, and OpenRouter follows the script."""
        self.simulator.follow(script or {})
        if self.server.process.poll() is not None:
            self.server.start()
        for proxy in (self.proxy, self.both):
            eventually(lambda: proxy.refresh()[0] == 200, "the lists are read")
            eventually(lambda: proxy.ready()[0] == 200, "/ready is 200")
        self.simulator.forget()


def world():
    """A demo of which only the simulated OpenRouter and ranking count."""
    return Demo("local/world", PORT="0")
