#!/usr/bin/env bash
# Builds d16 and runs its tests; installs what is missing first.
#   scripts/test.sh          the tests of engine, lessons, C interface, tool, conformance cases, and consumers
#   scripts/test.sh --all    also other instruction sets, sanitizers, headers one by one, formatting, README
# Goes on after a failure; the last lines list every part with its time. --all runs two parts at a time, one of which
# tells what it found at the end. Exit status 1 when a part failed.
set -euo pipefail
cd "$(dirname "$0")/.."

all=false
case ${1:-} in
  '') ;;
  --all) all=true ;;
  -h | --help) sed -n '2,6s/^# \?//p' "$0" && exit 0 ;;
  *) echo "test.sh: unknown argument '$1'; usage: scripts/test.sh [--all]" >&2 && exit 2 ;;
esac

temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
touch "$temp/summary"

# part NAME COMMAND...: runs one part. Status 77 means that it could not run here: skipped, never passed.
part() {
  local name=$1 start=$SECONDS status=0 result
  shift
  printf '\n== %s\n' "$name"
  "$@" || status=$?
  case $status in
    0) result=passed ;;
    77) result=skipped ;;
    *) result=FAILED ;;
  esac
  printf '%-8s %5d s  %s\n' "$result" $((SECONDS - start)) "$name" >>"$temp/summary"
}

count() { grep -c "^$1 " "$temp/summary" || true; }

finish() {
  printf '\n== Summary after %d s\n' "$SECONDS"
  cat "$temp/summary"
  echo "$(count passed) passed, $(count FAILED) failed, $(count skipped) skipped"
  exit $(($(count FAILED) > 0))
}

build() {  # build PRESET [TARGET...]
  cmake --preset "$1" --log-level=NOTICE && cmake --build --preset "$1" ${2:+--target "${@:2}"}
}

lessons() {
  local lesson
  for lesson in build/bin/lessons/*; do
    echo "-- ${lesson##*/}"
    "$lesson" || return 1
  done
}

golden() { build/bin/d16-conform tests/golden; }
golden_emulated() { build/bin/d16-conform --backend emulated tests/golden; }
shared_conformance() {
  [[ -d ../shared/conformance ]] || { echo "skipped: there is no ../shared/conformance" && return 77; }
  build/bin/d16-conform ../shared/conformance
}

exchange() {
  local python=${D16_PYTHON:-python3}
  "$python" -c 'import escnn, torch, safetensors' 2>/dev/null ||
    { echo "skipped: $python has no torch, escnn and safetensors; D16_PYTHON names one that has" && return 77; }
  "$python" tools/test_exchange.py
}

format() {
  git ls-files -co --exclude-standard -- '*.hpp' '*.cpp' '*.h' '*.c' '*.cuh' '*.cu' | xargs clang-format-14 --dry-run --Werror
}
shell_scripts() { git ls-files -co --exclude-standard -- '*.sh' .ci/run | xargs shellcheck -x --severity=warning --exclude=SC2317; }

cuda_library() {  # for one architecture: kernel_figures.sh compiles all for the other
  command -v nvcc >/dev/null || { echo "skipped: nvcc is not installed" && return 77; }
  cmake --preset cuda -D CMAKE_CUDA_ARCHITECTURES=80 --log-level=NOTICE && cmake --build --preset cuda --target d16_cuda
}

sanitizers() {
  build asan d16-tests d16-conform &&
    ASAN_OPTIONS=detect_leaks=1 build-asan/bin/d16-tests && build-asan/bin/d16-conform tests/golden
}

# What the build has made, run: most of it on one core.
built() {
  part "tests" build/bin/d16-tests
  part "lessons" lessons
  part "C interface" build/bin/d16-c-api-test
  part "tool" tests/cli_test.sh
  part "tool: seven bands" tests/highz_cli_test.sh
  part "tool: disk study" tests/study_disk_cli_test.sh
  part "tool: simulated fields, redshifting, data sets" tests/field_cli_test.sh
  part "tool: shapes and catalogues" tests/measure_cli_test.sh
  part "tool: denoisers" tests/denoise_cli_test.sh
  part "tool: catalogues" tests/catalogue_cli_test.sh
  part "tool: training" tests/train_cli_test.sh
  part "conformance program" tests/conform_test.sh
  part "conformance: tests/golden" golden
  part "conformance: tests/golden, CUDA kernels on the emulator" golden_emulated
  part "conformance: ../shared/conformance" shared_conformance
  part "CUDA and its emulator in one program" tests/cuda/one_program.sh
  part "consumers" tests/consumer/test.sh
}
# More of it, for --all. Kernels of the emulator know no instruction set.
built_all() {
  built
  part "tests, D16_ISA=baseline" env D16_ISA=baseline build/bin/d16-tests -sfe='*/cuda/*'
  part "tests, D16_ISA=avx2" env D16_ISA=avx2 build/bin/d16-tests -sfe='*/cuda/*'
  part "group convolution, D16_ISA=avx512" env D16_ISA=avx512 build/bin/d16-tests -tc='*group_conv*'
  part "objects built with different flags" tests/mixed_flags/test.sh
  part "README" tests/readme/test.sh
  part "exchange with escnn" exchange
}
# What compiles for minutes, one after the other.
compiled_all() {
  part "CUDA library by nvcc" cuda_library
  part "CUDA kernels: registers, memory, instructions" scripts/kernel_figures.sh --check
  part "tests under address and undefined-behaviour sanitizers" sanitizers
  part "CUDA kernels: memory traffic on the emulator" scripts/kernel_traffic.sh --check
  part "benches build, support table" scripts/support_table.sh --check
  part "CUDA kernels: planted bugs are found" tests/cuda/mutations.sh
  part "CUDA kernels: conformance in all orders and sanitizers" tests/cuda/conformance.sh
  part "headers one by one" tests/headers_test.sh
}

stage="test"
if $all; then stage="all"; fi
part "packages" scripts/install.sh "$stage"
if $all; then
  part "formatting" format
  part "shell scripts" shell_scripts
fi
part "build" build cpu
(($(count FAILED) == 0)) || finish

if $all; then  # both at once, so that no core waits for the other
  built_all >"$temp/built" 2>&1 &
  compiled_all
  wait
  cat "$temp/built"
else
  built
fi
finish
