#!/usr/bin/env bash
# Everything that needs a GPU, on a machine that has one; no network. Results go to bench/results/CARD.json and CARD.md.
#   scripts/gpu_check.sh [PART...]     parts: build, test, sanitize, bench, report; all of them without a word
#   build     preset cuda for this card, in build-cuda/
#   test      the kernel tests and the conformance cases on the GPU, and all other tests that can be built here
#   sanitize  compute-sanitizer, memcheck and racecheck, on the kernel tests
#   bench     bench_cuda (ceilings, products, convolutions, D16 convolution, ladders, memory, images), bench_training,
#             d16 run from files to catalogue, and PyTorch, escnn and scikit-image where present
#   report    the JSON and the table again from what the last bench has left
# Each part ends after D16_GPU_SECONDS (default 540), for machines that give only some minutes at a
# time; what was measured until then is kept, and the next call of `bench` goes on behind it (D16_GPU_FRESH=1: from the
# start). Packages that are not where compilers look, doctest and Google Benchmark, are found by CMAKE_PREFIX_PATH and CPATH.
# Without a GPU: "skipped: no CUDA device", exit status 0. Exit status 1 when a part has failed.
set -euo pipefail
cd "$(dirname "$0")/.."

known=(build test sanitize bench report)
parts=()
for word in "$@"; do
  case $word in
    -h | --help) sed -n '2,13s/^# \?//p' "$0" && exit 0 ;;
    build | test | sanitize | bench | report) parts+=("$word") ;;
    *) echo "gpu_check.sh: unknown part '$word'; there are ${known[*]}" >&2 && exit 2 ;;
  esac
done
((${#parts[@]})) || parts=("${known[@]}")

smi() { nvidia-smi --query-gpu="$1" --format=csv,noheader --id=0 2>/dev/null | head -1; }
card=
if command -v nvidia-smi >/dev/null; then card=$(smi name || true); fi
if [[ -z $card ]]; then
  echo "skipped: no CUDA device"
  exit 0
fi

budget=${D16_GPU_SECONDS:-540}
build=build-cuda raw=build-cuda/gpu-check results=bench/results
mkdir -p "$raw" "$results"
failed=() skipped=()
part_ends=0

heading() { printf '\n== %s\n' "$*"; }
skip() { echo "skipped: $*" && skipped+=("$*"); }
left() { echo $((part_ends - SECONDS > 0 ? part_ends - SECONDS : 0)); }
# within SECONDS COMMAND...: ends the command after so long, or at the end of the part; then the status is 124.
within() {
  local most=$1 rest
  shift
  rest=$(left)
  ((rest > 2)) || return 124
  timeout --kill-after=5 "$((most < rest ? most : rest))" "$@"
}
# expect NAME COMMAND...: one line that says how it went.
expect() {
  local name=$1 status=0 start=$SECONDS
  shift
  "$@" || status=$?
  case $status in
    0) echo "passed: $name, $((SECONDS - start)) s" ;;
    124 | 137) skip "$name: no time left after $((SECONDS - start)) s" ;;
    77) echo "FAILED: $name: nvidia-smi sees a card, CUDA does not" && failed+=("$name") ;;
    *) echo "FAILED: $name, status $status" && failed+=("$name") ;;
  esac
}
has_target() { grep -q "^build $1: phony\|^build bin/$1:" "$build/build.ninja" 2>/dev/null; }

# cuDNN and cuBLAS for comparison also as Python packages: nvidia/*/ has include and lib.
python_libraries() {
  python3 - 2>/dev/null <<'END' || true
import glob, importlib.util, os
spec = importlib.util.find_spec("nvidia")
roots = list(spec.submodule_search_locations) if spec else []
found = [d for root in roots for d in glob.glob(os.path.join(root, "*")) if os.path.isdir(os.path.join(d, "include"))]
print(";".join(found))
END
}

