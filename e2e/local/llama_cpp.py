"""Runs llama.cpp's own server, which xllamacpp has built in, until it is killed."""

import argparse
import signal

import xllamacpp


def main():
    told = argparse.ArgumentParser()
    for name, kind in {"model": str, "alias": str, "port": int, "window": int, "slots": int, "key": str}.items():
        told.add_argument(f"--{name}", type=kind)
    told = told.parse_args()
    params = xllamacpp.CommonParams()
    params.model.path = told.model
    params.model_alias = {told.alias}
    params.hostnames = ["127.0.0.1"]
    params.port = told.port
    params.n_parallel = told.slots
    # The slots share it.
    params.n_ctx = told.window * told.slots
    params.cpuparams.n_threads = 1
    params.endpoint_slots = True
    params.ui = False
    if told.key:
        params.api_keys = [told.key]
    server = xllamacpp.Server(params)  # noqa: F841  (it runs while it is there)
    signal.pause()


main()
