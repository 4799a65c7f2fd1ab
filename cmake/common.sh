# Functions of ./planexe and ./dev (POSIX shell, sourced). The caller sets $root, the folder of the project.
# Messages go to standard error: standard output belongs to the program that is started at the end.

say() { printf '%s\n' "$*" >&2; }

# 3 is the exit status for "cannot start because of the set-up", as in the program itself.
die() {
  say "$*"
  exit 3
}

# packages_missing FILE... prints the packages of the lists that are not installed.
packages_missing() {
  wanted=$(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$@")
  # shellcheck disable=SC2086
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null | sed -n 's/^installed //p')
  for package in $wanted; do
    printf '%s\n' "$installed" | grep -q -x -F "$package" || printf '%s\n' "$package"
  done
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    sudo -- "$@"
  fi
}

# install_packages FILE... installs what the lists name and the machine lacks.
install_packages() {
  if ! command -v dpkg-query >/dev/null 2>&1; then
    say "This is no Debian system: the packages of cmake/packages*.txt must be installed by hand."
    return 0
  fi
  missing=$(packages_missing "$@" | tr '\n' ' ')
  [ -n "${missing% }" ] || return 0
  if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null 2>&1; then
    die "Packages are missing and this user may not install them. As root, run:
  apt-get update && apt-get install --no-install-recommends $missing"
  fi
  mkdir -p "$root/build"
  log=$root/build/install.log
  # shellcheck disable=SC2086
  set -- $missing
  say "Installing $# packages…"
  as_root apt-get update -q >"$log" 2>&1 || install_failed "apt-get update"
  # Nothing of the user's is removed to make room; a conflict is shown instead.
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends --no-remove "$@" \
    >>"$log" 2>&1 || install_failed "apt-get install"
}

install_failed() {
  tail -n 15 "$log" >&2
  die "The packages could not be installed ($1; all of its output is in $log).
Needed are Debian 12 (bookworm) and its package archive: the build uses clang-19 and Boost 1.81."
}

# configure PRESET makes build/PRESET when it is not there yet.
configure() {
  [ -f "$root/build/$1/build.ninja" ] && return 0
  mkdir -p "$root/build"
  log=$root/build/configure-$1.log
  (cd "$root" && cmake --preset "$1") >"$log" 2>&1 && return 0
  grep -v '^--' "$log" | tail -n 20 >&2
  die "The build could not be configured (all of the output is in $log)."
}

# show_progress shortens ninja's output to a line that is overwritten, or to nothing when nobody watches.
show_progress() {
  if [ -t 2 ]; then
    sed -u -n 's/^\[\([0-9]*\)\/\([0-9]*\)\].*/\1 of \2 steps/p' | while IFS= read -r step; do
      printf '\r\033[KBuilding: %s' "$step" >&2
    done
    printf '\r\033[K' >&2
  else
    cat >/dev/null
  fi
}

# build PRESET TARGET... builds quietly; on failure shows the errors and ends.
build() {
  preset=$1
  shift
  log=$root/build/build-$preset.log
  status=$root/build/build-$preset.status
  rm -f "$status"
  { ninja -C "$root/build/$preset" -j "${PLANEXE_BUILD_JOBS:-$(nproc)}" "$@" 2>&1 && : >"$status"; } |
    tee "$log" | show_progress
  [ -f "$status" ] && return 0
  if grep -q '^FAILED:' "$log"; then
    # What failed and the compiler's words, without the long command between them.
    sed -n '/^FAILED:/,$p' "$log" | grep -v '^env \|^: && \|^/usr/bin/env ' | cut -c1-400 | head -n 60 >&2
  else
    tail -n 20 "$log" >&2
  fi
  die "The build failed (all of its output is in $log)."
}
