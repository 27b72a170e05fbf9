# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # lib.sh sets what is used here
# The kernel's source, as Debian has it, in the cache. To be sourced, after lib.sh.

# get_source SERIES VERSION-OR-'' - the newest of the series, or that one; prints
# its version. 1 if Debian has none of the series, or not that version any more.
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
