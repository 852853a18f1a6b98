# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Packages of Debian; source it after lib.sh, and after arch.sh for
# debian_unpack.

# The mirrors this system trusts for Debian itself, from its own sources.
debian_mirrors()
{
	# shellcheck disable=SC2016 # apt expands these
	apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		awk -F'|' '$3 != "" && !seen[$3]++ && ($1 == "" || ($1 == "Debian" && $2 == "Debian")) { print $3 }'
}

# The option of a line of a sources.list that names Debian's keys, if they are here.
debian_keyring()
{
	local key keyring=

	for key in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
		[ ! -f "$key" ] || keyring="[signed-by=$key]"
	done
	echo "$keyring"
}

# debian_sources SUITE: lines of a sources.list.
debian_sources()
{
	local uri keyring

	keyring=$(debian_keyring)
	while read -r uri; do
		echo "deb $keyring $uri $1 main"
	done < <(debian_mirrors)
}

# debian_unpack DIR SUITE PACKAGE...: fetch PACKAGEs and all that they depend on,
# for the guest's architecture, and unpack them into DIR. SUITE "" is what this
# system's own sources name. Lists of its own leave the system's alone; an empty
# status file makes apt name every dependency.
debian_unpack()
{
	local dir=$1 suite=$2 apt=$CACHE/apt-$DEB_ARCH${2:+-$2} options deb

	shift 2
	mkdir -p "$dir" "$dir.debs/partial" "$apt/lists/partial" "$apt/none"
	options=(-q -o "Dir::State=$apt" -o "Dir::State::Lists=$apt/lists"
		 -o Dir::State::Status=/dev/null -o "Dir::Log=$apt"
		 -o "Dir::Cache=$apt" -o "Dir::Cache::Archives=$dir.debs"
		 -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
		 -o "APT::Architecture=$DEB_ARCH" -o "APT::Architectures=$DEB_ARCH"
		 -o "APT::Sandbox::User=$(id -un)" -o Debug::NoLocking=1
		 -o Acquire::Languages=none -o Acquire::Retries=2)
	if [ -n "$suite" ]; then
		debian_sources "$suite" >"$apt/sources.list"
		[ -s "$apt/sources.list" ] || { echo "apt's sources name no mirror of Debian"; return 1; }
		options+=(-o "Dir::Etc::SourceList=$apt/sources.list"
			  -o "Dir::Etc::SourceParts=$apt/none")
	fi
	apt-get "${options[@]}" update &&
	apt-get "${options[@]}" -y --no-install-recommends --download-only install "$@" ||
		return 1
	for deb in "$dir.debs"/*.deb; do
		dpkg -x "$deb" "$dir" || return 1
	done
	rm -rf "$dir.debs"
}

# debian_download DIR APT SOURCE[=VERSION]: fetch a source package into DIR: its .dsc and
# what that names. The deb-src lines come from standard input, and the lists are in APT,
# so that nothing of the system changes.
debian_download()
{
	local dir=$1 apt=$2 options

	mkdir -p "$dir" "$apt/lists/partial" "$apt/cache/archives/partial"
	cat >"$apt/sources.list"
	options=(-q -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
		 -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache"
		 -o "APT::Sandbox::User=$(id -un)")
	apt-get "${options[@]}" update &&
	(cd "$dir" && apt-get "${options[@]}" source --download-only "$3")
}

# debian_suite_source DIR SUITE SOURCE: unpack the source package SOURCE of SUITE into DIR.
debian_suite_source()
{
	debian_sources "$2" | sed 's/^deb /deb-src /' |
		debian_download "$1.debs" "$CACHE/apt-source-$2" "$3" &&
	dpkg-source -x "$1.debs"/*.dsc "$1"
}

# debian_source DIR PACKAGE SOURCE: fetch the source package SOURCE of the version
# that the installed binary PACKAGE was built from into DIR, from each source of Debian
# that the system has.
debian_source()
{
	local version

	lock apt-source
	version=$(debian_version "$2") || return
	# shellcheck disable=SC2016 # for apt to expand
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' 'Origin: Debian' | sort -u |
		sed "s,^,deb-src $(debian_keyring) ," |
		debian_download "$1" "$CACHE/apt-source" "$3=$version"
}

# debian_version PACKAGE: the version of the source it was built from.
debian_version()
{
	# shellcheck disable=SC2016 # for dpkg-query to expand
	dpkg-query -W -f '${source:Version}' "$1" 2>/dev/null
}
