#!/usr/bin/env bash
# The conformance cases of tests/golden and, where it is, ../shared/conformance by the CUDA kernels on the emulator: in
# every order of the threads, with asynchronous copies that land late or early, as they are and with the kernels under
# each sanitizer. No convolution may be skipped, and no other op for want of a kernel.
set -euo pipefail
cd "$(dirname "$0")/../.."
export temp
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

folders=(tests/golden)
if [[ -d ../shared/conformance ]]; then folders+=(../shared/conformance)
else echo "skipped: there is no ../shared/conformance"; fi
printf '%s\n' "${folders[@]}" >"$temp/all"
find "${folders[@]}" -name 'conv*.safetensors' -o -name 'group_conv*.safetensors' >"$temp/convolutions"

# check PROGRAM ORDER ASYNC LIST OPTION...: the last line of d16-conform, and all that is not ok where something fails.
check() {
  local log files status=0 began=$SECONDS
  log=$(mktemp -p "$temp")
  mapfile -t files <"$temp/$4"
  env D16_EMULATOR_ORDER="$2" D16_EMULATOR_ASYNC="$3" TSAN_OPTIONS=halt_on_error=1 ASAN_OPTIONS=detect_leaks=0 \
    "build/bin/$1" --backend emulated "${@:5}" "${files[@]}" >"$log" 2>&1 || status=$?
  printf '%-19s  %-8s  %-5s  %-12s  %s, %d s\n' "${@:1:4}" "$(tail -n 1 "$log")" $((SECONDS - began))
  if ((status == 0)) && ! grep -q 'skipped  .*: no kernel for ' "$log"; then return; fi
  grep -v '  ok$' "$log"
  return 1
}
export -f check

cmake --preset cpu --log-level=NOTICE
cmake --build --preset cpu --target d16-conform d16-conform-address d16-conform-thread
echo "built after $SECONDS s"

check d16-conform forward late convolutions --strict
for program in d16-conform d16-conform-address d16-conform-thread; do
  for order in forward reverse random:7; do
    for async in late early; do
      printf '%s\0' $program $order $async all
    done
  done
done | xargs -0 -n 4 -P "$(nproc)" bash -c 'set -euo pipefail; check "$@"' check
echo "done after $SECONDS s"
