#!/usr/bin/env python3
# A point of presence: where boxes' tunnels end. See README.md.
#
#   pop.py serve --config FILE                 run it; needs CAP_NET_ADMIN
#   pop.py token --config FILE [--hours N]     a join token for one box
#   pop.py status --config FILE                what runs, as JSON
#   pop.py remove BOX --config FILE            a box, its keys and its address
#   pop.py fault KEY=VALUE... --config FILE    make it misbehave (faults.py lists how)

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import control  # noqa: E402
import settings  # noqa: E402

SWITCH_SECONDS = 0.0005  # between threads: probes do not wait for what else goes on


def serve(config):
    from lanes import Failed
    from service import Pop
    sys.setswitchinterval(SWITCH_SECONDS)
    os.umask(0o077)
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before threads: sigwait gets them
    try:
        pop = Pop(config)
    except (OSError, ValueError) as error:
        sys.exit(f"pop: {error}")
    try:
        pop.start()
        host, port = pop.server.server_address[:2]
        print(f"ready {host}:{port}", flush=True)
        signal.sigwait(signals)
        if config.drain_s > 0:
            pop.set_faults({"stopping": True})
            signal.sigtimedwait(signals, config.drain_s)
    except Failed as error:
        sys.exit(f"pop: {error}")
    finally:
        began = time.monotonic()
        pop.stop()
        print(f"pop: stopped in {time.monotonic() - began:.1f} s", file=sys.stderr)


def value_of(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


def question(options):
    if options.command == "token":
        return {"ask": "token", "hours": options.hours}
    if options.command == "remove":
        return {"ask": "remove", "box": options.box}
    if options.command == "fault":
        wishes = dict(wish.partition("=")[::2] for wish in options.wishes)
        return {"ask": "fault", **{key: value_of(text) for key, text in wishes.items()}}
    return {"ask": "status"}


def main():
    parser = argparse.ArgumentParser(description="A point of presence for boxes' tunnels.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("serve", "token", "status", "remove", "fault"):
        command = commands.add_parser(name)
        command.add_argument("--config", required=True)
        if name == "token":
            command.add_argument("--hours", type=float, default=24)
        if name == "remove":
            command.add_argument("box")
        if name == "fault":
            command.add_argument("wishes", nargs="+", metavar="KEY=VALUE")
    options = parser.parse_args()
    try:
        config = settings.load(options.config)
    except settings.Wrong as error:
        sys.exit(f"pop: {error}")
    if options.command == "serve":
        serve(config)
        return
    try:
        answer = control.ask(config.control, **question(options))
    except OSError as error:
        sys.exit(f"pop: {config.control}: {error.strerror}; is it running?")
    if "error" in answer:
        sys.exit(f"pop: {answer['error']}")
    print(answer["token"] if options.command == "token" else json.dumps(answer, indent=1))


if __name__ == "__main__":
    main()
