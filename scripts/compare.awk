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

# Percentiles between the median and the maximum are many rows that say little. The
# longest store is what the topic latency is about.
function wanted(row,   part)
{
	split(row, part, FS)
	return all || part[1] == "latency" && part[3] == "store_max" || part[3] !~ /_(p90|max|p99.99|ns_spread)$|^slot_/ && unit[row] !~ /^ticks/
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
		if (!(part[3] in is_zero)) {
			is_zero[part[3]]
			zero_names = zero_names (zero_names == "" ? "" : ", ") part[3]
		}
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
	zero_names = ""
	split("", is_zero)
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
		print "= 0 in " zeros " more rows: " zero_names
}

# Of one kernel, unless --all: what a reader needs, medians only.

# columns(TOPIC, CASES, METRICS, WHAT): a line for each case whose name matches CASES, a
# column for each metric, and WHAT above
function columns(name, cases, metrics, what,   r, part, done, i, n, metric, head, text, value)
{
	n = split(metrics, metric, " ")
	head = sprintf("%-46s", what)
	for (i = 1; i <= n; i++)
		head = head sprintf(" %18s", metric[i])
	for (r = 1; r <= nr; r++) {
		split(rows[r], part, FS)
		if (part[1] != name || part[2] !~ cases || (part[2] in done))
			continue
		done[part[2]]
		text = ""
		for (i = 1; i <= n; i++) {
			value = median_of(name FS part[2] FS metric[i], "base")
			text = text sprintf(" %18s", value == "" ? "-" : number(value))
		}
		if (text !~ /[0-9]/)
			continue
		if (head != "")
			print "\n" head
		head = ""
		printf "%-46s%s\n", part[2], text
	}
}

# matrix(METRIC, WHO, WHAT): of the topic shootdown, pages down, CPUs across
function matrix(metric, who, what,   p, n, k, pages, line, any)
{
	for (n = 1; n <= 1024; n++)
		for (k = 1; k <= split("1 8 32 512", pages, " "); k++)
			if (shot(pages[k], n, metric, who) != "")
				any[n]
	line = sprintf("%-8s", "pages")
	for (n = 1; n <= 1024; n++)
		if (n in any)
			line = line sprintf(" %10s", n (n == 1 ? " CPU" : " CPUs"))
	if (line !~ /CPU/)
		return
	print "\n" what
	print line
	for (k = 1; k <= 4; k++) {
		line = sprintf("%-8s", pages[k])
		for (n = 1; n <= 1024; n++)
			if (n in any) {
				p = shot(pages[k], n, metric, who)
				line = line sprintf(" %10s", p == "" ? "-" : sprintf("%.0f", p))
			}
		print line
	}
}

function summary(name)
{
	if (name == "shootdown") {
		matrix("up_p50", "readers", "shootdown: an upgrade, ns of the caller, while the other CPUs read the memory (up_p50)")
		matrix("up_stolen_mean", "readers", "shootdown: ns that it steals from each of them (up_stolen_mean)")
		matrix("up_stolen_mean", "bystanders", "shootdown: ns that it steals from each other CPU that does not use the memory")
	} else if (name == "stale") {
		columns(name, "^store after write fault", "write_fault_p50 stale_store_p50 stale_store_faults fresh_store_p50 plain_store_p50", "stale: ns per store")
		columns(name, "^store after upgrade", "first_store_p50 stores_p50 stores_faults plain_stores_p50 relaxed_repairs", "stale: ns per store, or all stores")
		columns(name, "^fetch", "first_fetch_p50 first_fetch_faults plain_fetch_p50 relaxed_repairs", "stale: ns per call")
	} else if (name == "mprot")
		columns(name, ".", "trip_p50", "mprot: ns per page, down, up and touch")
	else if (name == "latency")
		columns(name, ".", "store_p50 store_p99 store_p99.9 store_max", "latency: ns per store of other threads")
	else if (name == "updown")
		columns(name, ".", "down_ns_median up_ns_median", "updown: ns per page")
	else
		return 0
	return 1
}

# Of the base: what the formula of BENCHMARK.md consists of, and what follows from it.

# part_of_model(N, ROWS, WEIGHTS): the sum of the rows' medians times their weights; sets
# range to that of the runs.
function part_of_model(n, row, weight,   i, k, v, w, count_of, sum)
{
	range = ""
	for (i = 1; i <= n; i++) {
		k = values(row[i], "base", v)
		if (i == 1)
			count_of = k
		else if (k != count_of)
			count_of = 0
		sum += weight[i] * median_of(row[i], "base")
		# By run: what a case lacks in one run belongs to none.
		for (k = 1; k <= count_of; k++)
			w[k] += weight[i] * v[k]
	}
	if (count_of > 1) {
		sort(w, count_of)
		range = sprintf(format " to " format, w[1], w[count_of])
	}
	return sum
}

