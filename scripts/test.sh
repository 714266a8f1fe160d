#!/usr/bin/env bash
# Builds d16 and runs its tests; installs what is missing first.
#   scripts/test.sh          the tests of engine, lessons, C interface, tool, conformance cases, and consumers
#   scripts/test.sh --all    also other instruction sets, sanitizers, headers one by one, formatting, README
# Goes on after a failure; the last lines list every part with its time. Exit status 1 when a part failed.
set -euo pipefail
cd "$(dirname "$0")/.."

all=false
case ${1:-} in
  '') ;;
  --all) all=true ;;
  -h | --help) sed -n '2,5s/^# \?//p' "$0" && exit 0 ;;
  *) echo "test.sh: unknown argument '$1'; usage: scripts/test.sh [--all]" >&2 && exit 2 ;;
esac

passed=0 failed=0 skipped=0 summary=()

# part NAME COMMAND...: runs one part. Status 77 means that it could not run here: skipped, never passed.
part() {
  local name=$1 start=$SECONDS status=0 result
  shift
  printf '\n== %s\n' "$name"
  "$@" || status=$?
  case $status in
    0) result=passed && passed=$((passed + 1)) ;;
    77) result=skipped && skipped=$((skipped + 1)) ;;
    *) result=FAILED && failed=$((failed + 1)) ;;
  esac
  summary+=("$(printf '%-8s %5d s  %s' "$result" $((SECONDS - start)) "$name")")
}

finish() {
  printf '\n== Summary after %d s\n' "$SECONDS"
  printf '%s\n' "${summary[@]}"
  echo "$passed passed, $failed failed, $skipped skipped"
  exit $((failed > 0))
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

cuda_library() {
  command -v nvcc >/dev/null || { echo "skipped: nvcc is not installed" && return 77; }
  build cuda d16_cuda
}

sanitizers() {
  build asan d16-tests d16-conform &&
    ASAN_OPTIONS=detect_leaks=1 build-asan/bin/d16-tests && build-asan/bin/d16-conform tests/golden
}

stage="test"
if $all; then stage="all"; fi
part "packages" scripts/install.sh "$stage"
part "build" build cpu
((failed == 0)) || finish

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
if $all; then
  part "formatting" format
  part "shell scripts" shell_scripts
  part "headers one by one" tests/headers_test.sh
  part "objects built with different flags" tests/mixed_flags/test.sh
  part "README" tests/readme/test.sh
  part "exchange with escnn" exchange
  part "benches build" build cpu d16-bench
  part "CUDA library by nvcc" cuda_library
  part "CUDA kernels: registers, memory, instructions" scripts/kernel_figures.sh --check
  part "CUDA kernels: memory traffic on the emulator" scripts/kernel_traffic.sh --check
  part "support table" scripts/support_table.sh --check
  part "tests, D16_ISA=baseline" env D16_ISA=baseline build/bin/d16-tests
  part "tests, D16_ISA=avx2" env D16_ISA=avx2 build/bin/d16-tests
  part "group convolution, D16_ISA=avx512" env D16_ISA=avx512 build/bin/d16-tests -tc='*group_conv*'
  part "tests under address and undefined-behaviour sanitizers" sanitizers
  part "CUDA kernels: planted bugs are found" tests/cuda/mutations.sh
  part "CUDA kernels: conformance in all orders and sanitizers" tests/cuda/conformance.sh
fi
finish
