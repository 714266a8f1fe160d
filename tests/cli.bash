# Sourced by the tests of the command-line tool: a folder to work in, counters, and what a command must do.
# shellcheck shell=bash
work=$(mktemp -d)
mounted=
clean_up() {
  [[ -n $mounted ]] && umount "$mounted"
  rm -rf "$work"
}
trap clean_up EXIT
cd "$work" || exit

passed=0 failed=0 skipped=0
ok() { echo "ok $1" && passed=$((passed + 1)); }
bad() { echo "FAIL $1: $2" && failed=$((failed + 1)); }
skip() { echo "skipped $1: $2" && skipped=$((skipped + 1)); }

# check NAME COMMAND...: the command must succeed. It finds what the program said last in the file stdout.
check() {
  local name=$1
  shift
  if "$@" >checked 2>&1; then ok "$name"; else bad "$name" "exit code $? of $*: $(tail -c 300 checked)"; fi
}

# works NAME COMMAND...: exit code 0 and nothing on stderr.
works() {
  local name=$1 code=0
  shift
  "$@" >stdout 2>stderr || code=$?
  if ((code != 0)); then bad "$name" "exit code $code: $(tail -c 300 stderr)"
  elif [[ -s stderr ]]; then bad "$name" "stderr: $(head -c 300 stderr)"
  else ok "$name"; fi
}

# fails NAME CODE TEXT OUT COMMAND...: that exit code, one line on stderr with TEXT in it, and no file or folder OUT.
fails() {
  local name=$1 expected=$2 words=$3 out=$4 code=0 line
  shift 4
  "$@" >stdout 2>stderr || code=$?
  line=$(cat stderr)
  if ((code != expected)); then bad "$name" "exit code $code, not $expected: $line"
  elif [[ $(wc -l <stderr) != 1 || $line != "d16: error: "* ]]; then bad "$name" "not one line of error: $line"
  elif [[ $line != *"$words"* ]]; then bad "$name" "does not name $words: $line"
  elif [[ $out != - && -e $out ]]; then bad "$name" "left $out behind"
  elif compgen -G "*/.d16-unfinished-*" >/dev/null; then bad "$name" "left an unfinished folder behind"
  else ok "$name"; fi
}

# caught_in_the_act SIGNAL OUT COMMAND...: sends the signal to the command as soon as it has begun with OUT; its exit code
# is in code. Fails when it was over before.
caught_in_the_act() {
  local signal=$1 out=$2 pid
  shift 2
  ("$@") >stdout 2>stderr &
  pid=$!
  for _ in $(seq 100); do [[ -d $out ]] && break || sleep 0.05; done
  sleep 0.2
  kill -0 $pid 2>/dev/null || return 1
  kill "-$signal" $pid
  code=0
  wait $pid 2>/dev/null || code=$?
}

# interruption SLOW QUICK [FILES]: two functions that write FILES (catalog.csv, catalog.fits, report.html) to the folder $1. Ctrl-C in
# the first leaves nothing behind, kill -9 nothing half-written, and the second cleans up after that. SLOW ends in exec, so
# that the signal meets the program.
interruption() {
  local slow=$1 quick=$2 results=${3:-catalog.csv catalog.fits report.html } code=0
  if ! caught_in_the_act INT stopped "$slow" stopped; then
    bad "Ctrl-C leaves nothing behind" "the run ended before it could be interrupted"
  elif [[ $code == 130 && $(wc -l <stderr) == 1 && ! -e stopped ]]; then ok "Ctrl-C leaves nothing behind"
  else bad "Ctrl-C leaves nothing behind" "exit code $code, $(cat stderr), $(ls -A stopped 2>&1)"; fi
  if ! caught_in_the_act KILL killed "$slow" killed; then
    bad "kill -9 leaves nothing half-written" "the run ended before it could be killed"
    return
  elif [[ $code == 137 && -d killed && -z $(ls killed) ]]; then ok "kill -9 leaves nothing half-written"
  else bad "kill -9 leaves nothing half-written" "exit code $code, $(ls -A killed 2>&1)"; fi
  works "the next run cleans up" "$quick" killed
  check "only results are left" test "$(ls -A killed | tr '\n' ' ')" = "$results"
}
