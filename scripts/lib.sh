# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034 # what is set here is used elsewhere
# What every script here says, in the same way, and where it keeps things.
# To be sourced.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build
cache=${NSPROXY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nsproxy_rs}

bold='' red='' plain=''
if [[ -t 2 && -z ${NO_COLOR:-} ]]; then
	bold=$'\e[1m' red=$'\e[31m' plain=$'\e[0m'
fi

# say WORDS... - what is being done, for a person
say() {
	printf '%s\n' "$bold==>$plain $*" >&2
}

# What is wrong and what to do about it, each with its exit status:
# failed - a build or a test; usage - the command; lacks - something of the host
failed() { die 1 "$@"; }
usage() { die 2 "$@"; }
lacks() { die 3 "$@"; }

die() {
	local status=$1
	shift
	printf '%s\n' "${red}nsproxy_rs:$plain $*" >&2
	exit "$status"
}

# git, which refuses a tree of another user by default; common in containers
git_() {
	git -c safe.directory='*' -C "$root" "$@"
}

# version_at_least HAVE WANTED
version_at_least() {
	[[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]
}

# lock NAME - wait until no other make does the same, for the rest of this script
lock() {
	mkdir -p "$cache/lock"
	exec 9>"$cache/lock/$1"
	if ! flock --nonblock 9; then
		say "another make is at the $1; waiting for it"
		flock 9
	fi
}

# free_space MIB - or say that the cache has not that much room
free_space() {
	mkdir -p "$cache"
	local free
	free=$(df --output=avail -BM "$cache" | tail -n 1 | tr -dc 0-9)
	if ((free < $1)); then
		lacks "$1 MiB are needed in $cache, and $free are free;" \
			"NSPROXY_CACHE=/some/where/else moves it"
	fi
}

# logged LOG COMMAND... - run with all output in a file, which is named when it fails
logged() {
	local log=$1
	shift
	mkdir -p "$(dirname "$log")"
	"$@" >"$log" 2>&1 && return
	tail -n 15 "$log" >&2
	printf '%s\n' "${red}nsproxy_rs:$plain $1 failed; all that it said is in $log" >&2
	return 1
}