part_build() {
  local capability architecture prefix target
  capability=$(smi compute_cap)
  capability=${capability//[!0-9]/}
  architecture=$capability-real
  if [[ $capability == 90 ]]; then architecture=90a-real; fi
  prefix=$(python_libraries)
  expect "configure for sm_$capability" within "$budget" cmake --preset cuda --log-level=NOTICE \
    -DCMAKE_CUDA_ARCHITECTURES="$architecture" ${prefix:+-DCMAKE_PREFIX_PATH="${CMAKE_PREFIX_PATH:+${CMAKE_PREFIX_PATH//:/;};}$prefix"}
  for target in bench_cuda bench_training d16-kernel-tests d16-conform d16-tests d16; do
    if has_target "$target"; then expect "build $target" within "$budget" cmake --build "$build" --target "$target"
    else skip "$target: it is left out here; the lines above say what it needs"; fi
  done
}

# The kernel tests read the memory of the host from the device, and look at it when a launch has returned.
kernel_tests() { CUDA_LAUNCH_BLOCKING=1 "$@" "$build/bin/d16-kernel-tests" --no-version; }

part_test() {
  local cases
  if [[ -x $build/bin/d16-kernel-tests ]]; then expect "kernel tests on the GPU" kernel_tests within 240
  else skip "kernel tests: build-cuda/bin/d16-kernel-tests was not built"; fi
  if [[ -x $build/bin/d16-conform ]]; then
    for cases in tests/golden ../shared/conformance shared/conformance; do
      [[ -d $cases ]] && expect "conformance on the GPU: $cases" within 200 "$build/bin/d16-conform" --backend cuda "$cases"
    done
  else skip "conformance: build-cuda/bin/d16-conform was not built"; fi
  if [[ -x $build/bin/d16-tests ]]; then expect "all other tests" within "$budget" "$build/bin/d16-tests" --no-version
  else skip "all other tests: build-cuda/bin/d16-tests was not built"; fi
}

part_sanitize() {
  local tool
  command -v compute-sanitizer >/dev/null || { skip "compute-sanitizer: it is not on the path" && return; }
  [[ -x $build/bin/d16-kernel-tests ]] || { skip "compute-sanitizer: build-cuda/bin/d16-kernel-tests was not built" && return; }
  for tool in memcheck racecheck; do
    if ! within 60 compute-sanitizer --tool "$tool" --error-exitcode 3 "$build/bin/d16-kernel-tests" -tc='no such test' \
      >"$raw/$tool.log" 2>&1; then
      skip "compute-sanitizer $tool: $(grep -m1 -i 'error\|not supported' "$raw/$tool.log" || echo 'it does not start')"
    else
      expect "compute-sanitizer $tool" kernel_tests within $((budget / 2)) compute-sanitizer --tool "$tool" \
        --error-exitcode 3 --print-limit 20
    fi
  done
}

# section NAME FILE [PROGRAM]: the benches of a section that have no result yet. Google Benchmark writes each result when it
# has it.
section() {
  local section=$1 file=$raw/$2.json program=$build/bin/${3:-bench_cuda} name
  [[ ${D16_GPU_FRESH:-} == 1 || ! -f $file.done ]] || { echo "$section: measured before" && return 0; }
  rm -f "$file.done"
  local filter="^$section/" status=0 i=0
  while [[ -e $raw/$2.$i.json ]]; do i=$((i + 1)); done
  if ((i)); then
    filter=$("$program" --benchmark_list_tests --benchmark_filter="$filter" |
      while read -r name; do grep -qF "\"run_name\": \"$name\"" "$raw/$2".*.json || escape <<<"$name"; done | paste -sd'|')
    filter="^($filter)\$"
  fi
  if [[ $filter != '^()$' ]]; then
    within "$budget" "$program" --benchmark_filter="$filter" --benchmark_out="$raw/$2.$i.json" \
      --benchmark_out_format=json >"$raw/$2.$i.log" 2>&1 || status=$?
    if grep -q 'wrong result' "$raw/$2.$i.log"; then
      grep 'wrong result' "$raw/$2.$i.log"
      failed+=("$section: wrong results")
    fi
    echo "$section: $(grep -c manual_time "$raw/$2.$i.log" || true) results, $(grep -c 'ERROR OCC' "$raw/$2.$i.log" || true) of them a reason why there is none"
  fi
  ((status)) || touch "$file.done"
  return "$status"
}
# Names as regular expressions.
escape() { sed 's/[][(){}.*+?^$|\\]/\\&/g'; }

part_bench() {
  if [[ ${D16_GPU_FRESH:-} == 1 ]]; then rm -f "$raw"/*.json "$raw"/*.done; fi
  nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.mem,clocks.max.sm,power.limit,temperature.gpu \
    --format=csv,noheader --id=0 >"$raw/before.csv" || true
  # Clocks while it works, once in two seconds.
  nvidia-smi --query-gpu=clocks.sm,clocks.mem,power.draw --format=csv,noheader,nounits --id=0 --loop=2 >>"$raw/clocks.csv" &
  local watcher=$!
  if [[ -x $build/bin/bench_cuda ]]; then
    expect "bench: ceilings" section ceilings 0-ceilings
    expect "bench: D16 convolution" section "D16 convolution" 1-d16
    expect "bench: convolutions" section convolutions 2-convolutions
    expect "bench: products" section products 3-products
    expect "bench: ladders" section ladder 4-ladder
    expect "bench: ops bound by memory" section memory 5-memory
    expect "bench: images" section vision 6-vision
  else skip "bench_cuda: it was not built"; fi
  if [[ -x $build/bin/bench_training ]]; then
    expect "bench: training steps" section "training step" 6-training bench_training
  else skip "bench_training: it was not built"; fi
  if [[ -x $build/bin/d16 ]]; then expect "bench: d16 run" catalogues
  else skip "d16 run: the tool was not built"; fi
  peers
  kill "$watcher" 2>/dev/null || true
  wait "$watcher" 2>/dev/null || true
}

# Images per second of `d16 run`, from FITS cutouts to catalogue and report, start of the program included: the median of
# three runs after a first one.
catalogues() {
  local count=512 input=$raw/run-input device times began
  [[ ${D16_GPU_FRESH:-} == 1 || ! -f $raw/8-run.0.json ]] || { echo "d16 run: measured before" && return 0; }
  [[ -d $input ]] || within 120 "$build/bin/d16" simulate --out "$input" --count "$count" --size 64 --seed 16 >/dev/null || return
  local rows=()
  for device in cuda cpu; do
    times=()
    for _ in 0 1 2 3; do
      rm -rf "$raw/run-output"
      began=$EPOCHREALTIME
      D16_WEIGHTS=weights within 180 "$build/bin/d16" run --input "$input" --out "$raw/run-output" --device "$device" \
        >"$raw/8-run.log" 2>&1 || return
      times+=("$((${EPOCHREALTIME/./} - ${began/./}))")
    done
    rows+=("$(printf '%s\n' "${times[@]:1}" | sort -n | awk -v device="$device" -v count="$count" 'NR == 2 {
      name = "d16 run/" count " FITS cutouts of 64 px, three bands, from files to catalogue/float32/d16, " device
      printf "    {\n      \"name\": \"%s\",\n      \"run_name\": \"%s\",\n      \"us\": %d,\n      \"images/s\": %.1f\n    }", \
        name, name, $1, 1e6 * count / $1 }')")
  done
  printf '{\n  "context": {\n  },\n  "benchmarks": [\n%s,\n%s\n  ]\n}\n' "${rows[@]}" >"$raw/8-run.0.json"
}

peers() {
  local python=${D16_PYTHON:-python3}
  if ! "$python" -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
    skip "PyTorch: $python has none that sees the GPU; D16_PYTHON names one that has"
    return
  fi
  expect "bench: PyTorch and escnn" within "$budget" "$python" bench/peers/peer_torch_gpu.py --out "$raw/5-peers.0.json"
  expect "bench: training steps of PyTorch and escnn" within "$budget" "$python" bench/peers/peer_torch_training.py \
    --out "$raw/7-peers.0.json"
  expect "bench: ops of PyTorch" within "$budget" "$python" bench/peers/peer_torch_ops.py --out "$raw/9-peers.0.json"
}

# The results of all files, complete ones only: {"context": {...}, "benchmarks": [...]}.
merged_json() {
  awk -v checked="$(date -u +%Y-%m-%d)" -v card="$card" -v driver="$(smi driver_version)" -v clocks="$(clocks_seen)" '
    function quoted(text) { gsub(/[\\"]/, "\\\\&", text); return "\"" text "\"" }
    FNR == 1 { state = ""; object = "" }
    /^  "context": \{/ { state = "context"; next }
    /^  "benchmarks": \[/ { state = "list"; next }
    state == "context" && /^  \}/ { state = ""; next }
    state == "context" && /^    "[^"]*": "/ {
      line = $0
      sub(/,$/, "", line)
      key = line
      sub(/":.*/, "\"", key)
      if (key !~ /"(date|host_name|executable|json_schema_version|library_version)"/ && !(key in known)) {
        known[key] = line
        order[++keys] = key
      }
      next
    }
    state == "list" && /^    \{/ { object = $0; next }
    state == "list" && object != "" {
      gsub(/: -?(nan|NaN|inf|Infinity)/, ": null")
      object = object "\n" $0
      if ($0 ~ /^    \}/) { sub(/,$/, "", object); objects[++count] = object; object = "" }
    }
    END {
      print "{\n  \"context\": {"
      printf "    \"date\": %s,\n    \"gpu\": %s,\n    \"driver version\": %s,\n    \"clocks seen\": %s", \
        quoted(checked), quoted(card), quoted(driver), quoted(clocks)
      for (i = 1; i <= keys; ++i) printf ",\n%s", known[order[i]]
      print "\n  },\n  \"benchmarks\": ["
      for (i = 1; i <= count; ++i) print objects[i] (i < count ? "," : "")
      print "  ]\n}"
    }' "$raw"/[0-9]-*.json
}
clocks_seen() {
  awk -F', ' '$1 + 0 > 0 { n += 1; sum += $1; memory = $2
                if (low == "" || $1 + 0 < low) low = $1 + 0
                if ($1 + 0 > high) high = $1 + 0 }
              END { if (n) printf "SM %d to %d MHz, mean %d; memory %d MHz", low, high, sum / n, memory
                    else printf "not seen" }' "$raw/clocks.csv" 2>/dev/null || echo "not seen"
}

