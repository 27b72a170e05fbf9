# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # lib.sh sets the other variables
# Finds and checks the compilers, and sets the environment that the kernel's build expects.
# To be sourced, after lib.sh.

# The requirements of the kernel (scripts/min-tool-version.sh) and of user space
readonly RUSTC_MIN=1.88.0 BINDGEN_MIN=0.71.1 CLANG_MIN=17.0.1
readonly BINDGEN_VERSION=0.73.2
# Many distributions have this version. The version of rustc is better: with it,
# CONFIG_RUST_INLINE_HELPERS can inline the kernel's C helpers into Rust.
readonly LLVM_VERSION=19

# first_version COMMAND... - prints the first 1.2.3 in the command's output
first_version() {
	"$@" 2>/dev/null | grep -oEm1 '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1
}

llvm_of_rustc() {
	rustc --version --verbose 2>/dev/null | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p'
}

# Prints the version of LLVM to use: the first that is installed, else the first that Debian has
llvm_to_get() {
	local has version
	for has in "command -v" "apt-cache show"; do
		for version in $(llvm_of_rustc) $LLVM_VERSION; do
			if $has "clang-$version" >/dev/null 2>&1; then
				echo "$version"
				return
			fi
		done
	done
	echo $LLVM_VERSION
}

# llvm SUFFIX - checks that clang and the other LLVM programs that the kernel's build uses
# exist under names with that suffix, and are recent enough. Sets LIBCLANG_PATH,
# clang_version
llvm() {
	local suffix=$1 tool
	clang_version=$(first_version "clang$suffix" --version) || return
	version_at_least "$clang_version" $CLANG_MIN || return
	for tool in ld.lld llvm-{ar,nm,objcopy,objdump,readelf,strip}; do
		command -v "$tool$suffix" >/dev/null || return
	done
	LIBCLANG_PATH=$(libclang "$suffix") && export LIBCLANG_PATH
}

