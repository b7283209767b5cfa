# What e2e/run and e2e/agents/run do before they check: install the clients, build the binary. To be sourced.
#
# FREE_LLM_PROXY_BIN=PATH takes that binary instead of building one.
set -euo pipefail

e2e="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
work="$e2e/.work"
mkdir -p "$work"

say() { printf '== %s\n' "$*"; }

# So that a count of closing lines finds one here too.
give_up() {
  printf '\n%s\n\n0 passed, 1 failed\n' "$*"
  exit 1
}

need() { command -v "$1" >/dev/null || give_up "e2e needs $1: $2"; }

need python3 "3.11 or newer"
need npm "with any node from 18 on; the node that runs the clients is installed here"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || give_up "e2e needs Python 3.11 or newer"

install_python() {
  # An environment breaks when its Python is upgraded or moved.
  "$work/$1/bin/python" -c '' 2>/dev/null || rm -f "$work/$1/installed"
  once "$1" "$2" pip_install "$work/$1" "$2"
}

pip_install() {
  python3 -m venv "$1" && "$1/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$2"
}

# Its folder $2 has a package.json, and a package-lock.json if versions are to be locked.
install_node() {
  local lock="$2/package-lock.json"
  [ -f "$lock" ] || lock="$2/package.json"
  once "$1" "$lock" npm_install "$work/$1" "$2"
}

npm_install() {
  local quiet=(--no-audit --no-fund --loglevel=error) how=(install --no-package-lock)
  [ ! -f "$2/package-lock.json" ] || how=(ci)
  mkdir -p "$1" && find "$2" -maxdepth 1 \( -name 'package*.json' -o -name .npmrc \) -exec cp {} "$1" \; &&
    cd "$1" && npm "${how[@]}" "${quiet[@]}" &&
    # Without its install script there is none.
    { [ ! -d node_modules/node ] || node_modules/.bin/node --version; }
}

# Runs "$3..." unless what file $2 says was installed in $1 already; "$work/$1.log" has what it printed.
once() {
  local what=$1 wanted=$2
  shift 2
  if ! cmp -s "$wanted" "$work/$what/installed"; then
    say "installing $what (${wanted#"$e2e/"})"
    rm -rf "${work:?}/$what"
    ("$@") >"$work/$what.log" 2>&1 || return 1
    cp "$wanted" "$work/$what/installed"
  fi
}

built=true
build() {
  [ -z "${FREE_LLM_PROXY_BIN:-}" ] || return 0
  say "building the release binary"
  local target
  if (cd "$e2e/.." && cargo build --release --locked --quiet); then
    target="$(cd "$e2e/.." && cargo metadata --locked --no-deps --format-version 1 |
      python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')"
    FREE_LLM_PROXY_BIN="$target/release/free-llm-proxy"
  else
    built=false
  fi
}

# Installs each of "python|node NAME FILE_OR_FOLDER" during the build: most of the time is spent waiting for a registry.
prepare() {
  local one pids=() names=()
  for one in "$@"; do
    local kind name source
    read -r kind name source <<<"$one"
    "install_$kind" "$name" "$source" & pids+=($!) names+=("$name")
  done
  # shellcheck disable=SC2064  # these processes
  trap "kill ${pids[*]} 2>/dev/null; exit 130" INT TERM
  build
  local at
  for at in "${!pids[@]}"; do
    wait "${pids[$at]}" || { cat "$work/${names[$at]}.log"; give_up "${names[$at]} could not be installed"; }
  done
  trap - INT TERM
  $built || give_up "the binary could not be built"
  [ -x "$FREE_LLM_PROXY_BIN" ] || give_up "there is no binary at $FREE_LLM_PROXY_BIN"
  export FREE_LLM_PROXY_BIN
}
