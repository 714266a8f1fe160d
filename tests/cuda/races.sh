#!/usr/bin/env bash
# The CUDA kernels on the emulator under the sanitizers: races between CUDA threads, and accesses outside of arrays, in
# three orders of the threads and with asynchronous copies that land late or early.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/cuda/mutants/build.bash
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

# check PROGRAM KIND
check() {
  local order async
  compile "$temp" "$1" "$2"
  for order in forward reverse random:3; do
    for async in late early; do
      run_program "$temp/$1.$2" D16_EMULATOR_ORDER=$order D16_EMULATOR_ASYNC=$async -- ||
        { echo "FAILED: $1, sanitizer $2, $order, $async" && return 1; }
    done
  done
  echo "$1: nothing found by the sanitizer $2 in six orders, after $SECONDS s"
}
export temp
export -f compile run_program check

copy_sources "$temp"
for program in "${programs[@]}"; do
  for kind in address,undefined thread; do printf '%s\0' $program $kind; done
done | xargs -0 -n 2 -P "$(nproc)" bash -c 'set -euo pipefail; check "$@"' check
