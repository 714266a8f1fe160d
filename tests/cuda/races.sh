#!/usr/bin/env bash
# The CUDA kernels on the emulator under the sanitizers: races between CUDA threads, and accesses outside of arrays, in
# three orders of the threads.
set -euo pipefail
cd "$(dirname "$0")/../.."
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

for program in pointwise dense group vision; do
  for kind in thread address,undefined; do
    g++ -std=c++20 -O1 -g -Wno-unknown-pragmas -I include -pthread -fsanitize=$kind -fno-sanitize-recover=all \
      tests/cuda/mutants/$program.cpp -o "$temp/program"
    for order in forward reverse random:3; do
      for async in late early; do
        D16_EMULATOR_ORDER=$order D16_EMULATOR_ASYNC=$async "$temp/program" ||
          { echo "FAILED: $program, $kind, $order, $async"; exit 1; }
      done
    done
    echo "$program: nothing found by the sanitizer $kind"
  done
done
