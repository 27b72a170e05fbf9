# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034 # the scripts that source this use the variables
# Messages, exit statuses, directories and the architecture of all scripts. To be sourced.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build
cache=${NSPROXY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nsproxy_rs}

bold='' red='' plain=''
if [[ -t 2 && -z ${NO_COLOR:-} ]]; then
	bold=$'\e[1m' red=$'\e[31m' plain=$'\e[0m'
fi

# say WORDS... - reports an action to the user
say() {
	printf '%s\n' "$bold==>$plain $*" >&2
}

# Errors that end the script, each with its exit status:
# failed - a build or a test; usage - a wrong command; lacks - a requirement of the host
failed() { die 1 "$@"; }
usage() { die 2 "$@"; }
lacks() { die 3 "$@"; }

die() {
	local status=$1
	shift
	printf '%s\n' "${red}nsproxy_rs:$plain $*" >&2
	exit "$status"
}

# set_arch NAME - sets what depends on the architecture of guests:
#   arch         its name in the kernel's makefiles (x86_64 selects another tinyconfig)
#   machine      its name for compilers, as `uname -m` prints it
#   debian_arch  its name in Debian's packages
#   image        the path of the image that QEMU boots, in the build directory of a kernel
set_arch() {
	case $1 in
	x86 | x86_64 | amd64) arch=x86 machine=x86_64 debian_arch=amd64 image=arch/x86/boot/bzImage ;;
	arm64 | aarch64) arch=arm64 machine=aarch64 debian_arch=arm64 image=arch/arm64/boot/Image ;;
	*) return 1 ;;
	esac
}
host_machine=$(uname -m)
set_arch "${ARCH:-$host_machine}" || usage "ARCH=${ARCH:-$host_machine}: neither x86 nor arm64"
# Of another architecture than this host: the end of the names of its files, otherwise empty. cross are
# the options of make for compilers of gcc
foreign='' cross=()
if [[ $machine != "$host_machine" ]]; then
	foreign=-$arch
	cross=("CROSS_COMPILE=$machine-linux-gnu-")
fi
# The vDSO of 32-bit programs, on every host
[[ $arch != arm64 ]] || cross+=(CROSS_COMPILE_COMPAT=arm-linux-gnueabihf-)

# git, also on a tree of another user, which git refuses by default. Containers have such trees
git_() {
	git -c safe.directory='*' -C "$root" "$@"
}

# version_at_least HAVE WANTED
version_at_least() {
	[[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]
}

# lock NAME - acquires a lock between makes, held until this script exits
lock() {
	mkdir -p "$cache/lock"
	exec 9>"$cache/lock/$1"
	if ! flock --nonblock 9; then
		say "waiting for another make, which holds the lock $1"
		flock 9
	fi
}

# free_mib DIRECTORY - prints the free space there, in MiB
free_mib() {
	df --output=avail -BM "$1" | tail -n 1 | tr -dc 0-9
}

# free_space MIB - fails unless the cache has that much room
free_space() {
	mkdir -p "$cache"
	local free
	free=$(free_mib "$cache")
	if ((free < $1)); then
		lacks "$1 MiB are needed in $cache, and $free are free;" \
			"NSPROXY_CACHE=/some/where/else moves it"
	fi
}

# flavours - prints the kernel flavours: the fragments that name a kernel of their own
flavours() {
	local file
	for file in "$root"/qemu/config/*.config; do
		! grep -q '^CONFIG_LOCALVERSION=' "$file" || basename "$file" .config
	done
}

# takes_module DIRECTORY - returns whether the module can be built for the kernel there
takes_module() {
	grep -qx CONFIG_RUST=y "$1/.config" && [[ -e $1/Module.symvers ]]
}

# heartbeat LOG - reports every 15 s how long the caller's command takes, with the last line of its
# log, until it is killed. sleep gets no file of the script, since it outlives this function
heartbeat() {
	local begun=$SECONDS
	while sleep 15 >/dev/null 2>&1 9>&- && kill -0 $$ 2>/dev/null; do
		printf '    %d:%02d  %s\n' $(((SECONDS - begun) / 60)) $(((SECONDS - begun) % 60)) \
			"$(tail -n 1 "$1" 2>/dev/null | tr -d '\r' | sed 's/^ *//' | cut -c1-70)" >&2
	done
}

# logged LOG COMMAND... - runs a command with its output in a file, which a failure names
logged() {
	local log=$1 status=0 beat
	shift
	mkdir -p "$(dirname "$log")"
	heartbeat "$log" >/dev/null &
	beat=$!
	"$@" >"$log" 2>&1 || status=$?
	{ kill "$beat" && wait "$beat"; } 2>/dev/null || true
	((status)) || return 0
	tail -n 15 "$log" >&2
	printf '%s\n' "${red}nsproxy_rs:$plain $1 failed; its output is in $log" >&2
	return 1
}
