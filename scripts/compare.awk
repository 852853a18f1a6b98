# SPDX-License-Identifier: GPL-2.0
# Tables of scripts/compare from lines of: topic, case, metric, unit, good, exact,
# kernel, value, file, run. A value of a file is the median of its runs; if a kernel
# has one file only, its runs are the values.

BEGIN { RESAMPLES = 400; srand(1) }

function number(x, a) { a = x < 0 ? -x : x; return x == int(x) || a >= 1000 ? sprintf("%.0f", x) : sprintf(a < 10 ? "%.2f" : "%.1f", x) }

function sort(v, n,   i, j, x)
{
	for (i = 2; i <= n; i++) {
		x = v[i]
		for (j = i; j > 1 && v[j - 1] > x; j--)
			v[j] = v[j - 1]
		v[j] = x
	}
}

function middle(v, n) { sort(v, n); return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2 }

# Percentiles between the median and the maximum are many rows that say little.
function wanted(row,   part)
{
	split(row, part, FS)
	return all || part[3] !~ /_(p90|max|p99.99|ns_spread)$|^slot_/ && unit[row] !~ /^ticks/
}

{
	row = $1 FS $2 FS $3
	if (!(row in unit)) {
		rows[++nr] = row; unit[row] = $4
		if (!($1 in topic)) { topic[$1]; topics[++nt] = $1 }
	}
	if (!(($7, $9) in file)) { file[$7, $9] = ++files[$7] }
	f = file[$7, $9]
	value[row, $7, f, ++count[row, $7, f]] = $8 + 0
}

# values(ROW, KERNEL, V): those to be compared, in V; returns their number
function values(row, kernel, v,   f, i, n, w)
{
	if (files[kernel] == 1) {
		for (i = 1; i <= count[row, kernel, 1]; i++)
			v[i] = value[row, kernel, 1, i]
		return i - 1
	}
	for (f = 1; f <= files[kernel]; f++) {
		if (!count[row, kernel, f])
			continue
		for (i = 1; i <= count[row, kernel, f]; i++)
			w[i] = value[row, kernel, f, i]
		v[++n] = middle(w, i - 1)
	}
	return n + 0
}

function median_of(row, kernel,   v, n)
{
	n = values(row, kernel, v)
	return n ? middle(v, n) : ""
}

# The median of as many values, drawn with replacement.
function resample(v, n,   i, w)
{
	for (i = 1; i <= n; i++)
		w[i] = v[int(rand() * n) + 1]
	return middle(w, n)
}

# Sets low and high of the interval of the difference that 95 of 100 resamples have.
function bootstrap(b, nb, p, np,   i, d)
{
	for (i = 1; i <= RESAMPLES; i++)
		d[i] = resample(p, np) - resample(b, nb)
	sort(d, RESAMPLES)
	low = d[int(RESAMPLES * .025) + 1]; high = d[int(RESAMPLES * .975)]
}

function shown(v, n) { return number(middle(v, n)) (v[1] == v[n] ? "" : " (" number(v[1]) " to " number(v[n]) ")") }

function zero(v, n,   i)
{
	for (i = 1; i <= n; i++)
		if (v[i])
			return 0
	return 1
}

function judge(row,   b, p, nb, np, base, patched, part, percent, mark, change, where)
{
	nb = values(row, "base", b); np = values(row, "patched", p)
	split(row, part, FS)
	if (zero(b, nb) && zero(p, np)) {
		zeros++
		return
	}
	if (kernels == 1) {
		line[++lines] = sprintf("%-44s %-24s %30s   %s", part[2], part[3], shown(b, nb), unit[row])
		return
	}
	rank[++lines] = 2; worse[lines] = 0
	if (!nb || !np)
		mark = "?"
	else {
		base = middle(b, nb); patched = middle(p, np)
		if (b[1] == b[nb] && p[1] == p[np] && base == patched)
			mark = "="
		else if (nb < 3 || np < 3)
			mark = "~"
		else {
			bootstrap(b, nb, p, np)
			mark = low > 0 ? "!" : high < 0 ? "+" : "~"
		}
		if (mark ~ /[!+]/) {
			percent = base ? 100 * (patched - base) / base : 100
			change = base ? sprintf("%+.0f%%", percent) : "new"
			where = base > 0 ? sprintf("(%+.0f to %+.0f)", 100 * low / base, 100 * high / base) : ""
			rank[lines] = mark == "!" ? 0 : 1
			worse[lines] = percent < 0 ? -percent : percent
		}
	}
	line[lines] = sprintf("%-44s %-24s %26s %6s %-14s %s %-26s %s", part[2], part[3], nb ? shown(b, nb) : "-",
		change, where, mark, np ? shown(p, np) : "-", unit[row])
}

