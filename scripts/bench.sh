#!/usr/bin/env bash
# Builds and runs the benches: bench.sh [NAME...] runs bench_NAME (all without a name); results as JSON in build/bench/.
# Options of Google Benchmark go through the environment, e.g. BENCHMARK_FILTER=conv2d.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install.sh test
cmake --preset cpu --log-level=NOTICE
if (($#)); then
  programs=("${@/#/bench_}")
else
  programs=()
  for source in bench/*.cpp; do
    name=${source##*/}
    [[ $name != main.cpp ]] || continue
    programs+=("bench_${name%.cpp}")
  done
fi
cmake --build build --target "${programs[@]}"
mkdir -p build/bench
for program in "${programs[@]}"; do
  "build/bin/$program" --benchmark_out="build/bench/$program.json" --benchmark_out_format=json
done
echo "results: build/bench/"
