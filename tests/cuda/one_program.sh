#!/usr/bin/env bash
# One program holds a kernel compiled by nvcc and by the host compiler: no symbol of one can stand for the other's, both
# compute, and without a driver the device cuda says so.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v nvcc >/dev/null || { echo "skipped: nvcc is not installed"; exit 77; }
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
flags=(-std=c++20 -O1 -I include)
host=(g++ "${flags[@]}" -Wall -Wextra -Werror -Wno-unknown-pragmas -pthread)
device=(nvcc "${flags[@]}" -gencode "arch=compute_80,code=sm_80")

"${host[@]}" -x c++ -c tests/cuda/one_program/square.cu -o "$temp/emulated.o"
"${host[@]}" -c tests/cuda/one_program/main.cpp -o "$temp/main.o"
"${device[@]}" -c tests/cuda/one_program/square.cu -o "$temp/cuda.o"
"${device[@]}" -c src/gpu/runtime.cu -o "$temp/runtime.o"

failed() {
  echo "FAILED: $1"
  sed 's/^/  /' "$temp/found"
  exit 1
}
symbols() { nm --defined-only "$1" | awk '$2 != "r" && $2 != "t" && $2 != "b" && $2 != "d" { print $3 }' | sort -u; }
# An emulated object neither defines nor uses a function of CUDA's.
! nm "$temp/emulated.o" | awk '{ print $NF }' | grep -E '^_*cuda' >"$temp/found" ||
  failed "names of CUDA in the emulated object"
# What both define is the core's, the same in both: nothing of kernels/cuda.
comm -12 <(symbols "$temp/emulated.o") <(symbols "$temp/cuda.o") | c++filt >"$temp/common"
! grep -E 'kernels::(cuda|emulated|gpu|emulator|unary|sum)|^(cuda|__cuda)' "$temp/common" >"$temp/found" ||
  failed "defined by both machines"
symbols "$temp/emulated.o" | grep -c '8emulated' >/dev/null || failed "no emulated symbol: the check above saw nothing"
symbols "$temp/cuda.o" | grep -c '4cuda' >/dev/null || failed "no cuda symbol: the check above saw nothing"

for order in "emulated.o cuda.o" "cuda.o emulated.o"; do  # what comes first wins where two definitions meet
  read -ra objects <<<"$order"
  (cd "$temp" && nvcc -o program main.o "${objects[@]}" runtime.o)
  "$temp/program" >"$temp/found" || failed "the program, linked as $order"
  cat "$temp/found"
done