function model_row(name, text, row1, weight1, row2, weight2,   row, weight, value)
{
	row[1] = row1; row[2] = row2; weight[1] = weight1; weight[2] = weight2
	format = name == "c" ? "%.1f" : "%.0f"
	value = part_of_model(row2 == "" ? 1 : 2, row, weight)
	printf "%-3s %8s  %-18s %s\n", name, sprintf(format, value), range, text
	return value
}

function shot_row(pages, cpus, metric, who)
{
	return "shootdown" FS "mprotect anon 4k ro pages=" pages " cpus=" cpus (cpus > 1 ? " " who : "") FS metric
}
function shot(pages, cpus, metric, who) { return median_of(shot_row(pages, cpus, metric, who), "base") }

function stale_row(metric) { return "stale" FS "store after write fault elsewhere" FS metric }
function refill_row(metric) { return "stale" FS "store after upgrade pages=512" FS metric }

function print_model(   one, two, most, n, fault, refill)
{
	for (n = 2; n <= 1024; n++)
		if (shot(1, n, "up_p50", "readers") != "")
			most = n
	one = shot_row(1, 1, "up_p50"); two = shot_row(1, 2, "up_p50", "readers")
	if (median_of(one, "base") == "" || median_of(two, "base") == "" ||
	    median_of(stale_row("write_fault_p50"), "base") == "")
		return
	print "\nmodel (of the base, in ns, with its range over the runs; see BENCHMARK.md)"
	model_row("S", "one page, one CPU", one, 1)
	model_row("c", "each further 4K page of 512", shot_row(512, 1, "up_p50"), 1 / 511, one, -1 / 511)
	model_row("A", "first other CPU", two, 1, one, -1)
	if (most > 2)
		model_row("B", "each further CPU, up to " most, shot_row(1, most, "up_p50", "readers"), 1 / (most - 2), two, -1 / (most - 2))
	model_row("V", "one interrupted CPU that reads the page, of " most, shot_row(1, most, "up_stolen_mean", "readers"), 1)
	model_row("W", "minor write fault", stale_row("write_fault_p50"), 1)
	if (median_of(stale_row("stale_store_p50"), "base") == "" || median_of(stale_row("fresh_store_p50"), "base") == "")
		return
	fault = model_row("F", "a store that meets a stale entry, without what it costs if the entry is fresh; " \
			  number(median_of(stale_row("stale_store_faults"), "base")) " faults",
			  stale_row("stale_store_p50"), 1, stale_row("fresh_store_p50"), -1)
	if (median_of(refill_row("plain_stores_p50"), "base") != "")
		refill = model_row("R", "512 stores after all of the TLB was flushed, without what they cost if it was not",
				   refill_row("stores_p50"), 1, refill_row("plain_stores_p50"), -1)
	print_breakeven(fault, refill)
}

# The column "and refills": a CPU that catches up loses all that its TLB held of the process.
# One page makes no CPU catch up, and the strict flush of x86 takes all, too, if the pages
# are more than 33.
function print_breakeven(f, refill,   n, i, pages, p, x, v, k)
{
	print "\nbreak-even (of the base): if an upgrade sent nothing, it would lose when more CPUs than these"
	print "ran into a stale entry, once each; once, and filled 512 entries of their TLB again; or at each page"
	printf "%6s %6s %12s %12s %12s %12s %12s\n", "CPUs", "pages", "caller, ns", "others, ns", "once each",
		"and refills", "each page"
	n = split("1 8 32 512", pages, " ")
	for (k = 2; k <= 1024; k++)
		for (i = 1; i <= n; i++) {
			p = pages[i]
			x = shot(p, k, "up_p50", "readers"); v = shot(p, k, "up_stolen_mean", "readers")
			if (x == "" || v == "" || shot(p, 1, "up_p50") == "")
				continue
			x -= shot(p, 1, "up_p50"); v *= k - 1
			printf "%6d %6d %12.0f %12.0f %12s %12s %12s\n", k, p, x, v, cpus(x + v, f, k),
				(refill == "" || p == 1 || p > 33) ? "-" : cpus(x + v, f + refill, k), cpus(x + v, f * p, k)
		}
}

# How many CPUs at this cost are as dear as what was saved? There are not more than k - 1.
function cpus(saved, cost, k)
{
	return cost <= 0 || saved / cost >= k - 1 ? "never" : saved <= 0 ? "always" : sprintf("%.1f", saved / cost)
}

END {
	for (t = 1; t <= nt; t++)
		if (kernels > 1 || all || !summary(topics[t]))
			print_topic(topics[t])
	if (kernels == 1 && !all)
		print "\nMedians. With --all: each row, with its range over the runs."
	print_model()
}
