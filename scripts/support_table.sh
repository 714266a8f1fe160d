#!/usr/bin/env bash
# Writes docs/ops.md: for each op of tests/op_list whether reference, cpu and emulated CUDA have it, forward and backward, how
# many golden cases it has, and whether a benchmark times it.
#   scripts/support_table.sh           writes the table
#   scripts/support_table.sh --check   compares it with what the program prints
# Both fail when a cell is empty without a reason. tests/support_table.cpp says how golden cases and benchmarks are recognised.
set -euo pipefail
cd "$(dirname "$0")/.."

check=false
case ${1:-} in
  '') ;;
  --check) check=true ;;
  -h | --help) sed -n '2,6s/^# \?//p' "$0" && exit 0 ;;
  *) echo "support_table.sh: unknown argument '$1'; usage: scripts/support_table.sh [--check]" >&2 && exit 2 ;;
esac

table=docs/ops.md
work=build/support-table
cmake --preset cpu --log-level=NOTICE
cmake --build --preset cpu --target d16-support d16-bench
mkdir -p "$work"
for source in bench/*.cpp; do
  name=${source##*/}
  [[ $name == main.cpp ]] || "build/bin/bench_${name%.cpp}" --benchmark_list_tests
done >"$work/benchmarks.txt"

status=0
build/bin/d16-support tests/golden "$work/benchmarks.txt" >"$work/table.md" || status=$?
((status <= 1)) || exit 1
if $check; then
  diff -u "$table" "$work/table.md" || { echo "support_table.sh: run scripts/support_table.sh: $table is not what it prints" && status=1; }
else
  cp "$work/table.md" "$table"
fi
exit "$status"
