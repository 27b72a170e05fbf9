# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # the script that sources this sets dir
# Kernels that others have built: their image, configuration and modules, as a directory like one that
# a kernel was built in. To be sourced, after lib.sh.

# Modules of the kernel that guests need, unless the kernel has them built in: the ports to the host,
# and what tests use. The guest has no program that loads modules on demand
readonly MODULES="virtio_pci virtio_console dummy veth"

# number OFFSET SIZE FILE - prints a number of that many bytes in a file
number() {
	od --address-radix=n --skip-bytes="$1" --read-bytes="$2" --format="u$2" "$3" | tr -d ' '
}

# Unpacks the kernel of the image, since an emulated guest takes seconds to do so. The header of the
# image has the place and the size of the compressed kernel: Documentation/arch/x86/boot.rst. Guests
# boot the image if this fails
vmlinux() {
	local file=$dir/$image at size unpack
	[[ $arch == x86 ]] || return 0
	at=$((($(number 0x1f1 1 "$file") + 1) * 512 + $(number 0x248 4 "$file")))
	size=$(number 0x24c 4 "$file")
	case $(od --address-radix=n --skip-bytes=$at --read-bytes=4 --format=x1 "$file" | tr -d ' ') in
	fd377a58) unpack=(xz -dc --single-stream) ;;
	28b52ffd) unpack=(zstd -dcq) ;;
	1f8b*) unpack=(gzip -dc) ;;
	*) return ;;
	esac
	# The size of the kernel follows the compressed one, and no program accepts that.
	tail -c +$((at + 1)) "$file" | head -c $((size - 4)) | "${unpack[@]}" >"$dir/vmlinux.new" || true
	if [[ $(number 0 4 "$dir/vmlinux.new") == $((0x464c457f)) ]]; then
		mv "$dir/vmlinux.new" "$dir/vmlinux"
	else
		rm "$dir/vmlinux.new"
	fi
}

# module NAME FROM - lists a module of the kernel that the guest loads at boot, after those that it
# depends on. One that is built in has no file
module() {
	local name=$1 from=$2 file depends
	[[ ! -e $dir/guest/$name.ko ]] || return 0
	# A name in a dependency has _ for each - of the file.
	file=$(find "$from" -name "${name//_/[-_]}.ko*" -type f | head -n 1)
	[[ -n $file ]] || return 0
	case $file in
	*.xz) xz -dc "$file" >"$dir/guest/$name.ko" ;;
	*.zst) zstd -dcq "$file" >"$dir/guest/$name.ko" ;;
	*) cp "$file" "$dir/guest/$name.ko" ;;
	esac
	depends=$(tr '\0' '\n' <"$dir/guest/$name.ko" | sed -n 's/^depends=//p')
	for depends in ${depends//,/ }; do
		module "$depends" "$from"
	done
	# The names have the order.
	printf 'file /lib/kernel/%02d-%s.ko %s 644 0 0\n' "$(wc -l <"$dir/initramfs.list")" "$name" \
		"$dir/guest/$name.ko" >>"$dir/initramfs.list"
}

# take_image VMLINUZ CONFIG MODULES - fills $dir with what guests need of a kernel: its image, its
# configuration, and their drivers from the directory MODULES
take_image() {
	local name
	mkdir -p "$(dirname "$dir/$image")" "$dir/guest"
	cp "$1" "$dir/$image"
	cp "$2" "$dir/.config"
	vmlinux
	echo "dir /lib/kernel 755 0 0" >"$dir/initramfs.list"
	for name in $MODULES; do
		module "$name" "$3"
	done
}