function before(i, j) { return rank[i] < rank[j] || rank[i] == rank[j] && worse[i] > worse[j] }

function print_topic(name,   r, i, j, x, n, order)
{
	lines = zeros = 0
	for (r = 1; r <= nr; r++)
		if (index(rows[r], name FS) == 1 && wanted(rows[r]))
			judge(rows[r])
	if (!lines)
		return
	printf "\n%s (less is better)\n", name
	for (i = 1; i <= lines; i++) {
		x = i
		for (j = i; kernels > 1 && j > 1 && before(x, order[j - 1]); j--)
			order[j] = order[j - 1]
		order[j] = x
	}
	for (i = 1; i <= lines; i++)
		print line[order[i]]
	if (zeros)
		print "= 0 in " zeros " more rows"
}

# Of the base: what the formula of BENCHMARK.md consists of, and what follows from it.

function shot(pages, cpus, metric, who)
{
	return median_of("shootdown" FS "mprotect anon 4k ro pages=" pages " cpus=" cpus \
			 (cpus > 1 ? " " who : "") FS metric, "base")
}
function stale(metric) { return median_of("stale" FS "store after write fault elsewhere" FS metric, "base") }

function print_model(   one, two, most, n, w)
{
	for (n = 2; n <= 1024; n++)
		if (shot(1, n, "up_p50", "readers") != "")
			most = n
	one = shot(1, 1, "up_p50"); two = shot(1, 2, "up_p50", "readers")
	w = stale("write_fault_p50")
	if (one == "" || two == "" || w == "")
		return
	print "\nmodel (of the base, in ns; see BENCHMARK.md)"
	printf "S   %8.0f   one page, one CPU\n", one
	printf "c   %8.1f   each further 4K page of 512\n", (shot(512, 1, "up_p50") - one) / 511
	printf "A   %8.0f   first other CPU\n", two - one
	if (most > 2)
		printf "B   %8.0f   each further CPU, up to %d\n", (shot(1, most, "up_p50", "readers") - two) / (most - 2), most
	printf "V   %8.0f   one interrupted CPU that reads the page, of %d\n", shot(1, most, "up_stolen_p50", "readers"), most
	printf "W   %8.0f   minor write fault\n", w
	printf "F   %8.0f   a store that meets a stale entry, without what it costs if the entry is fresh; %s faults\n",
		stale("stale_store_p50") - stale("fresh_store_p50"), number(stale("stale_store_faults"))
	print_breakeven()
}

function print_breakeven(   n, i, pages, p, x, v, f, k)
{
	f = stale("stale_store_p50") - stale("fresh_store_p50")
	print "\nbreak-even (of the base): if an upgrade sent nothing, it would lose when more CPUs than these"
	print "ran into a stale entry, once each, or at each page"
	printf "%6s %6s %12s %12s %12s %12s\n", "CPUs", "pages", "caller, ns", "others, ns", "once each", "each page"
	n = split("1 8 32 512", pages, " ")
	for (k = 2; k <= 1024; k++)
		for (i = 1; i <= n; i++) {
			p = pages[i]
			x = shot(p, k, "up_p50", "readers"); v = shot(p, k, "up_stolen_p50", "readers")
			if (x == "" || v == "")
				continue
			x -= shot(p, 1, "up_p50"); v *= k - 1
			printf "%6d %6d %12.0f %12.0f %12s %12s\n", k, p, x, v, cpus(x + v, f, k), cpus(x + v, f * p, k)
		}
}

# How many CPUs at this cost are as dear as what was saved? There are not more than k - 1.
function cpus(saved, cost, k)
{
	return cost <= 0 || saved / cost >= k - 1 ? "never" : saved <= 0 ? "always" : sprintf("%.1f", saved / cost)
}

END {
	for (t = 1; t <= nt; t++)
		print_topic(topics[t])
	print_model()
}
