# SPDX-License-Identifier: GPL-2.0
# calls.awk: what "strace -f" wrote, as a line of scripts/calls. What a page may is what
# the last mmap() or mprotect() of it said, read and write if there was none. A file is a
# program; the address spaces of its children are not told apart.

BEGIN { CONVFMT = "%.0f" } # the number of a page, as an index

function permissions(prot)
{
	return (prot ~ /READ/ ? "r" : "") (prot ~ /WRITE/ ? "w" : "") (prot ~ /EXEC/ ? "x" : "")
}

# takes FROM TO: is anything in FROM that is not in TO?
function takes(from, to,   i)
{
	for (i = 1; i <= length(from); i++)
		if (index(to, substr(from, i, 1)) == 0)
			return 1
	return 0
}

# change ADDRESS LENGTH PERMISSIONS COUNT: of the pages; whether it gave and took.
function change(address, size, to, count,   page, last, from, gave, took)
{
	page = hex(address) / 4096
	last = page + size / 4096
	# Address space that is only reserved, by far too much to look at each page.
	if (last - page > 65536)
		last = page + 1
	for (; page < last; page++) {
		from = page in may ? may[page] : "rw"
		gave = gave || takes(to, from)
		took = took || takes(from, to)
		may[page] = to
	}
	if (count)
		calls[gave && took ? "both" : gave ? "up" : took ? "down" : "same"]++
}

function hex(text,   i, n)
{
	for (i = 3; i <= length(text); i++)
		n = n * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
	return n
}

FNR == 1 { split("", may) }
{ pid = $1; sub(/^[0-9]+ +/, "") }
/^--- SIGSEGV/ { signals++; next }
/<unfinished \.\.\.>$/ {
	sub(/ *<unfinished \.\.\.>$/, "")
	begun[pid] = $0
	next
}
/^<\.\.\. [a-z0-9_]+ resumed>/ {
	sub(/^<\.\.\. [a-z0-9_]+ resumed>/, "")
	$0 = begun[pid] $0
}
/ = -1 E/ || / = \?/ { next }
/^(pkey_)?mprotect\(/ {
	split($0, part, /[(,)] */)
	change(part[2], part[3], permissions(part[4]), 1)
	threads[pid]
}
/^mmap\(/ {
	split($0, part, /[(,)] */)
	change($NF, part[3], permissions(part[4]), 0)
}
/^ioctl\(.*UFFDIO_WRITEPROTECT/ { uffd++; threads[pid] }
/^v?fork\(|^clone3?\(/ && !/CLONE_VM/ { forks++; threads[pid] }

# each NUMBER: of the program's units of work.
function each(number)
{
	number /= units
	return sprintf(number < 100 ? "%.2f" : "%.0f", number)
}

END {
	for (pid in threads)
		n++
	printf "%-16s %-8s %8d %8s %8s %8s %8s %8s %8s\n", name, unit, n, each(calls["up"]), each(calls["down"]),
		each(calls["both"]), each(uffd), each(forks), each(signals)
}
