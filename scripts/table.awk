# SPDX-License-Identifier: GPL-2.0
# Tables of scripts/bench from lines of: topic, case, metric, unit, good, exact,
# kernel, value. Worse rows first.

function number(x) { return x >= 100 || x == int(x) ? sprintf("%.0f", x) : sprintf("%.1f", x) }

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
		rows[++nr] = row; unit[row] = $4; good[row] = $5
		if (!($1 in topic)) { topic[$1]; topics[++nt] = $1 }
	}
	add(row FS $7, $8 + 0)
}

END {
	for (t = 1; t <= nt; t++) {
		printf "\n%s (%s)\n", topics[t], "less is better, or equal where marked ="
		printf "%-34s %-30s %22s %8s   %-22s %s\n", "case", "metric", "base", "change", "patched", "unit"
		n = 0
		for (r = 1; r <= nr; r++) {
			split(rows[r], part, FS)
			if (part[1] == topics[t])
				line[++n] = rows[r]
		}
		for (i = 1; i <= n; i++)
			judge(line[i])
		sort_worse(n)
		for (i = 1; i <= n; i++)
			print_row(line[i])
	}
}

function judge(row,   b, p, base, patched)
{
	b = row FS "base"; p = row FS "patched"
	worse[row] = 0; mark[row] = ""
	if (!(b in count) || !(p in count)) { mark[row] = "?"; return }
	base = median(b); patched = median(p)
	if (base == patched) mark[row] = "="
	else if (value[b, 1] <= value[p, count[p]] && value[p, 1] <= value[b, count[b]]) mark[row] = "~"
	else {
		mark[row] = patched > base ? "!" : "+"
		worse[row] = base ? (patched - base) / base : 1
		change[row] = base ? sprintf("%+.0f%%", 100 * (patched - base) / base) : "new"
	}
}

function sort_worse(n,   i, j, x)
{
	for (i = 2; i <= n; i++) {
		x = line[i]
		for (j = i; j > 1 && worse[line[j - 1]] < worse[x]; j--)
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
