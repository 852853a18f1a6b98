# SPDX-License-Identifier: GPL-2.0
# Tables of scripts/bench from lines of: topic, case, metric, unit, good, exact,
# kernel, value. Worse rows first, then better ones, then the rest; what is equal
# on both kernels, or always the same on the only one, in a line for each metric and
# value.

function number(x) { return x >= 1000 || x == int(x) ? sprintf("%.0f", x) : sprintf(x < 10 ? "%.2f" : "%.1f", x) }

# median, low, high of the values of one kernel, kept sorted as they come
function add(key, x,   n, i)
{
	n = ++count[key]
	for (i = n; i > 1 && value[key, i - 1] > x; i--)
		value[key, i] = value[key, i - 1]
	value[key, i] = x
}
function median(key,   n)
{
	n = count[key]
	return n % 2 ? value[key, (n + 1) / 2] : (value[key, n / 2] + value[key, n / 2 + 1]) / 2
}
function shown(key,   low, high)
{
	low = value[key, 1]; high = value[key, count[key]]
	return number(median(key)) (low == high ? "" : " (" number(low) " to " number(high) ")")
}

{
	row = $1 FS $2 FS $3
	if (!(row in unit)) {
		rows[++nr] = row; unit[row] = $4; good[$1] = $5; exact[row] = $6
		if (!($1 in topic)) { topic[$1]; topics[++nt] = $1 }
	}
	add(row FS $7, $8 + 0)
}

END {
	for (t = 1; t <= nt; t++) {
		n = equal = 0
		for (r = 1; r <= nr; r++) {
			split(rows[r], part, FS)
			if (part[1] != topics[t])
				continue
			judge(rows[r])
			cases[part[1], part[3]]++
			if (mark[rows[r]] ~ /[=?]/ && unvaried(rows[r]))
				collect(rows[r], part)
			else
				line[++n] = rows[r]
		}
		printf "\n%s (%s)\n", topics[t], good[topics[t]] == "same" ? "equal is good, less is better" : "less is better"
		if (n)
			printf "%-34s %-30s %22s %8s   %-22s %s\n", "case", "metric", "base", "change", "patched", "unit"
		sort_rows(n)
		for (i = 1; i <= n; i++)
			print_row(line[i])
		print_equal(topics[t])
	}
}

function judge(row,   b, p, base, patched, percent)
{
	b = row FS "base"; p = row FS "patched"
	rank[row] = 2; worse[row] = 0; mark[row] = ""
	kernel[row] = b in count ? b : p
	if (!(b in count) || !(p in count)) { mark[row] = "?"; return }
	base = median(b); patched = median(p)
	if (base == patched) mark[row] = "="
	else if (noise(b, p, exact[row])) mark[row] = "~"
	else {
		mark[row] = patched > base ? "!" : "+"
		rank[row] = patched > base ? 0 : 1
		percent = base ? 100 * (patched - base) / base : 100
		worse[row] = percent < 0 ? -percent : percent
		change[row] = base ? sprintf(worse[row] < 10 ? "%+.1f%%" : "%+.0f%%", percent) : "new"
	}
}

# Three runs of each kernel that differ by chance alone do not overlap in one case
# of ten: the gap must be as wide as the wider range, too.
function noise(b, p, is_exact,   gap, width)
{
	if (is_exact != "true" && (count[b] < 2 || count[p] < 2))
		return 1
	gap = value[p, 1] - value[b, count[b]]
	if (value[b, 1] - value[p, count[p]] > gap)
		gap = value[b, 1] - value[p, count[p]]
	width = value[b, count[b]] - value[b, 1]
	if (value[p, count[p]] - value[p, 1] > width)
		width = value[p, count[p]] - value[p, 1]
	return gap <= 0 || gap < width
}

function unvaried(row)
{
	return value[row FS "base", 1] == value[row FS "base", count[row FS "base"]] &&
	       value[row FS "patched", 1] == value[row FS "patched", count[row FS "patched"]]
}

# What is equal goes to same[name, i], by metric and value; names[] has the cases.
function collect(row, part,   key)
{
	key = part[1] FS part[3] FS shown(kernel[row]) FS unit[row] FS \
	      (mark[row] == "=" ? "=" : kernel[row] ~ /base$/ ? "base only:" : "patched only:")
	if (!(key in names))
		same[part[1], ++equal] = key
	else
		names[key] = names[key] ", "
	names[key] = names[key] part[2]; size[key]++
}

function print_equal(name,   i, n, part, zero, nzero)
{
	for (i = 1; i <= equal; i++) {
		split(same[name, i], part, FS)
		n = size[same[name, i]]
		if (n > 1 && n == cases[name, part[2]] && part[3] == "0" && part[5] == "=") {
			zero = zero (nzero++ ? ", " : "") part[2]
			continue
		}
		wrap(part[5] " " part[2] " " part[3] " " part[4] ": " \
		     (n > 1 && n == cases[name, part[2]] ? "all " n " cases" : names[same[name, i]]))
	}
	if (nzero)
		wrap("= 0 in all cases: " zero)
}

# Lines of a list, broken at its commas.
function wrap(text,   n, i, item, out)
{
	n = split(text, item, ", ")
	for (i = 1; i <= n; i++) {
		if (length(out) + length(item[i]) > 120) {
			print out
			out = "   "
		}
		out = out (out ? " " : "") item[i] (i < n ? "," : "")
	}
	print out
}

# The rank first, then the size of the change; rows that are alike stay in order.
function before(a, b) { return rank[a] < rank[b] || rank[a] == rank[b] && worse[a] > worse[b] }

function sort_rows(n,   i, j, x)
{
	for (i = 2; i <= n; i++) {
		x = line[i]
		for (j = i; j > 1 && before(x, line[j - 1]); j--)
			line[j] = line[j - 1]
		line[j] = x
	}
}

function print_row(row,   part, b, p)
{
	split(row, part, FS); b = row FS "base"; p = row FS "patched"
	printf "%-34s %-30s %22s %8s %s %-22s %s\n", part[2], part[3],
		(b in count) ? shown(b) : "-", change[row], mark[row],
		(p in count) ? shown(p) : "-", unit[row]
}
