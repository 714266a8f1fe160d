#!/usr/bin/env bash
# Tests of d16 train on a device: precision, accumulated gradients, recomputed blocks; the seven-band training captured and
# with its batches made ahead. On the emulator, so that no GPU is needed.
#   tests/train_cli_test.sh [PROGRAM]      default: build/bin/d16
# The part for seven bands needs ../shared/data.
set -u
cd "$(dirname "$0")/.." || exit
d16=$(realpath -- "${1:-build/bin/d16}") || exit 1
[[ -x $d16 ]] || { echo "train_cli_test.sh: $d16: no such program; build it first" >&2 && exit 1; }
shared=$(realpath -m ../shared/data)

# shellcheck source=tests/cli.bash
source "$PWD/tests/cli.bash"

emulated=(--device cuda_emulated)
losses() { sed 's/.*"loss"://; s/,.*//' "$1/log.jsonl"; }
# near FILE FILE SHARE: as many numbers, one on each line, equal up to that share of them, and not none.
near() {
  paste -d, "$1" "$2" | awk -F, -v share="$3" '
    { n += 1; d = $1 - $2; if (d < 0) d = -d; if ($1 == "" || $2 == "" || d > share * ($2 < 0 ? -$2 : $2)) bad = 1 }
    END { exit (bad || !n) }'
}

works "pictures" "$d16" simulate --out pictures --count 60 --size 24 --format png --seed 2
unlabelled=(--data pictures --size 16 --seed 3 --batch 8 --epochs 2 --widths "2,4")
few=("${unlabelled[@]}" --labels pictures/truth.csv)
disk() { works "train disk $1" "$d16" train disk "${few[@]}" --out "$1.safetensors" --group C4 "${@:2}"; }
denoise() { works "train denoise $1" "$d16" train denoise "${few[@]}" --out "$1.safetensors" --latent 2 "${@:2}"; }

disk plain "${emulated[@]}"
disk bfloat16 "${emulated[@]}" --precision bfloat16
disk tf32 "${emulated[@]}" --precision tf32
check "bfloat16: the losses follow float32" near <(losses bfloat16.training) <(losses plain.training) 0.05
check "bfloat16: they are others" test "$(losses bfloat16.training)" != "$(losses plain.training)"
check "tf32: the losses follow float32" near <(losses tf32.training) <(losses plain.training) 0.01
fails "bfloat16 on a cpu" 1 "--precision bfloat16" cpu.safetensors \
  "$d16" train disk "${few[@]}" --out cpu.safetensors --precision bfloat16
fails "no such precision" 2 "--precision" x.safetensors "$d16" train disk "${few[@]}" --out x.safetensors --precision half

disk two "${emulated[@]}" --accumulate 2
disk two-cpu --accumulate 2
check "accumulate: emulator and cpu agree" near <(losses two.training) <(losses two-cpu.training) 1e-3
check "accumulate: half as many steps learn otherwise" test "$(losses two.training)" != "$(losses plain.training)"

disk one
disk five --cross-validate
check "cross-validation: the first network is the one without it" test "$(losses five.training)" = "$(losses one.training)"
check "cross-validation: the others learn from other galaxies" \
  test "$(cat five.training/log.jsonl five.training/part-*/log.jsonl | sed 's/.*"loss"://; s/,.*//' | sort -u | wc -l)" = 10
# The rows of the card's table, and the galaxies of its test parts.
tested() { awk -F'|' '/^## Each field/ { on = 1 } on && $2 ~ /^ [0-4] $/ { n += $3; rows += 1 } END { print rows, n }' "$1"; }
check "cross-validation: each galaxy is tested once" test "$(tested five.md)" = "5 60"
check "cross-validation: its mean" grep -q '^| mean of five | 60 | 0\.[0-9]* ± ' five.md

# Disks of two kinds, from the same pictures.
awk -F, -v OFS=, '{ for (i = 1; i <= NF; ++i) if ($i == "disk") $i = n++ % 2 ? "spiral_clockwise" : "edge_on" } 1' \
  pictures/truth.csv >kinds.csv
works "train disk --kinds" "$d16" train disk "${unlabelled[@]}" --labels kinds.csv --out kinds.safetensors --group C4 --kinds
check "kinds: the weights name three classes" grep -q '"edge_on"' <("$d16" info kinds.safetensors --json)
works "kinds: evaluated as disk or not" \
  "$d16" evaluate --weights kinds.safetensors --data pictures --labels pictures/truth.csv --json
check "kinds: with the scores of the card" \
  test "$(grep -m1 '| AUC |' kinds.md | cut -c9-13)" = "$(grep -A1 '"AUC"' stdout | grep -o '0\.[0-9]*' | awk 'NR == 1 { printf "%.3f", $1 }')"
fails "kinds: of pictures that do not say which" 1 "each part needs all classes" none.safetensors \
  "$d16" train disk "${few[@]}" --out none.safetensors --kinds

denoise kept "${emulated[@]}"
denoise again "${emulated[@]}" --recompute
check "recompute: the same losses" test "$(losses again.training)" = "$(losses kept.training)"

if [[ -d $shared/nircam_filters_jades_seds ]]; then
  highz=(train highz --data "$shared" --runs 1 --epochs 2 --count 64 --validation 30 --test 30 --seed 4)
  for where in cpu cuda_emulated; do
    works "train highz, $where" "$d16" "${highz[@]}" --out "$where.safetensors" --device $where
  done
  check "highz: the captured losses are those of the cpu" near <(losses cuda_emulated.training/run-0) <(losses cpu.training/run-0) 1e-3
  works "train highz in bfloat16" "$d16" "${highz[@]}" --out bf16.safetensors "${emulated[@]}" --precision bfloat16 --accumulate 2
  check "highz: its card says so" grep -q "2 to a step, computed in bfloat16" bf16.md
  fails "another precision than that of the folder" 1 options.json - \
    "$d16" "${highz[@]}" --out bf16.safetensors "${emulated[@]}" --accumulate 2
  fails "trees have no precision" 1 "--precision and --accumulate are for networks" trees.json \
    "$d16" "${highz[@]}" --out trees.json --variant trees-flux --accumulate 2
else
  skip "train highz" "there is no ../shared/data"
fi

echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
