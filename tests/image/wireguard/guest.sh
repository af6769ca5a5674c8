# Sourced by run and failover: a guest with Debian's own kernel in QEMU (software emulation, no disk, no
# network). They set `guest`, the name of its files under build/image, call new_root, add to $root what
# the guest needs, and boot it. The kernel package is fetched once by apt-get and unpacked, not installed.

work=build/image
root=$work/$guest.root
log=$work/$guest.log

fail() { echo "tests/image/wireguard/${0##*/}: $*" >&2; exit 1; }

need_tools() {
  local tool
  for tool in "$@"; do
    command -v "$tool" > /dev/null || fail "$tool is missing; run scripts/setup --group image"
  done
}

# The kernel package that the metapackage stands for today.
fetch_kernel() {
  local package
  package=$(apt-cache depends linux-image-cloud-amd64 2> /dev/null |
    sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
  [[ -n $package ]] || fail "apt knows no linux-image-cloud-amd64; run apt-get update"
  release=${package#linux-image-}
  [[ -e $work/$release/boot/vmlinuz-$release ]] && return
  mkdir -p "$work/packages"
  (cd "$work/packages" && apt-get -q download "$package")
  rm -rf "$work/$release.new"
  dpkg-deb -x "$work/packages/$package"_*.deb "$work/$release.new"
  mv "$work/$release.new" "$work/$release"
}

# $root anew: busybox, init, and the tools that every guest has.
new_root() {
  local name
  need_tools qemu-system-x86_64 busybox cpio wg wireguard-go nft ip ping
  fetch_kernel
  rm -rf "$root"
  mkdir -p "$root"/{bin,sbin,proc,sys,dev,tmp,run,etc,lib/modules,var/run/wireguard,usr/bin,usr/sbin}
  cp tests/image/wireguard/init "$root/init"
  for name in $(busybox --list); do ln -sf /bin/busybox "$root/bin/$name"; done
  rm -f "$root/bin/busybox"  # it lists itself
  cp "$(command -v busybox)" "$root/bin/busybox"
  ln -sf /bin/busybox "$root/sbin/modprobe"  # where the kernel looks
  # busybox's own shell would take its own ip and ping.
  for name in dash ip wg nft tc ping wireguard-go; do add_program "$name"; done
  ln -sf /bin/dash "$root/bin/sh"
}

# A program, under the name it is called by, with the libraries that it names.
add_program() {
  local file
  file=$(readlink -f "$(command -v "$1")")
  rm -f "$root/bin/${1##*/}"
  cp "$file" "$root/bin/${1##*/}"
  add_libraries "$file"
}

add_libraries() {
  local library
  for library in $(ldd "$@" 2> /dev/null | grep -o '/[^ )]*[^ ):]' | sort -u); do
    [[ -e $root$library ]] && continue
    mkdir -p "$root${library%/*}"
    cp -L "$library" "$root$library"
  done
}

# pack MODULE...: $root with these modules becomes the initramfs.
pack() {
  local here=$PWD
  python3 tests/image/wireguard/modules.py "$work/$release/lib/modules/$release" \
    "$root/lib/modules/$release" "$@"
  (cd "$root" && busybox depmod -b "$here/$root" "$release")
  (cd "$root" && find . | cpio -o -H newc --quiet) > "$work/$guest.initramfs"
}

# boot MEGABYTES CPUS SECONDS WORDS: until the guest powers off; fails unless it says that it passed.
# With seconds "shell" it ends when the person at the terminal ends it.
boot() {
  local words="console=ttyS0 quiet panic=-1 mitigations=off audit=0 nokaslr $4" start=$SECONDS
  local machine=(-machine q35 -accel tcg -cpu max -m "$1" -smp "$2" -nodefaults -display none
    -no-reboot -kernel "$work/$release/boot/vmlinuz-$release" -initrd "$work/$guest.initramfs")
  if [[ $3 == shell ]]; then
    exec qemu-system-x86_64 "${machine[@]}" -serial mon:stdio -append "$words suite.shell"
  fi
  timeout "$3" qemu-system-x86_64 "${machine[@]}" -serial stdio -append "$words" < /dev/null |
    sed -u 's/\r$//' | tee "$log" | sed -u 's/^\(.\{200\}\).*/\1/' || fail "the guest did not end in $3 s"
  grep -qx 'image: passed' "$log" || fail "FAILED; what the guest said is in $log"
  echo "image: kernel $release, $((SECONDS - start)) s from power on to power off"
}
