#!/usr/bin/env bash
# Tests of d16 study disk: a tiny study of simulated pictures that is killed and goes on, and what it refuses.
#   tests/study_disk_cli_test.sh [PROGRAM]      default: build/bin/d16
set -u
cd "$(dirname "$0")/.." || exit
d16=$(realpath -- "${1:-build/bin/d16}") || exit 1
[[ -x $d16 ]] || { echo "study_disk_cli_test.sh: $d16: no such program; build it first" >&2 && exit 1; }

# shellcheck source=tests/cli.bash
source "$PWD/tests/cli.bash"

works "simulate pictures" "$d16" simulate --out pictures --count 80 --format png --size 96 --seed 5
# shellcheck disable=SC2119,SC2120  # works and fails hand their arguments on
study() {
  "$d16" study disk --data pictures --labels pictures/truth.csv --out study --shared nothing --only cnn --seeds 1 \
    --epochs 2 --tune-epochs 1 --denoiser-epochs 1 --batch 8 "$@"
}
# field NAME: that member of each line of the results.
field() { grep -o "\"$1\":[^,}]*" study/results.jsonl; }

# --- killed in the middle -------------------------------------------------------------------------------------------------
in_background() { # ends in exec, so that the signal meets the program
  exec "$d16" study disk --data pictures --labels pictures/truth.csv --out study --shared nothing --only cnn --seeds 1 \
    --epochs 2 --tune-epochs 1 --denoiser-epochs 1 --batch 8
}
in_background >first 2>&1 &
pid=$!
for _ in $(seq 6000); do
  [[ -f study/results.jsonl && $(wc -l <study/results.jsonl) -ge 5 ]] && break
  kill -0 $pid 2>/dev/null || break
  sleep 0.2
done
fails "a second study in the same folder" 1 "another study" - study
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
cp study/results.jsonl before
check "killed: some units are there, not all" test "$(wc -l <before)" -ge 5 -a "$(wc -l <before)" -lt 15
works "the study goes on" study
check "finished lines are kept as they were" cmp before <(head -n "$(wc -l <before)" study/results.jsonl)
check "no unit twice" test -z "$(field unit | sort | uniq -d)"
check "all regimes" test "$(field regime | sort -u | tr -d '\n')" = '"regime":""'"$(printf '"regime":"%s"' a b d e)"
check "a denoiser is named in each line" test "$(field denoiser_sha256 | sort -u | wc -l)" = 1
check "three learning rates were tried" test "$(grep -c '"kind":"tune"' study/results.jsonl)" = 3
check "no training folder is left" test -z "$(find study/units -name 'cnn-*.training')"
check "report: the table has what was run, of how many seeds" grep -q '^| CNN of equal weights | .* | 5 | 0\.[0-9]* (1) | 0\.' study/report.md
check "report: nothing is claimed of one seed" grep -q 'CNN of equal weights, regime d against b: .*preliminary, 1 of 5 seeds: no claim' study/report.md
check "report: nothing is called worse or better" sh -c "! grep -q 'is \(worse\|better\) than b' study/report.md"
check "report: the grain of the noise was not planned" grep -q 'Not planned: a check that a review of an earlier run asked for' study/report.md
check "report: an open question in words" grep -q '^| half of the training pictures | CNN of equal weights | 0\.' study/report.md
check "report: against b trained longer" grep -q '^| CNN of equal weights | d, 3 times as many epochs | 0\..* | 1 of 3 |' study/report.md
check "report: what was not run says so" grep -q '^| D16, order 16 .* not run yet' study/report.md
check "report: the page says what is simulated" grep -q "SIMULATED" study/report.html

# --- again ------------------------------------------------------------------------------------------------------------------
cp study/results.jsonl before
works "nothing is done twice" study
check "no line more" cmp before study/results.jsonl
grep -v '"unit":"cnn-b-0"' before >study/results.jsonl
works "one unit without its line" study
seconds() { grep '"unit":"cnn-b-0"' "$1" | grep -o '"training_seconds":[^,]*'; }
check "it is tested again, not trained" cmp <(seconds before) <(seconds study/results.jsonl)
grep -v '"unit":"cnn-b-0"' before >study/results.jsonl
rm study/units/cnn-b-0.safetensors
works "one unit anew, other threads" study --threads 2
check "it is trained" test "$(seconds before)" != "$(seconds study/results.jsonl)"
scores() { grep '"unit":"cnn-b-0"' "$1" | grep -o '"scores":.*' | sed 's/,"unit_seconds.*//'; }
check "it says the same again" cmp <(scores before) <(scores study/results.jsonl)

