"""What the demo leaves behind after all other checks: its log, and its exit. Comes last."""

import json

from rig import KEY, check, equal, http

FIELDS = {"ts", "level", "event"}
# The proxy's key, the upstream's, and words that only prompts and answers have.
SECRETS = (KEY, "sk-or-v1-simulated", "Сколько букв", "one two three", "greeting.txt", "a-name-of-mine")


@check("demo: the log")
def the_log(rig):
    http("POST", f"{rig.demo.address}/v1/chat/completions", {"messages": [{"role": "user", "content": "one two three"}]}, KEY)
    rig.logged(1)
    introduction, _, log = rig.demo.said().partition('\n{"ts"')
    assert KEY in introduction, "the introduction does not name the key"
    lines = [json.loads(line) for line in ('{"ts"' + log).splitlines()]
    for line in lines:
        assert FIELDS <= set(line), f"a line without {FIELDS}: {line}"
        assert line["level"] in ("DEBUG", "INFO", "WARNING", "ERROR"), f"level {line['level']}"
        assert line["event"] != "panicked", f"it panicked: {line}"
        for secret in SECRETS:
            assert secret not in json.dumps(line, ensure_ascii=False), f"{secret!r} is in the log: {line}"
    ids = [line["request_id"] for line in lines if line["event"] in ("request_done", "request_rejected")]
    equal(len(ids), len(set(ids)), "requests with a line of their own")


@check("demo: SIGTERM ends it")
def the_end(rig):
    equal(rig.demo.stop(), 0, "exit code")
    equal(rig.demo.log.lines()[-1]["event"], "stopped", "the last log line")