# libclang SUFFIX - prints the directory of clang's libclang, for bindgen
libclang() {
	local dir
	for dir in "$("llvm-config$1" --libdir 2>/dev/null)" \
		"$(dirname "$("clang$1" -print-file-name=libclang.so)")"; do
		if [[ $dir == /* ]] && compgen -G "$dir/libclang[.-]*so*" >/dev/null; then
			echo "$dir"
			return
		fi
	done
	return 1
}

# toolchain_clang [VERSION] - finds LLVM under any name, that version preferred. Sets
# LLVM, LIBCLANG_PATH, clang_version
toolchain_clang() {
	local preferred suffix suffixes
	mapfile -t suffixes < <(compgen -c clang | sed -n 's/^clang\(-[0-9]*\)\?$/\1/p' | sort -uVr)
	for preferred in ${1:-} $(llvm_of_rustc) $LLVM_VERSION ""; do
		for suffix in "${suffixes[@]}"; do
			llvm "$suffix" || continue
			[[ $clang_version == "${preferred:+$preferred.}"* ]] || continue
			found=$clang_version
			export LLVM=${suffix:-1}
			return
		done
	done
	clang_version=$(first_version clang --version) || clang_version=none
	lacks "clang, lld, llvm and libclang $CLANG_MIN or later are needed; clang here: $clang_version;" \
		"make doctor prints how to get them"
}

# Prints a static busybox, since the guest has no libraries
toolchain_busybox() {
	local name file
	if [[ -n $foreign ]]; then
		foreign_busybox
		return
	fi
	for name in busybox busybox-static; do
		file=$(PATH=$PATH:/usr/sbin:/sbin command -v "$name") || continue
		if [[ $(ldd "$file" 2>&1) != *"=>"* ]]; then
			echo "$file"
			return
		fi
	done
	return 1
}

# Prints the busybox of another architecture, of Debian
foreign_busybox() {
	local dir=$cache/busybox$foreign
	if [[ ! -x $dir/usr/bin/busybox ]]; then
		(
			lock "busybox$foreign"
			[[ ! -x $dir/usr/bin/busybox ]] || exit 0
			say "getting busybox for $arch"
			"$root/scripts/debian" get "busybox-static:$debian_arch" '' "$dir" >/dev/null
		) || lacks "Debian has no busybox-static for $debian_arch"
	fi
	echo "$dir/usr/bin/busybox"
}

# Sets rustc_version
toolchain_rustc() {
	rustc_version=$(first_version rustc --version) ||
		lacks "rustc is missing; https://rustup.rs installs it"
	found=$rustc_version
	version_at_least "$rustc_version" $RUSTC_MIN ||
		lacks "rustc $RUSTC_MIN or later is needed, and here is $rustc_version;" \
			"rustup update stable"
}

# Sets RUST_LIB_SRC: the source of the core library, which must be of the same rustc
toolchain_library() {
	local sysroot candidate
	sysroot=$(rustc --print sysroot)
	for candidate in "${RUST_LIB_SRC:-}" \
		"$sysroot/lib/rustlib/src/rust/library" \
		"$cache/rust-src/$rustc_version/library"; do
		if [[ -n $candidate && -e $candidate/core/src/lib.rs ]]; then
			export RUST_LIB_SRC=$candidate found=$candidate
			return
		fi
	done
	return 1
}

# toolchain_component NAME COMMAND... - checks that COMMAND works, which needs that
# component of rustup. Installs a missing component if rustup provides it
toolchain_component() {
	local name=$1
	shift
	"$@" >/dev/null 2>&1 && return
	command -v rustup >/dev/null || return
	say "rustup component add $name"
	rustup component add "$name" >/dev/null 2>&1 && "$@" >/dev/null 2>&1
}

# toolchain_target TARGET - returns whether rustc has a standard library for the target. Installs a
# missing one if rustup provides it
toolchain_target() {
	local library
	library=$(rustc --print sysroot)/lib/rustlib/$1/lib
	[[ ! -d $library ]] || return 0
	command -v rustup >/dev/null || return
	say "rustup target add $1"
	rustup target add "$1" >/dev/null 2>&1 && [[ -d $library ]]
}

# toolchain_from_pypi PROGRAM PACKAGE VERSION - puts a program from PyPI first in PATH.
# Installs it if it is not in the cache. Returns 1 if that fails
toolchain_from_pypi() {
	local program=$1 package=$2 version=$3 dir=$cache/tools/$1-$3
	(
		lock "$program"
		[[ ! -x $dir/bin/$program ]] || exit 0
		say "getting $program $version from PyPI"
		rm -rf "$dir"
		python3 -m venv "$dir" && "$dir/bin/pip" install --quiet "$package==$version" && exit
		rm -rf "$dir"
		exit 1
	) && PATH=$dir/bin:$PATH
}

toolchain_get_library() {
	toolchain_component rust-src toolchain_library && toolchain_library && return
	say "getting the source of Rust's core library, $rustc_version"
	# Debian packages it for its own rustc, which may be the same version.
	local debian=$cache/rust-src/.$rustc_version.debian
	if "$root/scripts/debian" get rust-src "$rustc_version" "$debian"; then
		mkdir -p "$cache/rust-src/$rustc_version"
		mv "$debian/usr/src/rustc-$rustc_version/library" "$cache/rust-src/$rustc_version/"
		rm -rf "$debian"
		toolchain_library && return
	fi
	lacks "no source of the core library that matches rustc $rustc_version;" \
		"rustup component add rust-src"
}

# Puts a recent bindgen first in PATH. Sets bindgen_version
toolchain_bindgen() {
	PATH=$cache/tools/bindgen-$BINDGEN_VERSION/bin:$PATH
	bindgen_version=$(first_version bindgen --version) && found=$bindgen_version &&
		version_at_least "$bindgen_version" $BINDGEN_MIN
}

toolchain_get_bindgen() {
	toolchain_bindgen && return
	say "building bindgen $BINDGEN_VERSION (about a minute)"
	local dir=$cache/tools/bindgen-$BINDGEN_VERSION
	logged "$build/log/bindgen.log" \
		cargo install --locked --version $BINDGEN_VERSION --root "$dir.new" bindgen-cli ||
		lacks "no bindgen $BINDGEN_MIN or later, and it could not be built"
	rm -rf "$dir"
	mv "$dir.new" "$dir"
	toolchain_bindgen
}

# toolchain_of DIRECTORY - finds the compilers that the kernel there was built with. Sets kmake:
# make, with the variables that select them.
toolchain_of() {
	local dir=$1
	if [[ -e $dir/.root ]]; then
		kmake=("$root/scripts/in-root" "$(<"$dir/.root")" make ARCH="$arch" "${cross[@]}"
			CC="$(toolchain_cc_of "$dir/.config")"
			# Without vmlinux, BTF cannot be generated, and each build would warn.
			CONFIG_DEBUG_INFO_BTF_MODULES=)
		return
	fi
	# A kernel that gcc built has 0 here.
	toolchain "$(sed -n 's/^CONFIG_CLANG_VERSION=\([0-9]*\)[0-9]\{4\}$/\1/p' "$dir/.config")"
	kmake=(make ARCH="$arch")
	if grep -qx CONFIG_CC_IS_CLANG=y "$dir/.config"; then
		kmake+=(LLVM="$LLVM")
	else
		kmake+=("${cross[@]}")
	fi
}

# toolchain_cc_of CONFIG - prints the name of the C compiler that the kernel was built with
toolchain_cc_of() {
	sed -n 's/^CONFIG_CC_VERSION_TEXT="\([^ ]*\) .*/\1/p' "$1"
}

# toolchain [VERSION-OF-LLVM] - finds all compilers, and installs those that can be installed
toolchain() {
	toolchain_rustc
	(toolchain_clang "${1:-}") >/dev/null 2>&1 || "$root/scripts/deps" install kernel
	toolchain_clang "${1:-}"
	toolchain_library || (lock rust-src && toolchain_get_library)
	toolchain_library
	toolchain_bindgen || (lock bindgen && toolchain_get_bindgen)
	toolchain_bindgen
}

# Prints a line per compiler, for doctor, and installs nothing
toolchain_report() {
	local status=0
	report missing rustc toolchain_rustc "$RUSTC_MIN or later: rustup update stable" || status=3
	report later rust-src toolchain_library "make gets it, from rustup or Debian" || true
	report later bindgen toolchain_bindgen "make gets it: cargo install bindgen-cli" || true
	return "$status"
}

# report STATE-IF-MISSING NAME FIND REMEDY
report() {
	if (toolchain_rustc && "$3") >/dev/null 2>&1; then
		"$3"
		printf '%-8s %-21s %s\n' ok "$2" "${found:-}"
	else
		printf '%-8s %-21s %s\n' "$1" "$2" "$4"
		return 3
	fi
}