# --- nothing is chosen on the test set ---------------------------------------------------------------------------------------
# The class of every test picture exchanged: the split is by crc32 of the id here, since these are no SDSS numbers.
crc32() { printf %s "$1" | gzip -c | tail -c 8 | head -c 4 | od -An -tu4; }
id_column=$(head -1 pictures/truth.csv | tr ',' '\n' | grep -n -m1 . | cut -d: -f1)
class_column=$(head -1 pictures/truth.csv | tr ',' '\n' | grep -n '^class$' | cut -d: -f1)
while read -r line; do
  id=$(cut -d, -f"$id_column" <<<"$line") kind=$(cut -d, -f"$class_column" <<<"$line")
  id=${id%.png}
  if (($(crc32 "$id") % 5 == 0)); then
    [[ $kind == disk ]] && line=${line/,disk/,elliptical} || line=${line/,elliptical/,disk}
  fi
  echo "$line"
done <pictures/truth.csv >exchanged.csv
check "some classes were exchanged, the header was not" test "$(diff pictures/truth.csv exchanged.csv | grep -c '^>')" -gt 5 -a \
  "$(head -1 pictures/truth.csv)" = "$(head -1 exchanged.csv)"
works "a study with other test labels" "$d16" study disk --data pictures --labels exchanged.csv --out exchanged \
  --shared nothing --only cnn/d --seeds 1 --epochs 2 --tune-epochs 1 --denoiser-epochs 1 --batch 8
rule() { grep '"unit":"cnn-d-0"' "$1" | grep -o '"\(temperature\|threshold\|validation_auc\|lr\)":[^,}]*'; }
check "rates, temperatures and thresholds are the same" cmp <(rule study/results.jsonl) <(rule exchanged/results.jsonl)
scores() { grep '"unit":"cnn-d-0"' "$1" | grep -o '"scores":.*' | sed 's/,"unit_seconds.*//'; }
check "scores are not" test "$(scores study/results.jsonl)" != "$(scores exchanged/results.jsonl)"

# --- an open question, and a classifier that is finished on other pictures ---------------------------------------------------------
for unit in speed-cnn exposure-cnn-b cnn-b-channels-3-0; do check "unit $unit" grep -q "\"unit\":\"$unit\"" study/results.jsonl; done
check "memory and images per second, in training too" grep -q '"unit":"speed-cnn".*"memory_mib":[0-9.]*.*"training":{"images_per_second":[0-9.]*,"memory_mib":[0-9.]*}' study/results.jsonl
check "five exposures" test "$(grep '"unit":"exposure-cnn-b"' study/results.jsonl | grep -o '"exposure":' | wc -l)" = 5
check "report: exposure and memory" grep -q '^| CNN of equal weights, training | [0-9]* ([0-9]* MiB)' study/report.md
check "report: sigma panels" grep -q 'residual / σ' study/report.html
check "report: how pictures were counted" grep -q '^[0-9,]* test pictures of [0-9,]* galaxies' study/report.md
check "report: the plan" grep -q '](disk-study-plan.md)' study/report.md
check "report: the hash of the denoiser" grep -q "$(sha256sum study/denoiser.safetensors | cut -c 1-64)" study/report.md
check "report: reliability by bins" grep -q '^| 0\.9 | not run yet' study/report.md
check "report: no redshifts" grep -q 'nothing is shown by z' study/report.md
works "report alone" "$d16" study disk --out study --shared nothing --report
works "report as JSON" "$d16" study disk --out study --shared nothing --report --json
check "JSON has the verdict" grep -q '"verdict"' stdout

# --- what it refuses ----------------------------------------------------------------------------------------------------------
fails "an unknown classifier" 1 "--only" none "$d16" study disk --data pictures --labels pictures/truth.csv --out none --only transformer
fails "no data to begin with" 1 "--data" - "$d16" study disk --out other --shared nothing
fails "pictures of another limit" 1 "--out" - study --limit 40
fails "a report of nothing" 1 "empty" - "$d16" study disk --out empty --data pictures --labels pictures/truth.csv --report
fails "a denoiser that is none" 1 "truth.csv" - "$d16" study disk --data pictures --labels pictures/truth.csv --out third \
  --denoiser pictures/truth.csv --denoiser-epochs 1 --shared nothing
echo '{"unit":' >>study/results.jsonl
fails "a damaged line of results" 1 "results.jsonl" - "$d16" study disk --out study --shared nothing --report

echo "study_disk_cli_test: $passed passed, $failed failed, $skipped skipped"
((failed == 0))