# The table from the merged JSON. A bench is named section/case/numbers/program; the first program of a case that is not
# d16 is what the others are compared with.
markdown() {
  awk -v skipped_list="$(printf '%s\n' "${skipped[@]}")" '
    function value(line) { sub(/^[^:]*: /, "", line); sub(/,$/, "", line); gsub(/^"|"$/, "", line); return line }
    function number(x) {
      if (x == "" || x !~ /^[-+0-9.e]+$/) return "–"
      x += 0
      return sprintf(x >= 100 ? "%.0f" : x >= 10 ? "%.1f" : "%.2f", x)
    }
    function tera(x) { return x == "" ? "–" : number(x / 1000) }
    function share(x) { return x == "" ? "" : number(x) " %" }
    function finish(  part, n, setting) {
      n = split(name, part, "/")
      setting = part[1] "/" part[2] "/" part[3]
      if (!(part[1] in has)) sections[++section_count] = part[1]
      has[part[1]] = 1
      if (!(setting in rows)) settings[++setting_count] = setting
      rows[setting] = rows[setting] SUBSEP part[4]
      key = setting "/" part[4]
      for (f in field) at[key, f] = field[f]
    }
    /^  "context"/ { context = 1; print_context = 1; next }
    context && /^  \}/ { context = 0 }
    context { line = $0; key = line; sub(/^ *"/, "", key); sub(/".*/, "", key); fact[++facts] = key ": " value(line); next }
    /^    \{/ { split("", field); name = ""; next }
    /^    \}/ { if (name != "") finish(); next }
    /^      "/ {
      key = $0
      sub(/^ *"/, "", key)
      sub(/".*/, "", key)
      if (key == "run_name") { name = value($0); sub(/\/(min_time|iterations|manual_time).*/, "", name) }
      else field[key] = value($0)
    }
    END {
      print "# The CUDA kernels on a GPU\n\nMade by `scripts/gpu_check.sh`; [cuda-rooflines.md](../../docs/cuda-rooflines.md) says what binds each kernel.\n"
      for (i = 1; i <= facts; ++i) print "- " fact[i]
      print "\nTimes are medians over pairs of CUDA events with ten launches or more between them. *warm*: every launch has the same operands; *cold*: launches"
      print "take turns among copies, so that none is in the L2 cache; *graph*: the warm launches recorded as a CUDA graph. Rates are of the warm times, on the"
      print "operations of the algorithm itself; *dense*: on those of the dense convolution with the same result. Shares are of ceilings measured on this card in"
      print "the same run: a copy, and `mma.sync` or multiply-add on registers. *error*: the largest difference from float64 on samples, as a part of the largest value."
      for (s = 1; s <= section_count; ++s) {
        print "\n## " sections[s] "\n"
        if (sections[s] == "ceilings") {
          print "| what | numbers | rate |\n|---|---|---|"
          for (i = 1; i <= setting_count; ++i) {
            split(settings[i], part, "/")
            if (part[1] != "ceilings") continue
            key = settings[i] "/card"
            print "| " part[2] " | " part[3] " | " ((key, "GB/s") in at ? number(at[key, "GB/s"]) " GB/s" : number(at[key, "GFLOP/s"] / 1000) " TFLOP/s") " |"
          }
          continue
        }
        print "| case | numbers | program | warm, µs | cold, µs | graph, µs | images/s | GB/s | TFLOP/s | dense TFLOP/s | of bandwidth | of arithmetic | error | times as fast as |"
        print "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
        for (i = 1; i <= setting_count; ++i) {
          split(settings[i], part, "/")
          if (part[1] != sections[s]) continue
          n = split(rows[settings[i]], who, SUBSEP)
          against = ""
          for (j = 2; j <= n && against == ""; ++j)
            if (who[j] !~ /^(d16|[0-9])/ && at[settings[i] "/" who[j], "us"] > 0) against = who[j]
          for (j = 2; j <= n; ++j) {
            key = settings[i] "/" who[j]
            if (at[key, "error_occurred"] == "true") {
              print "| " part[2] " | " part[3] " | " who[j] " | " at[key, "error_message"] " | | | | | | | | | | |"
              continue
            }
            ratio = against != "" && who[j] != against && at[key, "us"] > 0 ? number(at[settings[i] "/" against, "us"] / at[key, "us"]) " " against : ""
            printf "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", part[2], part[3], who[j], \
              number(at[key, "us"]), number(at[key, "cold_us"]), number(at[key, "graph_us"]), number(at[key, "images/s"]), number(at[key, "GB/s"]), \
              tera(at[key, "GFLOP/s"]), tera(at[key, "dense_GFLOP/s"]), share(at[key, "%bandwidth"]), \
              share(at[key, "%arithmetic"]), (at[key, "error"] ~ /[0-9]/ ? sprintf("%.1e", at[key, "error"]) : "–"), ratio
          }
        }
      }
      if (skipped_list != "") { print "\n## Skipped\n"; gsub(/\n+$/, "", skipped_list); gsub(/\n/, "\n- ", skipped_list); print "- " skipped_list }
    }' "$1"
}

part_report() {
  compgen -G "$raw/[0-9]-*.json" >/dev/null || { skip "report: nothing was measured" && return; }
  local name
  name=$results/$(tr -cs 'A-Za-z0-9' '-' <<<"$card" | sed 's/-*$//' | tr '[:upper:]' '[:lower:]')
  merged_json >"$name.json"
  markdown "$name.json" >"$name.md"
  echo "results: $name.json, $name.md"
}

echo "$card, driver $(smi driver_version)"
for part in "${parts[@]}"; do
  heading "$part"
  part_ends=$((SECONDS + budget))
  "part_$part"
  if [[ $part == bench && " ${parts[*]} " != *" report "* ]]; then part_report; fi
done
heading "Summary after $SECONDS s"
if ((${#skipped[@]})); then printf 'skipped: %s\n' "${skipped[@]}"; fi
if ((${#failed[@]})); then printf 'FAILED: %s\n' "${failed[@]}"; fi
echo "${#failed[@]} failed, ${#skipped[@]} skipped"
((${#failed[@]} == 0))
