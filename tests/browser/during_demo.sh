#!/bin/bash
# The page of a real box while scripts/demo overflows: the water must cross the line and the share of
# the cloud must move, in both languages, at 1280 and 320 px. Pictures are left in build/demo/shots.
#
#   tests/browser/during_demo.sh [OPTIONS OF scripts/demo]     such as --build-dir DIR
#
# Builds nothing. Ends the demo when the page was seen; the demo's own verdict is not asked for: the
# browser takes the processors that it measures with.

set -euo pipefail
folder=$(cd "$(dirname "$0")/../.." && pwd)
if [[ ${1:-} == --help ]]; then
  sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
  exit 0
fi
log=$folder/build/demo/during_demo.log
rm -rf "$folder/build/demo/shots"
mkdir -p "$folder/build/demo"
"$folder/scripts/demo" --no-build "$@" > "$log" 2>&1 &
demo=$!
finish() {
  kill "$demo" 2> /dev/null || true
  wait "$demo" 2> /dev/null || true
}
trap finish EXIT

until url=$(sed -n 's/^demo: the page is //p' "$log") && [[ -n $url ]]; do
  kill -0 "$demo" 2> /dev/null || { cat "$log" >&2; echo "during_demo: no demo" >&2; exit 1; }
  sleep 0.1
done
[[ -d $folder/tests/browser/node_modules ]] || (cd "$folder/tests/browser" && npm ci --silent)
nice node "$folder/tests/browser/run.mjs" --url "$url" --limit 60 --shots "$folder/build/demo/shots"
