#!/usr/bin/env bash
# Plants bugs in the CUDA kernels and sees each of them found on the emulator: by wrong values or an error in some order
# of threads, by copies that land early, by the address sanitizer, or by the thread sanitizer as a checker of races.
# All bugs of mutants/bugs.txt are in the same programs, each behind a switch, so there is little to compile.
#   mutations.sh          stops at the first column that finds a bug
#   mutations.sh --all    fills in the whole table
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/cuda/mutants/build.bash
all=${1:-} temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

# bugs: for each of them PROGRAM CASE FILE: WHAT, what stands there, and what is planted, a line each.
bugs() { sed '/^#/d; /^$/d' tests/cuda/mutants/bugs.txt; }

# plant DIRECTORY: bug number N is on where D16_BUG=N.
plant() {
  local -A text=()
  local header old new file number=0
  while IFS= read -r header && IFS= read -r old && IFS= read -r new; do
    file=${header#* * } file=${file%%: *}
    [[ -v text[$file] ]] || text[$file]=$(<"$1/$file")
    old=${old#- } old=${old//\\n/$'\n'} new=${new#+ } new=${new//\\n/$'\n'}
    [[ ${text[$file]} == *"$old"* ]] || { echo "FAILED: $header: the file has nothing like '$old'" >&2 && return 1; }
    new=${new//BUG/bug($((++number)))}
    text[$file]=${text[$file]/"$old"/"$new"}
  done < <(bugs)
  for file in "${!text[@]}"; do printf '%s\n' "${text[$file]}" >"$1/$file"; done
}

# verdict PROGRAM CASE [VARIABLE=VALUE...]: how it ends; - when it finds nothing.
verdict() {
  local status=0 output cases=()
  [[ $2 == all ]] || cases=("$2")
  output=$(run_program "$1" "${@:3}" -- "${cases[@]}") || status=$?
  case $output in
    *"ThreadSanitizer: data race"*) echo race ;;
    *"ERROR: AddressSanitizer"* | *"runtime error"*) echo asan ;;
    *FAULT*) echo fault ;;
    *WRONG*) echo wrong ;;
    *) case $status in 0) echo - ;; 124) echo hang ;; *) echo crash ;; esac ;;
  esac
}

# columns PROGRAM CASE NUMBER: the six verdicts.
columns() {
  local row=() column
  for column in plain:forward:late plain:reverse:late plain:random:5:late plain:forward:early \
    address,undefined:forward:late thread:forward:late; do
    if [[ $all != --all && $3 != 0 && -n $(tr -d ' -' <<<"${row[*]}") ]]; then
      row+=(.)
    else
      local kind=${column%%:*} order=${column#*:}
      row+=("$(verdict "$temp/$1.$kind" "$2" D16_BUG="$3" D16_EMULATOR_ORDER="${order%:*}" \
        D16_EMULATOR_ASYNC="${order##*:}")")
    fi
  done
  printf '%8s' "${row[@]}"
}

# one NUMBER PROGRAM CASE FILE WHAT
one() {
  local row
  row=$(columns "$2" "$3" "$1")
  printf '%4d  %-22s %-62s%s\n' "$1" "$4" "$5" "$row"
  if (($1 == 0)); then
    [[ -z $(tr -d ' -' <<<"$row") ]] || { echo "FAILED: $2 without a bug" >&2 && return 1; }
  else
    [[ -n $(tr -d ' .-' <<<"$row") ]] || { echo "FAILED: nobody found bug $1" >&2 && return 1; }
  fi
}

# in_parallel FUNCTION COUNT: for each COUNT words of stdin, ended by zeros; on all cores.
in_parallel() { xargs -0 -n "$2" -P "$(nproc)" bash -c 'set -euo pipefail; "$@"' bash "$1"; }

export all temp
export -f compile run_program verdict columns one

copy_sources "$temp"
plant "$temp"
for program in "${programs[@]}"; do
  for kind in address,undefined thread plain; do
    printf '%s\0' "$temp" $program $kind -include "$temp/tests/cuda/mutants/bug.hpp"
  done
done | in_parallel compile 5
echo "compiled after $SECONDS s"

printf '%4s  %-22s %-62s%8s%8s%8s%8s%8s%8s\n' "" file bug forward reverse random early asan tsan
{
  for program in "${programs[@]}"; do printf '%s\0' 0 "$program" all "" "none in $program"; done
  number=0
  while IFS= read -r header && read -r && read -r; do
    read -r program case rest <<<"$header"
    "$temp/$program.plain" --list | grep -qx "$case" || { echo "FAILED: $program has no case $case" >&2 && exit 1; }
    file=${rest%%: *}
    printf '%s\0' $((++number)) "$program" "$case" "${file##*/}" "${rest#*: }"
  done < <(bugs)
} | in_parallel one 5 | sort -n
echo "all $(($(bugs | wc -l) / 3)) bugs found, after $SECONDS s"
