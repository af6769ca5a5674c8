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
# page PATH NAME VALUE: the sample of that name (labels aside) on the page.
page() {
  curl -sf "http://$address$1" >"$work/page"
  awk -v name="$2" '/^#/ { next } { split($1, part, "{"); if (part[1] == name) print $NF }' \
    "$work/page" | grep -qx "$3" || {
    echo "self_test: $1 should say $2 $3" >&2
    cat "$work/page" >&2
    exit 1
  }
}
# The same 20 requests of 5 tokens in each engine's words.
while read -r words path running tokens hundred; do
  start_engine --metrics "$words" --truth "$work/truth"
  load --concurrency 4 --requests 20 --max-tokens 5
  page "$path" "$running" '0\(\.0\)\?'
  page "$path" "$tokens" "$hundred"
  ! command -v promtool >/dev/null || promtool check metrics <"$work/page" >/dev/null 2>&1 || [ $? -eq 3 ] || {
    echo "self_test: promtool cannot read the page of $words" >&2
    exit 1
  }
  [ "$(tail -n 1 "$work/truth" | cut -d' ' -f2-)" = "0 0" ]
  stop_engine
done <<END
v1 /metrics vllm:num_requests_running vllm:generation_tokens_total 100
v0 /metrics vllm:num_requests_running vllm:generation_tokens_total 100
sglang /metrics sglang:num_running_reqs sglang:generation_tokens_total 100.0
tgi /metrics tgi_batch_current_size tgi_request_generated_tokens_sum 100
llamacpp /metrics llamacpp:requests_processing llamacpp:tokens_predicted_total 100
trtllm /prometheus/metrics trtllm_num_requests_running trtllm_generation_tokens_total 100.0
mindie /metrics num_requests_running generation_tokens_total 100
END

start_engine --base-ms 20 --faults metrics_frozen=true
load --concurrency 4 --requests 8 --max-tokens 5
page /metrics vllm:generation_tokens_total 0
curl -sf -d '{"metrics_frozen":false,"rename":"vllm:generation_tokens_total/vllm:tokens"}' \
  "http://$address/testbed/faults" >/dev/null
page /metrics vllm:tokens 40
curl -sf -d '{"counters_restart":true,"rename":""}' "http://$address/testbed/faults" >/dev/null
page /metrics vllm:generation_tokens_total 0
curl -sf -d '{"sleeping":true,"metrics_late_s":1}' "http://$address/testbed/faults" >/dev/null
[ "$(curl -sf "http://$address/is_sleeping")" = '{"is_sleeping":true}' ]
load --concurrency 1 --requests 1 --max-tokens 100 &
running=$!
until curl -sf "http://$address/testbed/truth" | jq -e '.running == 1' >/dev/null; do :; done
! curl -s --max-time 0.2 "http://$address/metrics" >/dev/null || {
  echo "self_test: a page should come late while something runs" >&2
  exit 1
}
wait "$running"
page /metrics vllm:num_requests_running 0
stop_engine
echo "self_test: all good"
