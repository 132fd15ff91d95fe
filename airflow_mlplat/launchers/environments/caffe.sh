#!/usr/bin/env bash
# Make an environment with Caffe 1.0, which lives on in Debian 11 alone: its packages, unpacked into a folder, and a
# bin/python that runs their Python 3.9 by their own loader. Needs apt and dpkg, but neither root nor a container.
# Usage: caffe.sh DIRECTORY REQUIREMENTS; exits 3 if the packages cannot be fetched here.
set -euo pipefail
directory=$(realpath -m "$1")
requirements=$(realpath "$2")

say() { echo "caffe: $*" >&2; }

cannot() {
  say "Caffe's packages cannot be fetched here: $*"
  rm -rf "$directory"
  exit 3
}

# A release that is no longer supported moves to the archive.
mirrors=(http://deb.debian.org/debian http://archive.debian.org/debian)
packages=(python3-caffe libopenblas0-pthread python3-distutils) # OpenBLAS: libblas3 takes several times as long; distutils: for uv
keys=/usr/share/keyrings/debian-archive-keyring.gpg

fetch() {
  local apt=$directory/apt mirror options
  mkdir -p "$apt"/{etc/preferences.d,lists/partial,archives/partial}
  : >"$apt/status" # as if nothing was installed: all that Caffe needs is fetched
  # APT::Sandbox::User: fetch as who we are, since apt's own user may not see this folder.
  options=(
    -qq -o "Dir::Etc=$apt/etc" -o "Dir::Etc::SourceParts=-" -o "Dir::State=$apt" -o "Dir::State::Lists=$apt/lists"
    -o "Dir::State::Status=$apt/status" -o "Dir::Cache=$apt" -o "Dir::Cache::Archives=$apt/archives"
    -o "APT::Keep-Downloaded-Packages=true" -o "APT::Sandbox::User=$(id -un)" -o "Acquire::Languages=none"
    -o "Acquire::Check-Valid-Until=false" -o "Acquire::Retries=3"
  )
  for mirror in "${mirrors[@]}"; do
    echo "deb [signed-by=$keys] $mirror bullseye main" >"$apt/etc/sources.list"
    apt-get "${options[@]}" update && apt-get "${options[@]}" install -y --no-install-recommends --download-only "${packages[@]}" && return
  done >"$apt/log" 2>&1
  tail -n 3 "$apt/log" >&2
  return 1
}

# The wrapper finds the tree beside itself, wherever that is moved; Python would call the loader's program itself.
write_python() {
  local python=$directory/bin/python triple
  triple=$(basename "$(dirname "$(ls "$directory"/root/lib/*/ld-2.31.so)")")
  mkdir -p "$directory/bin"
  cat >"$python" <<EOF
#!/bin/sh
root=\$(dirname "\$(dirname "\$(readlink -f "\$0")")")/root
export PYTHONHOME="\$root/usr" MLPLAT_CAFFE_PYTHON="\$(dirname "\$root")/bin/python" GLOG_minloglevel="\${GLOG_minloglevel:-2}"
libraries=\$root/lib/$triple:\$root/usr/lib/$triple:\$root/usr/lib:\$root/usr/lib/$triple/openblas-pthread:\$root/usr/lib/$triple/blas:\$root/usr/lib/$triple/lapack
exec "\$root/lib/$triple/ld-2.31.so" --library-path "\$libraries" "\$root/usr/bin/python3.9" "\$@"
EOF
  chmod +x "$python"
  echo "import os, sys; sys.executable = os.environ.pop('MLPLAT_CAFFE_PYTHON', sys.executable); os.environ.pop('PYTHONHOME', 0)" \
    >"$directory/root/usr/lib/python3/dist-packages/executable.pth"
}

rm -rf "$directory"
for command in apt-get dpkg-deb; do
  command -v "$command" >/dev/null || cannot "there is no $command"
done
[[ -e $keys ]] || cannot "there is no $keys (package debian-archive-keyring)"
say "making ${directory#"$PWD"/} (Caffe from Debian 11)"
fetch || cannot "no mirror has them"
mkdir "$directory/root"
for package in "$directory"/apt/archives/*.deb; do
  dpkg-deb --extract "$package" "$directory/root"
done
names=("$directory"/apt/archives/*.deb)
names=("${names[@]##*/}")
rm -rf "$directory/apt" "$directory"/root/usr/share/{doc,man,locale,fonts,proj,gdal,perl}
write_python
own=$directory/root/usr/local/lib/python3.9/dist-packages
if command -v uv >/dev/null; then
  uv pip install --quiet --python "$directory/bin/python" --only-binary :all: --no-deps -r "$requirements" --target "$own"
else
  python3 -m pip install --quiet --python-version 3.9 --only-binary :all: --no-deps -r "$requirements" --target "$own"
fi
# What the environment's digest is made from.
(cd "$own" && printf '%s\n' "${names[@]}" *.dist-info) >"$directory/packages.txt"
"$directory/bin/python" -c 'import caffe'
