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
