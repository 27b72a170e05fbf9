# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154 # lib.sh sets and the scripts use the variables
# The kernel's source, as Debian packages it, in the cache. To be sourced, after lib.sh.

# The series of Linux that the module builds for, the newest last
readonly ALL_SERIES="7.2 7.3"
readonly SERIES=${ALL_SERIES##* }

# get_source SERIES VERSION-OR-'' - gets the newest source of the series, or that version, and
# prints its version. Returns 1 if Debian does not have it, or has it no more.
get_source() {
	local series=$1 version=$2 dir=$cache/src
	if [[ -n $version && -d $dir/linux-$version ]]; then
		echo "$version"
		return
	fi
	free_space 3000
	mkdir -p "$dir"
	say "fetching the source of Linux ${version:-$series}"
	version=$("$root/scripts/debian" get "linux-source-$series" "$version" "$dir/.package") ||
		return
	if [[ ! -d $dir/linux-$version ]]; then
		say "unpacking Linux $version"
		rm -rf "$dir/.unpack"
		mkdir "$dir/.unpack"
		tar -C "$dir/.unpack" -xf "$dir/.package/usr/src/linux-source-$series.tar.xz"
		mv "$dir/.unpack/linux-source-$series" "$dir/linux-$version"
	fi
	rm -rf "$dir/.package" "$dir/.unpack"
	echo "$version"
}
