#!/usr/bin/env bash
# Builds and runs the benches.
#   scripts/bench.sh [NAME...]              bench_NAME, all without a name; results as JSON in build/bench/
#   scripts/bench.sh --peers [OPTION...]    d16 against oneDNN, PyTorch and escnn: build/bench/peers.json, docs/benchmarks-peers.md
#       --quick        a first look in a few minutes, in build/bench/ only
#       --python PY    the Python that has torch and escnn (docs/benchmarks.md says how to make one); without it python3
#       --help         the others
#   scripts/bench.sh --learn [OPTION...]    t-SNE, HDBSCAN, neighbours, k-means against openTSNE, fast_hdbscan, hdbscan and
#                                           scikit-learn: the table of docs/learn.md; --quick and --python as above
# Options of Google Benchmark go through the environment, e.g. BENCHMARK_FILTER=conv2d.
set -euo pipefail
cd "$(dirname "$0")/.."

build() { cmake --preset cpu --log-level=NOTICE && cmake --build build --target "$@"; }

if [[ ${1:-} == --peers ]]; then
  shift
  scripts/install.sh bench
  build d16-peers
  exec python3 bench/peers/compare.py "$@"
fi

if [[ ${1:-} == --learn ]]; then
  shift
  scripts/install.sh bench
  build peer_learn
  exec python3 bench/peers/peer_learn.py "$@"
fi

case ${1:-} in
  -h | --help) sed -n '2,10s/^# \?//p' "$0" && exit 0 ;;
  -*) echo "bench.sh: unknown argument '$1'; see --help" >&2 && exit 2 ;;
esac
scripts/install.sh test
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
build "${programs[@]}"
mkdir -p build/bench
for program in "${programs[@]}"; do
  "build/bin/$program" --benchmark_out="build/bench/$program.json" --benchmark_out_format=json
done
echo "results: build/bench/"
