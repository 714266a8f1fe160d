#!/usr/bin/env bash
# d16-conform says what is wrong: a wrong value fails, a broken file is unreadable, an unknown op or backend is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
conform=$PWD/build/bin/d16-conform
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

# expect STATUS LAST_LINE ARGUMENT...
expect() {
  local status=0 output
  output=$("$conform" "${@:3}" 2>"$temp/stderr") || status=$?
  if [[ $status != "$1" || ${output##*$'\n'} != "$2" ]]; then
    echo "FAILED: d16-conform ${*:3}: status $status, expected $1; expected the last line '$2' of:"
    printf '%s\n' "$output"
    cat "$temp/stderr"
    exit 1
  fi
}
write_at() { printf '%b' "$2" | dd of="$1" bs=1 seek="$3" conv=notrunc status=none; }
header_length() { od -An -t u4 -N 4 "$1" | tr -d ' '; }

case=tests/golden/relu_edges.safetensors
expect 0 "1 passed, 0 failed, 0 skipped" "$case"
expect 0 "1 passed, 0 failed, 0 skipped" --backend reference --strict "$case"
expect 0 "0 passed, 0 failed, 1 skipped" --backend cuda "$case"
expect 1 "0 passed, 0 failed, 1 skipped" --backend cuda --strict "$case"

cp "$case" "$temp/wrong.safetensors"  # float64 tensors come first, and those are expectations: a larger exponent
write_at "$temp/wrong.safetensors" '\x43' $((8 + $(header_length "$case") + 7))
expect 1 "0 passed, 1 failed, 0 skipped" "$temp/wrong.safetensors"
write_at "$temp/wrong.safetensors" '\xff\xff' $((8 + $(header_length "$case") + 6))  # NaN
expect 1 "0 passed, 1 failed, 0 skipped" "$temp/wrong.safetensors"

sed 's/"op":"relu"/"op":"reLU"/' "$case" >"$temp/unknown.safetensors"
expect 0 "0 passed, 0 failed, 1 skipped" "$temp/unknown.safetensors"
expect 1 "1 passed, 1 failed, 1 skipped" "$temp" "$case"

head -c 100 "$case" >"$temp/short.safetensors"
expect 2 "1 passed, 0 failed, 0 skipped" "$temp/short.safetensors" "$case"
grep -q short.safetensors "$temp/stderr"
expect 2 "0 passed, 0 failed, 0 skipped" "$temp/nothing.safetensors"
expect 2 "" --backend tpu "$case"
expect 2 ""
echo "all as expected"
