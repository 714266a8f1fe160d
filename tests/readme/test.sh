#!/usr/bin/env bash
# README.md keeps its word: every file and option that it names exists, and its training program compiles, runs and learns.
set -euo pipefail
cd "$(dirname "$0")/../.."
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

echo "-- files that README.md and docs/ name"
missing=0
while read -r path; do
  [[ -e $path ]] || { echo "not there: $path" && missing=1; }
done < <(grep -ohE '\b(scripts|tools|examples|bench|docs|weights|tests|kernels|include|src|cmake)/[A-Za-z0-9_./-]*[A-Za-z0-9_]' \
  README.md docs/*.md | sort -u)
while read -r path; do  # links to pictures and pages, from the folder of the page
  [[ -e $path ]] || { echo "not there: $path" && missing=1; }
done < <(grep -oE '\]\([^)#:]+\)' README.md | sed 's/^](//; s/)$//' | sort -u)
((missing == 0))

echo "-- commands that README.md names"
while read -r command; do
  build/bin/d16 "$command" --help >/dev/null || { echo "unknown: d16 $command" && exit 1; }
done < <(grep -ohE '(^|[ /`])d16 [a-z]+' README.md | awk '{ print $NF }' | grep -xE 'info|simulate|train|evaluate|denoise|classify|run' | sort -u)

echo "-- the training program"
awk '/^```cpp/ { inside = 1; code = ""; next } /^```/ { if (inside && code ~ /int main/) { printf "%s", code; exit } inside = 0 }
  inside { code = code $0 "\n" }' README.md >"$temp/train.cpp"
[[ -s $temp/train.cpp ]] || { echo "README.md has no cpp block with a main function" && exit 1; }
echo "$(wc -l <"$temp/train.cpp") lines"
compile=(g++ -std=c++20 -O2 -Wall -Wextra -Wpedantic -Werror -I include)
"${compile[@]}" tests/readme/pictures.cpp -o "$temp/pictures" -ljpeg -pthread &
"${compile[@]}" "$temp/train.cpp" -o "$temp/train" -ljpeg -pthread
wait $!
mkdir "$temp/galaxies"
"$temp/pictures" "$temp/galaxies" 40
(cd "$temp" && time ./train | tee output)
accuracy=$(grep -oE 'accuracy [0-9.]+' "$temp/output" | awk '{ print $2 }')
awk -v a="$accuracy" 'BEGIN { exit !(a >= 0.75) }' || { echo "it did not learn: accuracy $accuracy of two easy classes" && exit 1; }
