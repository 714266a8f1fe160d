#!/usr/bin/env bash
# Installs what is missing of scripts/packages.txt: install.sh [demo|test|bench|all]. Quick when all is there.
# Without the rights to install it prints the command to run, and exits with status 1.
set -euo pipefail
cd "$(dirname "$0")/.."

wanted=${1:-all}
case $wanted in demo | test | bench | all) ;; *) echo "usage: scripts/install.sh [demo|test|bench|all]" >&2 && exit 2 ;; esac

# The packages under the headings up to and including the wanted one.
packages=$(awk -v wanted="$wanted" '
  /^# -- / { if (last) exit; last = ($3 == wanted ":") }
  /^[^#]/ { print $1 }' scripts/packages.txt)

missing=()
for package in $packages; do
  status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  [[ $status == "install ok installed" ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0

install=(apt-get install -y -qq --no-install-recommends "${missing[@]}")
if ! command -v apt-get >/dev/null; then
  echo "These packages (by their Debian names) are missing: ${missing[*]}" >&2
  exit 1
elif ((EUID == 0)); then
  as_root=(env DEBIAN_FRONTEND=noninteractive)
elif sudo -n true 2>/dev/null; then
  as_root=(sudo -n env DEBIAN_FRONTEND=noninteractive)
else
  echo "Packages are missing, and this account may not install them. Run" >&2
  echo "  sudo apt-get update && sudo ${install[*]}" >&2
  exit 1
fi
echo "installing: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" "${install[@]}" >/dev/null
