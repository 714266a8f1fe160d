#!/usr/bin/env bash
# Counts what every CUDA kernel does to memory, on the emulator, and writes docs/cuda-traffic.md: sectors of global memory and
# bank conflicts of each request, bytes moved against the floor.
#   scripts/kernel_traffic.sh           writes the table
#   scripts/kernel_traffic.sh --check   compares it with what the sources give; the same g++ only
# Both fail when the counter is wrong about kernels that it knows, when tests/cuda/traffic/remarks.txt does not explain what
# is not ideal, or when a kernel is launched by no case. All instructions that are not ideal, with their places in the
# sources, go to build/kernel-traffic/instructions.txt.
# Exit status 77: skipped, with the reason.
set -euo pipefail
cd "$(dirname "$0")/.."

check=false
case ${1:-} in
  '') ;;
  --check) check=true ;;
  -h | --help) sed -n '2,9s/^# \?//p' "$0" && exit 0 ;;
  *) echo "kernel_traffic.sh: unknown argument '$1'; usage: scripts/kernel_traffic.sh [--check]" >&2 && exit 2 ;;
esac

table=docs/cuda-traffic.md
work=build/kernel-traffic
program=build/bin/d16-traffic

skip() { echo "skipped: $*" && exit 77; }
command -v g++ >/dev/null || skip "there is no g++ on the path"
version=$(g++ -dumpfullversion)
if $check; then
  [[ -f $table ]] || { echo "kernel_traffic.sh: there is no $table; run scripts/kernel_traffic.sh" >&2 && exit 1; }
  committed=$(sed -n 's/.*g++ \([0-9][0-9.]*[0-9]\).*/\1/p' "$table" | head -1)
  [[ $committed == "$version" ]] || skip "another g++: $table is of $committed, this is $version"
fi

cmake --preset cpu --log-level=NOTICE
cmake --build --preset cpu --target d16-traffic
mkdir -p "$work"
"$program" --known >"$work/known.txt" || { cat "$work/known.txt" && exit 1; }
echo "the counter is right about $(wc -l <"$work/known.txt") kernels that it knows"

status=0
"$program" tests/cuda/traffic/remarks.txt "$work/addresses.txt" >"$work/table.md" || status=$?
# An address is that behind the call: the byte before it belongs to the instruction. Of the functions inlined there the first
# one that is not the emulator's own has its place.
cut -f 1 "$work/addresses.txt" | while read -r address; do printf '%#x\n' $((address - 1)); done | addr2line -a -i -e "$program" |
  awk '/^0x/ { if (NR > 1) print place; place = ""; next }
       place == "" || place ~ /\/(emulator[a-z_]*|mma|gpu)\.hpp:/ { place = $1 }
       END { if (NR) print place }' | sed -E 's#.*/(kernels|src)/#\1/#' |
  paste - <(cut -f 2- "$work/addresses.txt") >"$work/instructions.txt"
((status <= 1)) || exit 1

if $check; then
  diff -u "$table" "$work/table.md" ||
    { echo "kernel_traffic.sh: $table is not what the sources give: a regression, or run scripts/kernel_traffic.sh" && status=1; }
else
  cp "$work/table.md" "$table"
fi
((status == 0)) || echo "the instructions that are not ideal: $work/instructions.txt"
exit "$status"
