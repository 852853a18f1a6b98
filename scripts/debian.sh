# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Packages of Debian for the guest; source it after lib.sh and arch.sh.

# debian_unpack DIR RELEASE PACKAGE...: fetch PACKAGEs and all that they depend
# on, for the guest's architecture, and unpack them into DIR. RELEASE is a name
# like "bookworm", from the mirror that this machine uses, or "": whatever
# release this machine has. Package lists of its own leave the system's alone;
# an empty status file makes apt name every dependency.
debian_unpack()
{
	local dir=$1 release=$2 apt=$CACHE/apt-$DEB_ARCH${2:+-$2} options mirror deb

	shift 2
	options=(-q -o "Dir::State=$apt" -o "Dir::State::lists=$apt/lists"
		 -o "Dir::State::status=/dev/null"
		 -o "Dir::Cache::archives=$dir.debs"
		 -o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache="
		 -o "Dir::Log=$apt" -o "Debug::NoLocking=1"
		 -o "APT::Architecture=$DEB_ARCH" -o "APT::Architectures=$DEB_ARCH"
		 -o "APT::Sandbox::User=root")
	mkdir -p "$dir" "$apt/lists/partial" "$dir.debs/partial"
	if [ -n "$release" ]; then
		# shellcheck disable=SC2016 # apt replaces $(REPO_URI), not the shell
		mirror=$(apt-get indextargets --format '$(REPO_URI)' \
			'Created-By: Packages' 'Label: Debian' | head -n 1)
		[ -n "$mirror" ] || { echo "no mirror of Debian in apt's sources"; return 1; }
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release main" \
			>"$apt/sources.list"
		options+=(-o "Dir::Etc::sourcelist=$apt/sources.list" -o "Dir::Etc::sourceparts=-")
	fi
	apt-get "${options[@]}" update &&
	apt-get "${options[@]}" -y --no-install-recommends --download-only install "$@" ||
		return 1
	for deb in "$dir.debs"/*.deb; do
		dpkg -x "$deb" "$dir" || return 1
	done
	rm -rf "$dir.debs"
}
