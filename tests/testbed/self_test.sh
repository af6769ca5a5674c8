#!/bin/sh
# self_test.sh BUILD_DIR: the load driver against the stand-in engine, both as programs, with and
# without faults. Checks that every request ends exactly once and alike in both programs' books.
set -eu
build=$1
work=$(mktemp -d)
engine=""
finish() {
  [ -z "$engine" ] || kill "$engine" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

start_engine() {
  mkfifo "$work/out"
  "$build/testbed-engine" --listen 127.0.0.1:0 "$@" >"$work/out" &
  engine=$!
  read -r _ _ address <"$work/out"
  rm "$work/out"
}
stop_engine() {
  kill "$engine"
  wait "$engine" || true
  engine=""
}
load() { "$build/testbed-load" --url "http://$address" --json "$work/load.json" "$@"; }
# expect EXPRESSION: over `load` (the report) and `engine` (the counters).
expect() {
  curl -s "http://$address/testbed/counters" >"$work/engine.json"
  jq -ne --slurpfile l "$work/load.json" --slurpfile e "$work/engine.json" \
    "\$l[0] as \$load | \$e[0] as \$engine | ($1)" >/dev/null || {
    echo "self_test: $2" >&2
    cat "$work/load.json" "$work/engine.json" >&2
    exit 1
  }
}

start_engine
load --concurrency 40 --requests 200 --mix --usage mix --max-tokens 20
expect '$load.outcomes == {"ok": 200} and $engine.completed == 200' 'all should be ok'
expect '$load.tokens == 4000 and $engine.tokens_generated == 4000' 'tokens should agree'
load --keep-alive --api completions --rate 200 --requests 100 --mix --max-tokens 5
expect '$load.outcomes == {"ok": 100} and $engine.connections_accepted < 320' 'kept connections'
load --concurrency 20 --requests 100 --abort-probability 1 --max-tokens 30
expect '$load.outcomes.aborted + ($load.outcomes.ok // 0) == 100' 'aborts should be counted'
expect '$engine.aborted_by_client > 0 and $engine.running == 0' 'aborts should free the batch'
stop_engine

start_engine --seed 7 --max-num-seqs 64 --faults \
  refuse=0.05,reset=0.05,cut=0.05,status503=0.05,status429=0.05,malformed=0.05,badjson=0.05,stall=0.01
load --concurrency 30 --requests 400 --mix --max-tokens 10 --timeout 2
expect '($load.outcomes | add) == 400 and $engine.received == 400' 'each should end once'
expect '$load.outcomes.ok == $engine.outcomes.ok' 'good answers should agree'
expect '($load.outcomes.wrong_bytes // 0) == 0' 'no wrong bytes'
expect '$load.outcomes.closed == $engine.faults.refuse' 'refusals should agree'
expect '$load.outcomes.http_503 == $engine.faults.status503' '503 should agree'
expect '$load.outcomes.cut == $engine.faults.cut' 'cuts should agree'
expect '$load.outcomes.malformed == $engine.faults.malformed + $engine.faults.badjson' 'malformed'
expect '($load.outcomes.timeout // 0) == ($engine.faults.stall // 0)' 'stalls should time out'
curl -sf -d '{"clear":true,"listen_off_s":0.5}' "http://$address/testbed/faults" >/dev/null
load --concurrency 4 --duration 1 --max-tokens 5
expect '$load.outcomes.refused > 0 and $load.outcomes.ok > 0' 'off and on again'
stop_engine

start_engine --profile report-case --compress 40
load --concurrency 60 --requests 120
expect '$load.time_s.mean * 40 | . > 69.8 and . < 74.2' '72 s at 60, within 3 %'
stop_engine
echo "self_test: all good"
